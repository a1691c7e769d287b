"""The harness of accuracy: runs that are not run twice, tables of what is finished."""

import json
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import datasets
import numpy as np
import pytest

from benchmarks import accuracy
from benchmarks.accuracy import compare, is_finished, markdown, parse_command_line, run_missing, runs_of
from modeling_empathy import MECHANISMS, EmpathyConfig, EmpathyModel
from modeling_empathy.encoders import EMBEDDED, load_tokenizer
from modeling_empathy.errors import InputError
from modeling_empathy.training.parsing import parse_arguments
from tests.evaluation.random_predictions import by_metrics_py, random_predictions
from tests.tiny_models import tiny_encoder_config


def command_line(folder: Path, *more: str) -> list[str]:
    return ["--recipes", "original", "embedded", "--output_dir", str(folder), "--bootstrap", "50", *more]


def asked(folder: Path, *more: str) -> list[accuracy.Run]:
    return runs_of(*parse_command_line(command_line(folder, *more)))


def finish(run: accuracy.Run, right: float = 0.5, pairs: int = 30) -> None:
    """Writes what a training run leaves behind, separate models as theirs do."""
    model_args, data_args, training_args = parse_arguments(run.options)
    rows = {
        name: random_predictions(pairs, seed=run.seed + 100 * index, right=right)
        for index, name in enumerate(MECHANISMS)
    }
    test = {f"{name}_{metric}": value for name in rows for metric, value in by_metrics_py(rows[name]).items()}
    arguments = {"model": asdict(model_args), "data": asdict(data_args), "training": training_args.to_dict()}
    folders = [[name] for name in MECHANISMS] if model_args.separate_models else [list(MECHANISMS)]
    for mechanisms in folders:
        folder = run.folder / mechanisms[0] if model_args.separate_models else run.folder
        folder.mkdir(parents=True, exist_ok=True)
        # Two responses to each seeker post, whose ids differ from salt to salt.
        ids = [{"sp_id": f"{run.salt} {index // 2}", "rp_id": str(index)} for index in range(pairs)]
        predictions = [pair | {name: rows[name][index] for name in mechanisms} for index, pair in enumerate(ids)]
        datasets.Dataset.from_list(predictions).to_parquet(folder / accuracy.PREDICTIONS)
    content = {"metrics": {"test": test}, "arguments": arguments}
    (run.folder / "metrics.json").write_text(json.dumps(content, default=str))


def test_runs_have_their_folders_and_options(tmp_path):
    more = ["--salts", "", "1", "--seeds", "12", "13", "--data_dir", "csvs"]
    runs = asked(tmp_path, *more, "--options", "original:--max_length=128", "--", "--encoder", "embedded")
    assert len({run.folder for run in runs}) == len(runs) == 8
    run = next(run for run in runs if (run.recipe, run.salt, run.seed) == ("original", "1", 13))
    assert run.folder == tmp_path / "original" / "salt-1" / "seed-13"
    model_args, data_args, training_args = parse_arguments(run.options)
    assert model_args.encoder == "embedded" and model_args.separate_models
    assert (data_args.salt, data_args.data_dir, data_args.max_length) == ("1", "csvs", 128)
    assert (training_args.seed, training_args.output_dir) == (13, str(run.folder))
    assert all("--max_length=128" not in run.options for run in runs if run.recipe == "embedded")


@pytest.mark.parametrize(
    "more", [["--baseline", "x"], ["--options", "x:--seed=1"], ["--salts", "a/b"], ["--recipes", "a", "b/a.yaml"]]
)
def test_what_can_not_be_meant_is_refused(tmp_path, more):
    with pytest.raises(SystemExit):
        parse_command_line(command_line(tmp_path, *more))


@pytest.fixture
def commands(monkeypatch) -> list[list[str]]:
    """The training runs that were started; each ends at once, those of seed 13 in an error."""
    started: list[list[str]] = []

    def run(command, stdout, stderr):
        started.append(command)
        values = {part.partition("=")[0]: part.partition("=")[2] for part in command}
        options = tuple(part for part in command[2:] if "resume" not in part)
        folder = Path(values["--output_dir"])
        if values["--seed"] == "13":
            print("ValueError: something is wrong", file=stdout, flush=True)
            return SimpleNamespace(returncode=1)
        finish(accuracy.Run(folder.parts[-3], values["--salt"], int(values["--seed"]), folder, options))
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(accuracy, "subprocess", SimpleNamespace(run=run, STDOUT=subprocess.STDOUT))
    return started


