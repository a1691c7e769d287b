"""One set of names for command line, YAML, JSON and recipes: who wins, what is refused, and by which words."""

import pytest

from modeling_empathy.training.parsing import RECIPES, parse_arguments


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
    model_args, _, training_args = parse_arguments(["--seed", "3", "--config", str(path), "--encoder", "roberta-base"])
    assert model_args.encoder == "roberta-base"
    assert model_args.mechanisms == ["explorations"]
    assert model_args.freeze_seeker_encoder is False
    assert (training_args.learning_rate, training_args.seed) == (1e-4, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rat: 1.0", "unknown argument 'learning_rat'"),
        ("config: other.yaml", "unknown argument 'config'"),
        ("recipe: embedded", "unknown argument 'recipe'"),
        ("1: 2", "unknown argument 1"),
        ("mechanisms: [sympathy]", "mechanisms: choose from emotional_reactions, interpretations, explorations; got"),
        ("mechanisms: [sympathy]", "sympathy"),
        ("mechanisms: []", "mechanisms: choose from"),
        ("mechanisms: [1]", "mechanisms: expected a list of texts, got [1]"),
        ("mechanisms: null", "mechanisms: expected a list of texts, got None"),
        ("unannotated: some", "unannotated: choose from none, ignore, all, original; got 'some'"),
        ("learning_rate: fast", "learning_rate: expected a number, got 'fast'"),
        ("head_learning_rate: true", "head_learning_rate: expected a number or null, got True"),
        ("lr: fast", "lr: expected a number, got 'fast'"),
        ("lr: null", "lr: expected a number, got None"),
        ("seed: 1.5", "seed: expected a whole number, got 1.5"),
        # In Python True is an int.
        ("seed: true", "seed: expected a whole number, got True"),
        ("strict: maybe", "strict: expected true or false, got 'maybe'"),
        # YAML 1.1: no is false.
        ("save_strategy: no", "save_strategy: expected text (yes and no in quotes), got False"),
        ("output_dir: 2026-11-24", "output_dir: expected text"),
        # YAML makes dates of what looks like one, and fails on this one itself.
        ("learning_rate: 2024-13-45", "month must be in 1..12"),
        ("lr_scheduler_kwargs: 1", "lr_scheduler_kwargs: expected text"),
        ("just words", "expected names and values"),
        ("{", "run.yaml"),
    ],
)
def test_a_wrong_file_is_refused_by_its_name_the_arguments_and_the_value(tmp_path, capsys, text, message):
    path = tmp_path / "run.yaml"
    path.write_text(text)
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(["--config", str(path)])
    assert stopped.value.code == 2
    error = capsys.readouterr().err
    assert f"--config {path}: " in error and message in error


def test_what_transformers_checks_in_a_file_stops_in_the_same_manner(tmp_path, capsys):
    (tmp_path / "run.yaml").write_text("optim: guesswork")
    with pytest.raises(SystemExit) as stopped:
        parse_arguments(["--config", str(tmp_path / "run.yaml")])
    assert stopped.value.code == 2
    assert "guesswork is not a valid" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("learning_rate: 1e-4", "learning_rate", 1e-4),
        ("weight_decay: 0", "weight_decay", 0.0),
        ("learning-rate: 0.5", "learning_rate", 0.5),
        ("head_learning_rate: null", "head_learning_rate", None),
        ("eval_steps: 5", "eval_steps", 5.0),
        ("label_names: empathy_labels", "label_names", ["empathy_labels"]),
        ("lr_scheduler_kwargs: {num_cycles: 2}", "lr_scheduler_kwargs", {"num_cycles": 2}),
        ("lr_scheduler_type: cosine", "lr_scheduler_type", "cosine"),
        ("epochs: 2", "num_train_epochs", 2.0),
        ("batch_size: 8", "per_device_eval_batch_size", 8),
        ("do_test: true", "do_predict", True),
        ("{}", "seed", 12),
    ],
)
def test_what_a_file_says_has_its_fields_type(tmp_path, text, name, value):
    (tmp_path / "run.yaml").write_text(text)
    read = getattr(parse_arguments(["--config", str(tmp_path / "run.yaml")])[2], name)
    # Of a scheduler transformers makes an enumeration whose members equal their texts.
    assert read == value and (type(read) is type(value) or name == "lr_scheduler_type")


def test_the_command_line_wins_even_with_what_is_the_default(tmp_path):
    (tmp_path / "run.yaml").write_text("lr: 1e-3\nseed: 3\nsave_model: false\nlearning_rate: 1e-2\n")
    file = ["--config", str(tmp_path / "run.yaml")]
    training_args = parse_arguments(file)[2]
    assert (training_args.learning_rate, training_args.head_learning_rate) == (1e-2, 1e-3), "the later line wins"
    assert (training_args.seed, training_args.save_model) == (3, False)
    training_args = parse_arguments([*file, "--seed=12", "--save_model", "--lr", "2e-5"])[2]
    assert (training_args.learning_rate, training_args.head_learning_rate) == (2e-5, 2e-5)
    assert (training_args.seed, training_args.save_model) == (12, True)
    (tmp_path / "run.yaml").write_text("train_on_everything: true\neval_strategy: epoch\n")
    assert parse_arguments(file)[2].eval_strategy == "no", "what is implied wins over the file"
    assert parse_arguments([*file, "--eval_strategy", "steps"])[2].eval_strategy == "steps"


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
    # However argparse wraps its lines.
    text = " ".join(capsys.readouterr().out.split())
    assert stopped.value.code == 0
    choices = "--unannotated {none,ignore,all,original}"
    for expected in (
        "--encoder",
        "--config FILE",
        choices,
        "(default: roberta-base)",
        "--recipe {embedded,original,roberta-base,separate} A recipe that comes with the package",
    ):
        assert expected in text


@pytest.mark.parametrize("recipe", sorted(path.stem for path in RECIPES.glob("*.yaml")))
def test_every_recipe_can_be_read(recipe):
    assert parse_arguments(["--recipe", recipe])[0].encoder
