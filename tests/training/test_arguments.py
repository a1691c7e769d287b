"""Arguments: one set of names for command line, YAML and JSON, with the command line winning."""

import pytest

from modeling_empathy.training.arguments import parse_arguments


def test_defaults_are_roberta_base_and_all_mechanisms():
    model_args, data_args, training_args = parse_arguments([])
    assert model_args.encoder == "roberta-base"
    assert model_args.mechanisms == ["emotional_reactions", "interpretations", "explorations"]
    assert data_args.unannotated == "ignore"
    assert training_args.metric_for_best_model == "macro_f1"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (
            "run.yaml",
            "encoder: embedded\nlearning_rate: 1e-4\nmechanisms: [explorations]\nfreeze_seeker_encoder: false\n",
        ),
        (
            "run.json",
            '{"encoder": "embedded", "learning_rate": 1e-4, "mechanisms": ["explorations"],'
            ' "freeze_seeker_encoder": false}',
        ),
    ],
)
def test_a_file_sets_and_the_command_line_wins(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text)
    model_args, _, training_args = parse_arguments(["--seed", "3", "--config", str(path), "--encoder", "other"])
    assert model_args.encoder == "other"
    assert model_args.mechanisms == ["explorations"]
    assert model_args.freeze_seeker_encoder is False
    assert (training_args.learning_rate, training_args.seed) == (1e-4, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1.0", "unknown argument 'learning_rat'"),
        ("mechanisms: [sympathy]", "sympathy"),
        ("just words", "expected names and values"),
        ("{", "run.yaml"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path, capsys, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(["--config", str(path)])
    assert stopped.value.code == 2
    assert message in capsys.readouterr().err


def test_wrong_options_are_refused_by_name(capsys, tmp_path):
    for argv, message in (
        (["--learning_rat", "1"], "--learning_rat"),
        (["--unannotated", "some"], "--unannotated"),
        (["--config", str(tmp_path / "absent.yaml")], "absent.yaml"),
    ):
        with pytest.raises(SystemExit):
            parse_arguments(argv)
        assert message in capsys.readouterr().err


def test_help_names_our_arguments_and_their_defaults(capsys):
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(["--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 0
    choices = "--unannotated {none,ignore,all,original}"
    for expected in ("--encoder", "--config FILE", choices, "(default: roberta-base)"):
        assert expected in text


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
    monkeypatch.setattr("modeling_empathy.training.arguments.computes_in_bfloat16", lambda device: has_units)
    monkeypatch.delenv("ACCELERATE_MIXED_PRECISION", raising=False)
    if configured is not None:
        monkeypatch.setenv("ACCELERATE_MIXED_PRECISION", configured)
    training_args = parse_arguments(["--output_dir", str(tmp_path), *options])[2]
    assert training_args.mixed_precision == trained_in
    assert training_args.bf16 == (trained_in == "bf16" and configured is None)