def test_only_what_is_missing_is_run_and_what_was_cut_off_goes_on(tmp_path, commands):
    runs = asked(tmp_path, "--salts", "", "1", "--seeds", "12")
    finish(runs[0])
    # What a run leaves that was cut off.
    (tmp_path / "embedded" / "salt-" / "seed-12" / "checkpoint-5").mkdir(parents=True)
    assert run_missing(runs) == []
    assert [command[2:-1] for command in commands[:1]] == [list(runs[1].options)]
    assert commands[0][-1] == "--resume_from_checkpoint=last"
    assert [command[2:] for command in commands[1:]] == [list(run.options) for run in runs[2:]]
    assert run_missing(runs) == [] and len(commands) == 3
    log = tmp_path / "original" / "salt-1" / "seed-12.log"
    assert "train_hf.py" in log.read_text()


def test_a_run_without_its_predictions_is_not_finished(tmp_path):
    for run in asked(tmp_path, "--seeds", "12"):
        finish(run)
        assert is_finished(run.folder)
        next(iter(run.folder.rglob(accuracy.PREDICTIONS))).unlink()
        assert not is_finished(run.folder)


def test_a_failed_run_stops_no_other_and_shows_in_the_exit_code(tmp_path, commands, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["accuracy.py", *command_line(tmp_path, "--seeds", "13", "12")])
    with pytest.raises(SystemExit) as error:
        accuracy.main()
    assert len(commands) == 4 and "2 of 4 runs failed: original, salt '', seed 13; embedded" in str(error.value)
    assert "ValueError: something is wrong" in capsys.readouterr().err
    content = json.loads((tmp_path / "accuracy.json").read_text())
    assert [(run["recipe"], run["seed"]) for run in content["runs"]] == [("original", 12), ("embedded", 12)]
    text = (tmp_path / "accuracy.md").read_text()
    assert "embedded, salt '', seed 13: not finished" in text
    assert content["command"] in text and "--seeds 13 12" in content["command"]


def test_a_finished_run_of_other_arguments_is_not_taken_for_this_one(tmp_path, commands):
    for run in asked(tmp_path, "--seeds", "12"):
        finish(run)
    with pytest.raises(InputError, match=r"num_train_epochs was 6\.0 and is 2\.0 now.*name another --output_dir"):
        run_missing(asked(tmp_path, "--seeds", "12", "--options", "embedded:--num_train_epochs=2"))
    assert commands == []


# Reports


def test_recipes_are_compared_over_the_salts_that_both_have(tmp_path):
    runs = asked(tmp_path, "--salts", "", "1", "--seeds", "12", "13")
    for run in runs:
        if run.recipe == "original" and run.salt == "":
            finish(run, right=0.3)
        elif run.recipe == "embedded" and (run.salt, run.seed) != ("1", 13):
            finish(run, right=0.9)
    content = compare(runs, "original", 100, None)
    assert len(content["runs"]) == 5
    assert content["differences"]["embedded"]["salts"] == [""]
    difference = content["differences"]["embedded"]["estimates"]["mean_macro_f1"]
    usual = [run for run in content["runs"] if run["salt"] == ""]
    macro_f1 = {
        recipe: [run["metrics"]["mean_macro_f1"] for run in usual if run["recipe"] == recipe]
        for recipe in ("original", "embedded")
    }
    assert len(macro_f1["original"]) == len(macro_f1["embedded"]) == 2
    assert difference["value"] == pytest.approx(np.mean(macro_f1["embedded"]) - np.mean(macro_f1["original"]))
    assert 0 < difference["low"] < difference["value"] < difference["high"]
    text = markdown(content | {"command": "python"})
    assert "| embedded | 3 | `''`, `'1'` | 12, 13 |" in text
    assert f"{difference['value']:+.3f}".replace("0.", ".") in text and "embedded - original (salts '')" in text
    assert text.count("| mean | original |") == 2  # levels and rationales
    # These recipes cut responses elsewhere, and the fake runs have no model.
    assert "original: roberta-base, 64 tokens; embedded: embedded, 128 tokens" in text
    assert text.count("no model in") == 5 and "The original's definitions" not in text


def test_salts_weigh_alike_however_many_seeds_they_have(tmp_path):
    runs = asked(tmp_path, "--salts", "", "1", "--seeds", "12", "13")
    for run in runs[1:4:2] + runs[5:6]:
        assert run.recipe == "embedded"
        finish(run)
    content = compare(runs, "embedded", 10, None)
    values = {(run["salt"], run["seed"]): run["metrics"]["explorations_accuracy"] for run in content["runs"]}
    assert len(values) == 3
    # The mean of the salts' means, not of the three runs.
    expected = ((values["", 12] + values["", 13]) / 2 + values["1", 12]) / 2
    assert content["estimates"]["embedded"]["explorations_accuracy"]["value"] == pytest.approx(expected)
    assert content["differences"] == {}


