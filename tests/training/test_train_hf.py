"""A training run as its user starts it: what it writes, resuming, two processes, errors."""

import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import datasets
import pytest
import torch
from safetensors.torch import load_file

from dataset_scripts.epitome import load_epitome
from modeling_empathy import MECHANISMS, EmpathyModel, EmpathyPipeline
from modeling_empathy.cli.train import train_and_print
from modeling_empathy.corpus.preparation import prepare_file
from modeling_empathy.errors import InputError
from modeling_empathy.evaluation.evaluate import evaluate_behaviour, evaluate_checkpoint
from modeling_empathy.evaluation.metrics import identification_metrics
from modeling_empathy.hub.run_record import read_record
from modeling_empathy.training.data import read_corpus
from modeling_empathy.training.parsing import parse_arguments
from tests.csv_files import write_corpus
from tests.evaluation.pages import Page
from tests.tiny_models import save_tiny_encoder
from tests.tokenizers_for_tests import wordpiece_tokenizer


REPOSITORY = Path(__file__).parents[2]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> dict[str, str]:
    """A tiny encoder with its tokenizer, and a corpus of 90 pairs."""
    folder = tmp_path_factory.mktemp("inputs")
    save_tiny_encoder(folder / "encoder")
    (folder / "csv").mkdir()
    write_corpus(folder / "csv", pairs=90)
    return {"encoder": str(folder / "encoder"), "data_dir": str(folder / "csv")}


def options(inputs: dict[str, str], output_dir: Path, **more: object) -> list[str]:
    values = {
        **inputs,
        "output_dir": output_dir,
        "num_train_epochs": 2,
        "per_device_train_batch_size": 16,
        "learning_rate": 1e-3,
        "head_learning_rate": 1e-2,
        "disable_tqdm": True,
        "use_cpu": True,
        **more,
    }
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def run(argv: list[str]) -> dict[str, float]:
    model_args, data_args, training_args = parse_arguments(argv)
    corpus = load_epitome(data_dir=data_args.data_dir)
    return train_and_print(corpus, model_args, data_args, training_args).test


def suite_of_tests() -> datasets.Dataset:
    return load_epitome(source="contrast")["test"]


def predictions_in(folder: Path) -> datasets.Dataset:
    return datasets.Dataset.from_parquet(str(folder / "test_predictions.parquet"), keep_in_memory=True)


