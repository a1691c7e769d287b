"""What a run shows of how far it is."""

from types import SimpleNamespace

import pytest
from transformers import TrainerControl, TrainerState, TrainingArguments

from modeling_empathy import phases
from modeling_empathy.training.live_line import LiveLine


@pytest.fixture(autouse=True)
def in_log(monkeypatch):
    monkeypatch.setattr(phases, "_is_drawn_over", lambda: False)


def lines_of(capsys, tmp_path, is_first=True):
    """What is shown of a run of four steps with an evaluation in its middle, and of one behind it."""
    arguments = TrainingArguments(output_dir=str(tmp_path), use_cpu=True)
    state, control = TrainerState(max_steps=4, is_world_process_zero=is_first), TrainerControl()
    batches = SimpleNamespace(__len__=lambda: 2)
    shown = LiveLine()
    given = (arguments, state, control)
    shown.on_train_begin(*given)
    for step in range(1, 5):
        state.global_step = step
        shown.on_step_end(*given)
        if step == 2:
            shown.on_log(*given, logs={"loss": 0.75, "learning_rate": 1.0})
            for _ in range(2):
                shown.on_prediction_step(*given, eval_dataloader=batches)
            shown.on_log(*given, logs={"eval_loss": 0.5, "eval_macro_f1": 0.625, "eval_explorations_iou_f1": 0.1})
            shown.on_evaluate(*given)
    shown.on_train_end(*given)
    for _ in range(2):
        shown.on_prediction_step(*given, eval_dataloader=[None, None])
    shown.on_predict(*given, metrics={})
    return capsys.readouterr().err.splitlines()


def test_training_and_evaluation_have_a_line_each(capsys, tmp_path):
    lines = lines_of(capsys, tmp_path)
    assert [line.split(" [")[0] for line in lines] == [
        "Training: 0 of 4 steps",
        "Training: 2 of 4 steps",
        "Training: 4 of 4 steps",
        "Evaluating: 0 of 2 batches",
        "Evaluating: 2 of 2 batches",
    ]
    assert "loss=0.750, validation loss=0.500, validation macro-F1=0.625]" in lines[1]


def test_only_the_first_process_shows_it(capsys, tmp_path):
    assert lines_of(capsys, tmp_path, is_first=False) == []


def test_a_run_that_goes_on_begins_where_it_was(capsys, tmp_path):
    shown, state = LiveLine(), TrainerState(max_steps=4, global_step=3)
    given = (TrainingArguments(output_dir=str(tmp_path), use_cpu=True), state, TrainerControl())
    shown.on_train_begin(*given)
    shown.on_train_end(*given)
    assert capsys.readouterr().err.splitlines()[-1].startswith("Training: 3 of 4 steps")
