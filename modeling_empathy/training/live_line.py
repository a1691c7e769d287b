"""How far training and evaluation are, as one line each, in place of the Trainer's bars."""

from __future__ import annotations

from typing import Any

from torch.utils.data import DataLoader
from tqdm.std import tqdm
from transformers import ProgressCallback, Trainer, TrainerCallback, TrainerControl, TrainerState, TrainingArguments

from ..phases import phase


# What the line says beside the step; the log and `metrics.json` hold everything.
_SHOWN = {"loss": "loss", "eval_loss": "validation loss", "eval_macro_f1": "validation macro-F1"}


def show_live_line(trainer: Trainer) -> None:
    """Puts the line in the place of a Trainer's bars, if it has them."""
    # With `disable_tqdm` it has a PrinterCallback.
    if not trainer.args.disable_tqdm:
        trainer.remove_callback(ProgressCallback)
        trainer.add_callback(LiveLine)


class LiveLine(TrainerCallback):
    """Shows the steps of training, with the last losses and the macro-F1, and the batches of an evaluation behind it.

    Of processes that train together, the first shows it.
    """

    def __init__(self) -> None:
        self._training: tqdm | None = None
        self._evaluation: tqdm | None = None
        self._values: dict[str, str] = {}

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Begins the line, behind the steps that an earlier run has done."""
        if state.is_world_process_zero:
            self._training = phase("Training", state.max_steps, "steps")
            self._training.update(state.global_step)

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Counts."""
        if self._training is not None:
            self._training.update(state.global_step - self._training.n)

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, float] | None = None,
        **_: Any,
    ) -> None:
        """Takes over what it shows."""
        self._values |= {_SHOWN[name]: f"{value:.3f}" for name, value in (logs or {}).items() if name in _SHOWN}
        if self._training is not None:
            self._training.set_postfix(self._values, refresh=False)

    def on_prediction_step(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        eval_dataloader: DataLoader | None = None,
        **_: Any,
    ) -> None:
        """Counts the batches of an evaluation that is not a part of training."""
        if self._training is not None or not state.is_world_process_zero or eval_dataloader is None:
            return
        if self._evaluation is None:
            self._evaluation = phase("Evaluating", len(eval_dataloader), "batches")
        self._evaluation.update()

    def on_evaluate(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Shows what came of it."""
        self._end_evaluation()
        if self._training is not None:
            self._training.refresh()

    def on_predict(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: Any, **_: Any
    ) -> None:
        """Ends the line of an evaluation."""
        self._end_evaluation()

    def on_train_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        """Ends the line."""
        if self._training is not None:
            self._training.close()
            self._training = None

    def _end_evaluation(self) -> None:
        if self._evaluation is not None:
            self._evaluation.close()
            self._evaluation = None
