"""The original's arguments: their meaning, their defaults, and what its way of running implies."""

import pytest

from modeling_empathy.training.parsing import parse_arguments


# The original README's three commands for the whole corpus, and the one for the sample, without the script's name.
COMMANDS = {
    "emotional_reactions": ("dataset/emotional-reactions-reddit.csv", "output/reddit_ER.pth"),
    "interpretations": ("dataset/interpretations-reddit.csv", "output/reddit_IP.pth"),
    "explorations": ("dataset/explorations-reddit.csv", "output/reddit_EX.pth"),
}
SAMPLE = ("dataset/sample_input_model_ER.csv", "output/sample_ER.pth")


def original_command(train_path: str, save_model_path: str) -> list[str]:
    return [
        f"--train_path={train_path}",
        "--lr=2e-5",
        "--batch_size=32",
        "--lambda_EI=1.0",
        "--lambda_RE=0.5",
        "--save_model",
        f"--save_model_path={save_model_path}",
    ]


@pytest.mark.parametrize(("mechanism", "paths"), [*COMMANDS.items(), ("emotional_reactions", SAMPLE)])
def test_the_original_readmes_commands_mean_what_they_meant(mechanism, paths):
    model_args, data_args, training_args = parse_arguments(original_command(*paths))
    assert model_args.mechanisms == [mechanism]
    assert (model_args.lambda_EI, model_args.lambda_RE, model_args.head_dropout) == (1.0, 0.5, 0.1)
    assert (data_args.train_path, data_args.max_length) == (paths[0], 64)
    assert training_args.learning_rate == training_args.head_learning_rate == 2e-5
    assert training_args.per_device_train_batch_size == training_args.per_device_eval_batch_size == 32
    assert (training_args.num_train_epochs, training_args.seed) == (4, 12)
    assert training_args.save_model and training_args.output_dir == paths[1].removesuffix(".pth")
    assert not training_args.do_eval and not training_args.do_predict and not training_args.load_best_model_at_end


def test_the_published_recipe_exactly():
    model_args, data_args, training_args = parse_arguments(["--recipe", "original", "--encoder", "embedded"])
    assert model_args.separate_models and not model_args.share_responder_encoder
    assert model_args.freeze_seeker_encoder and model_args.seeker_dropout and model_args.original_tokenization
    assert model_args.attend_to_padding and not model_args.cross_attention_norm
    assert (model_args.level_pooling, model_args.level_weighting) == ("first_token", "none")
    assert (data_args.max_length, data_args.unannotated) == (64, "original")
    assert training_args.optim == "adamw_torch"
    assert (training_args.weight_decay, training_args.adam_epsilon, training_args.max_grad_norm) == (0.0, 1e-8, 1.0)
    assert (training_args.lr_scheduler_type, training_args.warmup_steps) == ("linear", 0)
    assert (training_args.num_train_epochs, training_args.learning_rate) == (4, 2e-5)
    assert training_args.train_sampling_strategy == "random" and not training_args.load_best_model_at_end
    assert not training_args.tune_rationale_thresholds
    assert model_args.encoder == "embedded"


def test_every_argument_of_the_original_has_its_meaning():
    model_args, data_args, training_args = parse_arguments(
        [
            *("--train_path", "my_EX.csv", "--dev_path", "dev.csv", "--test_path", "test.csv"),
            *("--lr", "3e-5", "--dropout", "0.2", "--max_len", "32", "--batch_size", "8", "--epochs", "2"),
            *("--seed_val", "7", "--do_validation", "--do_test", "--lambda_EI", "0.7", "--lambda_RE", "0.1"),
        ]
    )
    assert training_args.learning_rate == training_args.head_learning_rate == 3e-5
    # The original's --dropout is that of the attended response; in the level head there is always 0.1.
    assert (model_args.head_dropout, model_args.level_dropout) == (0.2, 0.1)
    assert (model_args.lambda_EI, model_args.lambda_RE) == (0.7, 0.1)
    assert (data_args.max_length, data_args.dev_path, data_args.test_path) == (32, "dev.csv", "test.csv")
    assert training_args.per_device_train_batch_size == training_args.per_device_eval_batch_size == 8
    assert (training_args.num_train_epochs, training_args.seed) == (2, 7)
    assert training_args.do_eval and training_args.do_predict and not training_args.save_model


def test_another_recipe_or_file_takes_the_place_of_the_published_one(tmp_path, caplog):
    model_args, data_args, _ = parse_arguments(["--train_path", "x_ER.csv", "--recipe", "embedded"])
    assert model_args.encoder == "embedded" and not model_args.attend_to_padding and data_args.max_length == 128
    assert "--recipe original" not in caplog.text
    # The original's names are understood in a file as well.
    (tmp_path / "run.yaml").write_text("max_length: 99\nlr: 1e-3\nmechanisms: [explorations]\n")
    model_args, data_args, training_args = parse_arguments(
        ["--train_path", "x_ER.csv", "--config", str(tmp_path / "run.yaml"), "--recipe", "original"]
    )
    assert data_args.max_length == 99 and training_args.learning_rate == 1e-3 and model_args.attend_to_padding
    assert model_args.mechanisms == ["explorations"], "what is stated outright wins over what a name suggests"
    parse_arguments(["--train_path", "x_ER.csv"])
    assert "--train_path without --recipe: --recipe original, the published recipe." in caplog.messages


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--train_path", "mine.csv"], "--mechanisms"),
        (["--train_path", "x_ER_and_EX.csv"], "--mechanisms"),
        (["--train_path", "x_ER.csv", "--save_model_path", "y_EX.pth"], "disagree; add --mechanisms"),
        (["--train_path", "x_ER.csv", "--do_validation"], "--do_validation needs --dev_path"),
        (["--train_path", "x_ER.csv", "--do_test"], "--do_test needs --test_path"),
        (["--dev_path", "x_ER.csv"], "--dev_path needs --train_path"),
        (["--lr", "fast"], "--lr"),
        (["--recipe", "secret"], "--recipe"),
    ],
)
def test_what_can_not_be_guessed_is_asked_for(argv, message, capsys):
    with pytest.raises(SystemExit):
        parse_arguments(argv)
    assert message in capsys.readouterr().err


def test_a_save_model_path_that_is_no_pth_is_the_folder():
    assert parse_arguments(["--save_model_path", "output/mine"])[2].output_dir == "output/mine"
    given = ["--save_model_path", "output/x.pth", "--output_dir", "elsewhere"]
    assert parse_arguments(given)[2].output_dir == "elsewhere"