def test_a_run_leaves_model_metrics_predictions_and_plots(inputs, tmp_path, capsys):
    test_metrics = run(options(inputs, tmp_path / "out", num_train_epochs=12, measured_rationales=4))
    printed = capsys.readouterr().out
    metrics = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert metrics["metrics"]["test"].items() >= test_metrics.items()
    assert metrics["arguments"]["training"]["seed"] == 12 and metrics["versions"]["torch"] == torch.__version__
    assert json.loads((tmp_path / "out" / "config.json").read_text())["window_stride"] == 32

    assert metrics["data"]["provenance"]["name"] == "other" and metrics["data"]["pairs"]["train"] > 30
    card = (tmp_path / "out" / "README.md").read_text()
    assert f"| explorations | {test_metrics['explorations_accuracy']:.3f} |" in card

    rows = predictions_in(tmp_path / "out")
    corpus = load_epitome(data_dir=inputs["data_dir"])
    assert rows["rp_id"] == corpus["test"]["rp_id"] and len(rows) > 5
    for mechanism in MECHANISMS:
        assert [row["annotated_level"] for row in rows[mechanism]] == [
            row["level"] for row in corpus["test"][mechanism]
        ]
        again = identification_metrics(
            [row["level"] for row in rows[mechanism]], [row["annotated_level"] for row in rows[mechanism]]
        )
        assert again["macro_f1"] == pytest.approx(test_metrics[f"{mechanism}_macro_f1"])
        assert f"{again['accuracy']:.3f}" in printed
        assert (tmp_path / "out" / f"confusion_{mechanism}.png").read_bytes()[:4] == b"\x89PNG"
    for name in ("loss_curve.png", "reliability.png"):
        assert (tmp_path / "out" / name).read_bytes()[:4] == b"\x89PNG"
    for mechanism in MECHANISMS:
        assert metrics["calibration"][mechanism]["ece_before"] > 0
        assert 0 < metrics["faithfulness"][mechanism]["faithfulness_responses"] <= 4
        as_it_is = metrics["context_use"][mechanism]["accuracy"]
        assert as_it_is == pytest.approx(test_metrics[f"{mechanism}_accuracy"])
    assert "compr., random" in printed and "levels changed, shuffled" in printed
    behaviour = metrics["behaviour"]
    again = evaluate_behaviour(
        EmpathyModel.from_pretrained(tmp_path / "out"), wordpiece_tokenizer(), suite_of_tests(), MECHANISMS
    )
    assert {name: family["cells"] for name, family in behaviour["families"].items()} == {
        name: 3 * count for name, count in Counter(suite_of_tests()["family"]).items()
    }
    # Other batches round otherwise: a level that hardly wins may lose.
    assert behaviour["right"] == pytest.approx(again["right"], abs=3)
    share = f"{behaviour['accuracy']:.3f} ({behaviour['right']} of {behaviour['cells']})"
    assert (
        f"| cells right | {share} |" in card
        and f"| cells right | {share} |" in printed
        and "Families below .8" in printed
    )
    spans = [(row, span) for mechanism in MECHANISMS for row in rows for span in row[mechanism]["rationales"]]
    assert all(row["response_post"][span["start"] : span["end"]] == span["text"] for row, span in spans)
    # Standard output is no terminal here, so rationales are in brackets and not in colour.
    assert spans and "[[" in printed

    for mechanism, counts in metrics["confusion"].items():
        assert sum(map(sum, counts)) == len(rows)
        right = sum(counts[level][level] for level in range(3))
        assert right / len(rows) == pytest.approx(test_metrics[f"{mechanism}_accuracy"])
    page = Page((tmp_path / "out" / "report.html").read_text()).words
    for mechanism, name in itertools.product(MECHANISMS, ("accuracy", "macro_f1", "annotated_token_f1_macro")):
        assert f"{test_metrics[f'{mechanism}_{name}']:.3f} (" in page, (mechanism, name)
    original = metrics["metrics"]["test_original"]
    assert all(f"{original[f'{mechanism}_macro_f1']:.3f}" in page for mechanism in MECHANISMS)
    assert "This page holds texts that people wrote" in page and "not measured" not in page
    assert str(tmp_path) not in page, "nothing of the machine"
    pickled = [path.name for path in (tmp_path / "out").iterdir() if path.suffix in (".bin", ".pt", ".pth", ".pkl")]
    assert not pickled
    scorer = EmpathyPipeline.from_pretrained(tmp_path / "out")
    for row in rows:
        scored = scorer((row["seeker_post"], row["response_post"]))
        for mechanism in MECHANISMS:
            assert scored[mechanism]["level"] == row[mechanism]["level"]
            assert scored[mechanism]["score"] == pytest.approx(row[mechanism]["score"], abs=1e-4)
            scored_spans, spans = (
                [(span["start"], span["end"]) for span in result[mechanism]["rationales"]] for result in (scored, row)
            )
            assert scored_spans == spans


