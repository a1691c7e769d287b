"""The Trainer of the empathy model: variable-length token scores, evaluated once each and in order."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from types import MappingProxyType
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn
from torch.utils.data import Dataset, Sampler, SequentialSampler
from transformers import EvalPrediction, Trainer
from transformers.trainer import TRAINER_STATE_NAME, TRAINING_ARGS_NAME
from transformers.trainer_pt_utils import LengthGroupedSampler
from transformers.trainer_utils import PREFIX_CHECKPOINT_DIR, EvalLoopOutput, TrainOutput

from ..errors import InputError, first_line
from ..evaluation.metrics_by_mechanism import Annotated, Predicted, metrics_by_mechanism
from ..files.whole_files import give_usual_mode
from ..model.configuration_empathy import EmpathyConfig
from ..model.modeling_empathy import EmpathyModel
from .arguments import EmpathyTrainingArguments
from .resume import best_before, check_is_of, check_same_run, fault_of, write_arguments


class EmpathyTrainer(Trainer):
    """A `Trainer` for [`EmpathyModel`]; predictions are `(empathy_logits, rationale_probabilities)`.

    The layout is that of [`Predicted`], and of labels that of [`Annotated`].
    """

    args: EmpathyTrainingArguments
    model: EmpathyModel
    # What its checkpoints say of the run that they are of, as of `decisive_arguments`.
    run_arguments: Mapping[str, Any] = MappingProxyType({})

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """As the Trainer's, with a learning rate for the heads alone."""
        # One that exists, as one that was given to the Trainer, keeps its groups.
        is_created = self.optimizer is not None
        optimizer = super().create_optimizer(model)
        if is_created or self.args.head_learning_rate is None:
            return optimizer
        # Anywhere in the name: a model that is wrapped, as FSDP does it, has a prefix before its names.
        named_parameters = (self.model if model is None else model).named_parameters()
        heads = {id(parameter) for name, parameter in named_parameters if "mechanism_heads" in name}
        # The Trainer's groups are split rather than made here, so that it goes on deciding which weights decay. The
        # schedule, which it makes afterwards, multiplies the rate of each group.
        groups = []
        for group in optimizer.param_groups:
            for is_head, learning_rate in ((False, group["lr"]), (True, self.args.head_learning_rate)):
                parameters = [weight for weight in group["params"] if (id(weight) in heads) == is_head]
                if parameters:
                    groups.append({**group, "params": parameters, "lr": learning_rate})
        optimizer.param_groups = groups
        return optimizer

    def compute_loss(self, model: nn.Module, inputs: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """As the Trainer's, without what the model does not read."""
        return super().compute_loss(model, _read_by_model(inputs), *args, **kwargs)

    def prediction_step(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor | Any],
        prediction_loss_only: bool,
        ignore_keys: list[str] | None = None,
    ) -> tuple[torch.Tensor | None, Any, Any]:
        """In fp32, as the saved model is used; puts tokens second and turns rationale logits into probabilities."""
        with without_autocast(self.accelerator.unwrap_model(model)):
            loss, logits, labels = super().prediction_step(
                model, _read_by_model(inputs), prediction_loss_only, ignore_keys
            )
        # The Trainer concatenates batches of different lengths by padding the second dimension and no other: that must
        # be the tokens. It pads with -100, which means unknown as a label, and as a clause that there is none.
        if logits is not None:
            empathy_logits, rationale_logits = logits
            _, rationales = self.accelerator.unwrap_model(model).probabilities(empathy_logits, rationale_logits)
            logits = (empathy_logits, rationales.transpose(1, 2))
        if labels is not None:
            empathy_labels, rationale_labels = labels
            clauses = inputs["response_clauses"].to(rationale_labels.device)
            labels = (empathy_labels, rationale_labels.transpose(1, 2), clauses)
        return loss, logits, labels

    def train(self, resume_from_checkpoint: str | bool | None = None, **kwargs: Any) -> TrainOutput:
        """As the Trainer's, and says which checkpoint it is that can't be read.

        Raises:
            InputError: If the checkpoint is of another run or model, or damaged in a place that is seen only now.
        """
        if isinstance(resume_from_checkpoint, str):
            check_same_run(Path(resume_from_checkpoint), self.run_arguments)
            check_is_of(Path(resume_from_checkpoint), self.accelerator.unwrap_model(self.model))
        return super().train(resume_from_checkpoint=resume_from_checkpoint, **kwargs)

    def _init_training_state(self, *args: Any, **kwargs: Any) -> tuple[int, int]:
        trained = super()._init_training_state(*args, **kwargs)
        # The path in the checkpoint is of where the folder was.
        checkpoint = kwargs.get("resume_from_checkpoint", args[3])
        if checkpoint is not None and self.args.load_best_model_at_end:
            best = best_before(Path(checkpoint))
            self.state.best_model_checkpoint = None if best is None else str(best)
        return trained

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: nn.Module | None = None) -> None:
        with _reading(resume_from_checkpoint):
            super()._load_from_checkpoint(resume_from_checkpoint, model)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        with _reading(checkpoint):
            super()._load_optimizer_and_scheduler(checkpoint)

    def _load_rng_state(self, checkpoint: str | None) -> None:
        with _reading(checkpoint):
            super()._load_rng_state(checkpoint)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = Path(self.args.output_dir, f"{PREFIX_CHECKPOINT_DIR}-{self.state.global_step}")
        if not self.args.should_save:
            super()._save_checkpoint(model, trial)
            return
        # An earlier one of this step is none from here on: what says that it is whole is written last.
        (folder / TRAINER_STATE_NAME).unlink(missing_ok=True)
        try:
            write_arguments(folder, self.run_arguments)
            super()._save_checkpoint(model, trial)
        except BaseException as error:
            if fault_of(folder) is not None:
                shutil.rmtree(folder, ignore_errors=True)
            # torch and safetensors have a full disk as errors of their own.
            if isinstance(error, (RuntimeError, SafetensorError)):
                raise InputError(f"{folder} can't be written: {first_line(error)}") from None
            raise

    def _save(self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None) -> None:
        """As the Trainer's, without its pickled arguments: what is kept or published holds no pickle."""
        super()._save(output_dir, state_dict)
        folder = Path(output_dir or self.args.output_dir)
        (folder / TRAINING_ARGS_NAME).unlink(missing_ok=True)
        give_usual_mode(folder.glob("*.safetensors"))

    def evaluation_loop(self, *args: Any, **kwargs: Any) -> EvalLoopOutput:
        """As the Trainer's, and leaves the random numbers that training draws from as they are."""
        # A data loader draws a seed for its workers, had it none. A run that is resumed behind an evaluation does not
        # evaluate again; without this its dropout would be another. Evaluation draws nothing on a GPU.
        with torch.random.fork_rng(devices=()):
            return super().evaluation_loop(*args, **kwargs)

    def _run_epoch(self, *args: Any, **kwargs: Any) -> None:
        # Resumed from the checkpoint of its last step within an epoch, the Trainer would train one step more.
        if self.state.global_step >= self.state.max_steps:
            self.control.should_training_stop = True
            return
        super()._run_epoch(*args, **kwargs)

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Sampler | None:
        sampler = super()._get_train_sampler(train_dataset)
        # A random one gets the same from accelerate.
        if not isinstance(sampler, LengthGroupedSampler):
            return sampler
        seed = self.args.seed if self.args.data_seed is None else self.args.data_seed
        return _EpochSampler(sampler, lambda: seed + int(self.state.epoch or 0))

    def _get_eval_sampler(self, eval_dataset: Dataset) -> Sampler | None:
        # With grouping by length the Trainer would shuffle the evaluation too, and predictions would lose their rows.
        return SequentialSampler(eval_dataset)  # type: ignore[arg-type]


