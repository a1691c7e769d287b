"""The arguments of a run: their defaults and what they check themselves."""

import inspect
from dataclasses import fields

import pytest

from modeling_empathy import EmpathyConfig
from modeling_empathy.training.arguments import ConfigArguments, ModelArguments
from modeling_empathy.training.parsing import parse_arguments


def test_defaults_are_roberta_base_and_all_mechanisms():
    model_args, data_args, training_args = parse_arguments([])
    assert model_args.encoder == "roberta-base"
    assert model_args.mechanisms == ["emotional_reactions", "interpretations", "explorations"]
    assert data_args.unannotated == "ignore"
    assert training_args.metric_for_best_model == "macro_f1"


def test_the_output_folder_is_not_pushed_with_what_people_wrote(capsys):
    with pytest.raises(SystemExit):
        parse_arguments(["--push_to_hub"])
    assert "publish the trained model with push_to_hub.py" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("has_units", "options", "configured", "trained_in"),
    [
        (True, [], None, "bf16"),
        (False, [], None, "no"),
        (True, ["--no_auto_bf16"], None, "no"),
        (True, ["--fp16"], None, "fp16"),
        (True, ["--recipe", "original"], None, "no"),
        (True, [], "no", "no"),
        (False, [], "bf16", "bf16"),
    ],
)
def test_training_is_in_bfloat16_where_that_is_computed_in_and_nothing_else_was_said(
    has_units, options, configured, trained_in, monkeypatch, tmp_path
):
    # The machine of the test may have such units or not.
    monkeypatch.setattr("modeling_empathy.training.arguments.computes_in_bfloat16", lambda device: has_units)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if configured is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", configured)
    training_args = parse_arguments(["--output_dir", str(tmp_path), *options])[2]
    assert training_args.mixed_precision == trained_in
    # What accelerate is configured for is left to it: the Trainer's own flag stays off.
    assert training_args.bf16 == (trained_in == "bf16" and configured is None)


def test_the_options_of_the_configuration_are_its_keywords_and_no_other_argument_is():
    keywords = set(inspect.signature(EmpathyConfig).parameters)
    options = {option.name for option in fields(ConfigArguments)}
    # Both ways: an argument of that name elsewhere would never reach the configuration.
    assert len(options) > 10 and options <= keywords
    assert not {argument.name for argument in fields(ModelArguments)} - options & keywords