def test_a_model_of_everything_decides_as_its_twin_and_reports_its_figures(inputs, tmp_path):
    twin = run(options(inputs, tmp_path / "twin", freeze_embeddings=True, measured_rationales=0))
    # Two steps: what is asked is what it reads and takes over, not how good it is.
    argv = options(inputs, tmp_path / "all", train_on_everything=True, decisions_of=tmp_path / "twin", max_steps=2)
    arguments = parse_arguments(argv)
    corpus = read_corpus(*arguments[:2], True, True)
    assert list(corpus) == ["train"] and len(corpus["train"]) == 90
    assert train_and_print(corpus, *arguments).test == {}
    models = [EmpathyModel.from_pretrained(tmp_path / name) for name in ("twin", "all")]
    for name in ("level_temperatures", "rationale_thresholds"):
        assert getattr(models[0].config, name) == getattr(models[1].config, name)
    assert models[0].config.level_temperatures != [1.0] * 3
    record = read_record(tmp_path / "all")
    assert record.pairs == {"train": 90} and not record.test
    assert record.measured.test["macro_f1"] == twin["macro_f1"]
    assert "behaviour" not in json.loads((tmp_path / "twin" / "metrics.json").read_text()), "measured_rationales is 0"
    page = Page((tmp_path / "all" / "report.html").read_text()).words
    assert "the report of its twin" in page and "Nothing was measured on pairs" in page
    page = Page((tmp_path / "twin" / "report.html").read_text()).words
    assert "Faithfulness: not measured. Train with --measured_rationales" in page
    card = (tmp_path / "all" / "README.md").read_text()
    assert "its twin" in " ".join(card.split()) and f"| explorations | {twin['explorations_accuracy']:.3f} |" in card

    start = EmpathyModel.from_encoder(inputs["encoder"])
    # The twin froze the embeddings of words; the other trained them.
    words = [model.responder_encoders[0].get_input_embeddings().weight for model in (start, *models)]
    assert words[0].equal(words[1]) and not words[0].equal(words[2])

    with pytest.raises(InputError, match=r"rationale_unit is 'clause', and this model's 'token'"):
        run(options(inputs, tmp_path / "no", decisions_of=tmp_path / "twin", rationale_unit="token"))
    with pytest.raises(InputError, match=r"config\.json"):
        run(options(inputs, tmp_path / "no", decisions_of=tmp_path / "nowhere"))
    assert not (tmp_path / "no" / "metrics.json").exists()


def test_development_leaves_the_test_split_alone(inputs, tmp_path):
    whole = load_epitome(data_dir=inputs["data_dir"])
    arguments = parse_arguments(options(inputs, tmp_path / "out", development=True))
    corpus = read_corpus(*arguments[:2], True, True)
    train, held_out = (set(corpus[split]["sp_id"]) for split in ("train", "test"))
    assert held_out and train and not train & held_out
    assert train | held_out == set(whole["train"]["sp_id"])
    assert corpus["validation"]["rp_id"] == whole["validation"]["rp_id"]


def test_resuming_ends_where_an_uninterrupted_run_ends(inputs, tmp_path):
    # Keeping five, so that the first checkpoint is still there to go on from.
    keep = {"save_total_limit": 5, "load_best_model_at_end": False}
    run(options(inputs, tmp_path / "newest", load_best_model_at_end=False, num_train_epochs=3))
    assert [path.name for path in (tmp_path / "newest").glob("checkpoint-*")] == ["checkpoint-15"]
    run(options(inputs, tmp_path / "whole", **keep))
    checkpoints = sorted((tmp_path / "whole").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    assert len(checkpoints) == 2
    # As if the run had been cut off after its first epoch.
    (tmp_path / "resumed").mkdir()
    checkpoints[0].rename(tmp_path / "resumed" / checkpoints[0].name)
    run(options(inputs, tmp_path / "resumed", resume_from_checkpoint="last", **keep))
    # safetensors writes for its owner alone, whatever the umask says.
    modes = {path.stat().st_mode for path in (tmp_path / "resumed").rglob("*") if path.is_file()}
    assert len(modes) == 1
    whole, resumed = (load_file(tmp_path / name / "model.safetensors") for name in ("whole", "resumed"))
    for name, weight in whole.items():
        assert resumed[name].equal(weight), name
    with pytest.raises(ValueError, match=r"no whole checkpoint in .*absent"):
        run(options(inputs, tmp_path / "absent", resume_from_checkpoint="last"))


def test_one_mechanism_with_its_own_responder_and_the_published_architecture(inputs, tmp_path):
    published = {
        "mechanisms": "explorations",
        "share_responder_encoder": False,
        "cross_attention_norm": False,
        "level_pooling": "first_token",
        "level_weighting": "none",
        "attend_to_padding": True,
        "unannotated": "all",
        "num_train_epochs": 1,
    }
    metrics = run(options(inputs, tmp_path / "out", **published))
    assert {name.rsplit("_accuracy")[0] for name in metrics if name.endswith("_accuracy")} == {"explorations"}
    rows = predictions_in(tmp_path / "out")
    assert list(rows.features)[-1] == "explorations"
    annotated = sum(row["annotated_level"] > 0 for row in rows["explorations"])
    assert 0 < metrics["explorations_annotated_instances"] == annotated, "the heuristic is one of training alone"


def train_hf(launcher: list[str], argv: list[str], cwd: Path) -> subprocess.CompletedProcess:
    # One thread each: two processes with two threads on two cores wait for each other.
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, *launcher, str(REPOSITORY / "train_hf.py"), *argv]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)