class _EpochSampler(Sampler):
    """The order of an epoch by its number alone, so that a run that is resumed in the middle finds it again.

    Left to themselves samplers draw from the random numbers of training, which have gone on since the epoch began.
    """

    def __init__(self, sampler: LengthGroupedSampler, seed: Callable[[], int]) -> None:
        self._sampler = sampler
        self._seed = seed

    def __len__(self) -> int:
        return len(self._sampler)

    def __iter__(self) -> Iterator[int]:
        self._sampler.generator = torch.Generator().manual_seed(self._seed())
        return iter(self._sampler)


@contextmanager
def _reading(checkpoint: str | None) -> Iterator[None]:
    """Turns what torch says of a damaged file into an error that names the checkpoint."""
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except (ValueError, RuntimeError, KeyError, TypeError, EOFError, UnpicklingError, SafetensorError) as error:
        raise InputError(
            f"--resume_from_checkpoint: {checkpoint} can't be read ({type(error).__name__}: {first_line(error)}): go "
            "on from another one, or start anew."
        ) from None


def _read_by_model(inputs: dict[str, Any]) -> dict[str, Any]:
    return {name: tensor for name, tensor in inputs.items() if name != "response_clauses"}


@contextmanager
def without_autocast(model: nn.Module) -> Iterator[None]:
    """Within it, a model that accelerate prepared for mixed precision computes in its own."""
    # accelerate sets both on the instance, above the class's `forward`. `torch.autocast(enabled=False)` around a call
    # would not do: the prepared `forward` enters its own autocast within.
    prepared = model.__dict__.get("forward")
    original = model.__dict__.get("_original_forward")
    if prepared is None or original is None:
        yield
        return
    model.forward = original
    try:
        yield
    finally:
        model.forward = prepared


def metrics_of_predictions(config: EmpathyConfig, prediction: EvalPrediction) -> dict[str, float]:
    """[`metrics_by_mechanism`] of a Trainer's predictions: its `compute_metrics` once a configuration is bound."""
    return metrics_by_mechanism(config, Predicted(*prediction.predictions), Annotated(*prediction.label_ids))