def test_values_that_metrics_json_does_not_have_are_remarked(tmp_path):
    [run] = asked(tmp_path, "--recipes", "embedded", "--seeds", "12")
    finish(run)
    assert not any("metrics.json" in remark for remark in compare([run], "embedded", 5, None)["remarks"])
    content = json.loads((run.folder / "metrics.json").read_text())
    content["metrics"]["test"]["explorations_accuracy"] += 0.01
    (run.folder / "metrics.json").write_text(json.dumps(content))
    remarks = compare([run], "embedded", 5, None)["remarks"]
    assert any(remark.endswith("metrics.json has: explorations_accuracy.") for remark in remarks)


def test_runs_on_other_pairs_are_not_compared(tmp_path):
    runs = asked(tmp_path, "--seeds", "12")
    finish(runs[0])
    finish(runs[1], pairs=20)
    with pytest.raises(InputError, match="its test pairs are not those of the other runs of salt ''"):
        compare(runs, "original", 5, None)
    with pytest.raises(InputError, match="No run is finished"):
        compare(asked(tmp_path / "empty"), "original", 5, None)


def test_predictions_of_an_older_version_are_refused(tmp_path):
    [run] = asked(tmp_path, "--recipes", "embedded", "--seeds", "12")
    finish(run)
    path = run.folder / accuracy.PREDICTIONS
    rows = datasets.Dataset.from_parquet(str(path), cache_dir=str(tmp_path / "cache")).to_list()
    for row in rows:
        # Which older versions did not write.
        for mechanism in MECHANISMS:
            del row[mechanism]["token_mask"]
    datasets.Dataset.from_list(rows).to_parquet(path)
    with pytest.raises(InputError, match="has no token_mask"):
        compare([run], "embedded", 5, None)


def test_a_saved_model_is_measured_by_the_original_definitions_once(tmp_path, monkeypatch):
    runs = asked(tmp_path, "--recipes", "embedded", "--seeds", "12", "--", "--source", "sample")
    finish(runs[0])
    tokenizer = load_tokenizer(EMBEDDED)
    encoder = tiny_encoder_config("bert")
    encoder.vocab_size = len(tokenizer)
    model = EmpathyModel(EmpathyConfig(encoder_config=encoder, max_post_length=64))
    model.save_pretrained(runs[0].folder)
    tokenizer.save_pretrained(runs[0].folder)
    content = compare(runs, "embedded", 5, None)
    metrics = content["original"]["embedded"]
    assert {f"{name}_token_f1" for name in MECHANISMS} < set(metrics)
    assert json.loads((runs[0].folder / "original_definition.json").read_text()) == metrics
    text = markdown(content | {"command": "python"})
    [row] = [line for line in text.partition("The original's definitions")[2].splitlines() if "explorations" in line]
    assert row.split(" | ")[2] == f"{metrics['explorations_accuracy']:.3f}".replace("0.", ".", 1)
    # The second time nothing is computed: what is in the run's folder is read.
    monkeypatch.setattr(accuracy, "evaluate_checkpoint", None)
    assert compare(runs, "embedded", 5, None)["original"]["embedded"] == metrics


def test_the_suite_is_in_a_table_of_the_recipes_that_measured_it(tmp_path):
    measured, other = asked(tmp_path, "--seeds", "12", "14")[::2][:2], asked(tmp_path, "--seeds", "12")[1]
    for run, errors in zip(measured, (0.02, 0.04), strict=True):
        finish(run)
        record = json.loads((run.folder / "metrics.json").read_text())
        families = {"insult": {"accuracy": 0.75}, "spam": {"accuracy": 0.95}}
        record["behaviour"] = {
            "accuracy": 0.9,
            "needs_seeker_post": {"accuracy": 0.8},
            "confident_errors": {"share": errors},
            "direction": {"accuracy": 0.95},
            "invariance": {"typos": 0.85},
            "families": families,
        }
        (run.folder / "metrics.json").write_text(json.dumps(record))
    finish(other)
    content = compare([*measured, other], measured[0].recipe, 10, None)
    assert content["behaviour"][other.recipe] is None
    assert "| original | .900 | .800 | .030 | .750 | 1.000 | .950 | .850 |" in markdown(content | {"command": ""})
    assert "| embedded | .9" not in markdown(content | {"command": ""}).partition("behaviour suite")[2]