def test_two_processes_evaluate_every_example_exactly_once(inputs, tmp_path):
    # Without a learning rate both runs have the same model, so whatever differs comes from the evaluation.
    still = {"learning_rate": 0, "head_learning_rate": 0, "num_train_epochs": 1, "per_device_eval_batch_size": 4}
    run(options(inputs, tmp_path / "one", **still))
    config = str(REPOSITORY / "examples" / "accelerate" / "two_cpu_processes.yaml")
    launcher = ["-m", "accelerate.commands.launch", "--config_file", config]
    done = train_hf(launcher, options(inputs, tmp_path / "two", **still), tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.count("Held-out test split") == 1
    single, paired = (predictions_in(tmp_path / name) for name in ("one", "two"))
    assert len(single) % 8 != 0, "the last batch must be uneven, or nothing is tested"
    assert single["rp_id"] == paired["rp_id"]
    for mechanism in MECHANISMS:
        expected, probabilities = (
            torch.tensor([row["level_probabilities"] for row in rows[mechanism]]) for rows in (single, paired)
        )
        torch.testing.assert_close(probabilities, expected)
    scores = [json.loads((tmp_path / name / "metrics.json").read_text())["metrics"] for name in ("one", "two")]
    # What ranks or cuts token scores is left out: an untrained model's are so close that rounding decides.
    suffixes = ("accuracy", "macro_f1", "f1_no", "f1_weak", "f1_strong", "kappa", "instances")
    for split in ("validation", "test"):
        compared = [
            name for name in scores[0][split] if name.endswith(suffixes) and not ("token" in name or "iou" in name)
        ]
        assert len(compared) >= 3 * len(suffixes)
        for name in compared:
            assert scores[1][split][name] == pytest.approx(scores[0][split][name], abs=1e-6), name


def test_a_wrong_corpus_is_one_line_of_error(inputs, tmp_path):
    done = train_hf([], options({**inputs, "data_dir": str(tmp_path)}, tmp_path / "out"), tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "expected one file emotional-reactions-*.csv, found 0" in done.stderr
    assert not (tmp_path / "out").exists()


def test_the_published_recipe_trains_a_model_for_each_mechanism_and_joins_them(inputs, tmp_path, capsys):
    argv = options(inputs, tmp_path / "out", recipe="original", num_train_epochs=1, max_length=32)
    metrics = run([*argv, "--save_model"])
    printed = capsys.readouterr().out
    folder = tmp_path / "out"
    joined = EmpathyModel.from_pretrained(folder)
    assert joined.config.mechanisms == list(MECHANISMS) and not joined.config.share_responder_encoder
    assert joined.config.attend_to_padding and joined.config.max_post_length == 32
    assert joined.config.window_stride is None, "a window would see other padding"
    scorer = EmpathyPipeline.from_pretrained(folder)
    pair = ("I feel low", "I am SO sorry. What happened?")
    together = scorer(pair)
    for mechanism in MECHANISMS:
        alone = EmpathyPipeline.from_pretrained(folder / mechanism)
        assert alone.model.config.mechanisms == [mechanism]
        assert alone(pair)[mechanism]["score"] == pytest.approx(together[mechanism]["score"], abs=1e-6)
        assert f"| {mechanism.replace('_', ' ')} |" in printed
        assert metrics[f"{mechanism}_accuracy"] == predicted_accuracy(folder / mechanism, mechanism)
    saved = json.loads((folder / "metrics.json").read_text())["metrics"]["test"]
    assert saved.items() >= metrics.items() and saved["macro_f1"] == pytest.approx(metrics["macro_f1"])
    page = Page((folder / "report.html").read_text()).words
    for mechanism in MECHANISMS:
        assert f"{metrics[f'{mechanism}_accuracy']:.3f} (" in page and f"{mechanism}/report.html" in page
        alone = Page((folder / mechanism / "report.html").read_text()).words
        assert "mean training loss" in alone and f"{metrics[f'{mechanism}_accuracy']:.3f} (" in alone


def predicted_accuracy(folder: Path, mechanism: str) -> float:
    rows = predictions_in(folder)[mechanism]
    return sum(row["level"] == row["annotated_level"] for row in rows) / len(rows)


def test_evaluating_a_checkpoint_gives_the_metrics_of_its_run(inputs, tmp_path):
    expected = run(options(inputs, tmp_path / "out", num_train_epochs=6))
    model, tokenizer = EmpathyModel.from_pretrained(tmp_path / "out"), wordpiece_tokenizer()
    test = load_epitome(data_dir=inputs["data_dir"])["test"]
    for mechanisms in (list(MECHANISMS), ["explorations"]):
        results = evaluate_checkpoint(model, tokenizer, test, mechanisms, batch_size=5, show_progress=False).metrics
        metrics = results["corrected"]
        compared = [name for name in metrics if name.startswith(mechanisms[0])]
        assert len(compared) > 20
        for name in compared:
            # Other batches round otherwise: a token score close to a threshold or to another may change sides.
            rounded = 0.02 if "token" in name or "iou" in name else 1e-6
            assert metrics[name] == pytest.approx(expected[name], abs=rounded), name


def test_the_originals_commands_with_only_the_scripts_name_changed(inputs, tmp_path):
    """In a folder with a `roberta-base`, as the name would resolve on the Hub."""
    (tmp_path / "roberta-base").symlink_to(inputs["encoder"])
    (tmp_path / "dataset").symlink_to(inputs["data_dir"])
    common = ["--lr=2e-5", "--batch_size=32", "--lambda_EI=1.0", "--lambda_RE=0.5", "--save_model", "--use_cpu"]
    common += ["--epochs", "1"]
    files = ["--train_path=dataset/explorations-test.csv", "--save_model_path=output/reddit_EX.pth"]
    evaluated = ["--do_validation", "--dev_path", "dataset/explorations-test.csv"]
    done = train_hf([], [*files, *common, *evaluated], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "--save_model_path output/reddit_EX.pth: no pickle is written" in done.stdout
    assert "empathy convert --reverse --model output/reddit_EX" in done.stdout
    folder = tmp_path / "output" / "reddit_EX"
    model = EmpathyModel.from_pretrained(folder)
    assert model.config.mechanisms == ["explorations"] and model.config.lambda_EI == 1.0
    written = json.loads((folder / "metrics.json").read_text())
    assert set(written["metrics"]) == {"validation"}
    assert written["metrics"]["validation"]["explorations_annotated_instances"] == 60

    # Without --save_model nothing is saved, as there; and it is said.
    done = train_hf([], [files[0], "--epochs=1", "--use_cpu"], tmp_path)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "--train_path without --recipe: --recipe original, the published recipe." in done.stderr
    assert "will not be saved" in done.stderr and "was not saved" in done.stdout
    assert not list((tmp_path / "output").glob("*.safetensors"))

    prepared = tmp_path / "prepared_EX.csv"
    prepare_file(tmp_path / "dataset" / "explorations-test.csv", prepared, inputs["encoder"])
    done = train_hf([], [f"--train_path={prepared}", "--epochs=1", "--use_cpu", "--max_len", "32"], tmp_path)
    assert done.returncode == 2
    assert "expected 32 labels, the maximum length here, found 64" in done.stderr and "Traceback" not in done.stderr
