#!/usr/bin/env python
"""How well recipes do, side by side: each trained on several splits by seeker post and with several seeds.

    python -m benchmarks.accuracy --recipes original embedded --salts "" 1 --seeds 12 13 --data_dir path/to/csvs \\
        --output_dir output/accuracy -- --encoder embedded

What stands behind `--` goes to every run of train_hf.py; `--options original:--encoder=embedded` to one recipe's. A
run's folder is {output_dir}/{recipe}/salt-{salt}/seed-{seed}, its log {folder}.log; what is finished is not run again.
All choices of a run (epoch, thresholds) are made on its validation split; its test predictions are read here once it
has ended, and nothing is chosen by them.

A figure is the mean over a salt's seeds, then over salts. Its 95 % interval resamples seeker posts, the same for all
recipes and seeds; it does not hold how much training with other seeds would differ: accuracy.json has every run.
"""

from __future__ import annotations

import argparse
import json
import shlex
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from tqdm.auto import tqdm

from benchmarks.accuracy_tables import markdown
from modeling_empathy.checkpoints.loading import load_checkpoint, resolve_device
from modeling_empathy.errors import InputError
from modeling_empathy.evaluation.behaviour import weak_families
from modeling_empathy.evaluation.evaluate import evaluate_checkpoint
from modeling_empathy.evaluation.intervals import (
    Estimate,
    Values,
    estimates,
    mean_of,
    resampled_weights,
    scores_of,
    values_of,
)
from modeling_empathy.files.whole_files import write_whole
from modeling_empathy.model.mechanisms import IDS
from modeling_empathy.training.arguments import DataArguments, ModelArguments
from modeling_empathy.training.data import read_corpus
from modeling_empathy.training.parsing import RECIPES, parse_arguments


TRAINING = Path(__file__).parents[1] / "train_hf.py"
PREDICTIONS = "test_predictions.parquet"
# What may differ between runs of one recipe, and where it ran.
_FREE = {"salt", "seed", "output_dir", "resume_from_checkpoint", "data_dir", "data_cache_dir"}
_FREE |= {"hub_token", "disable_tqdm", "report_to", "run_name"}


@dataclass(frozen=True)
class Run:
    """One training run: of a recipe, on the splits of a salt, with a seed."""

    recipe: str
    salt: str
    seed: int
    folder: Path
    options: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.recipe}, salt {self.salt!r}, seed {self.seed}"


def main() -> None:
    args, options = parse_command_line(sys.argv[1:])
    runs = runs_of(args, options)
    failed = [] if args.only_report else run_missing(runs)
    content = {"command": shlex.join(["python", "-m", "benchmarks.accuracy", *sys.argv[1:]])}
    content |= compare(runs, args.baseline, args.bootstrap, args.data_dir)
    json_text, text = json.dumps(content, indent=2, ensure_ascii=False) + "\n", markdown(content)
    write_whole(args.output_dir / "accuracy.json", lambda path: path.write_text(json_text, encoding="utf-8"))
    write_whole(args.output_dir / "accuracy.md", lambda path: path.write_text(text, encoding="utf-8"))
    print(f"{text}\nWritten to {args.output_dir}")
    if failed:
        sys.exit(f"{len(failed)} of {len(runs)} runs failed: {'; '.join(map(str, failed))}")


def parse_command_line(argv: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our own arguments, and behind `--` those of every run."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--recipes", nargs="+", required=True, help="names of recipes in the package, or YAML files")
    parser.add_argument("--salts", nargs="+", default=[""], help="of the split rule; '' is the usual split")
    parser.add_argument("--seeds", nargs="+", type=int, default=[12, 13, 14])
    parser.add_argument("--data_dir", help="folder of the corpus; else as train_hf.py finds it")
    parser.add_argument("--output_dir", type=Path, default=Path("output/accuracy"))
    parser.add_argument("--baseline", help="the recipe that others are compared with (default: the first)")
    parser.add_argument("--bootstrap", type=int, default=2000, help="resamples (default: %(default)s)")
    parser.add_argument(
        "--options", nargs="+", default=[], metavar="RECIPE:OPTION", help="for one recipe: original:--max_length=128"
    )
    parser.add_argument("--only_report", action="store_true", help="train nothing, compare what is finished")
    cut = argv.index("--") if "--" in argv else len(argv)
    args = parser.parse_args(argv[:cut])
    names = [Path(recipe).stem for recipe in args.recipes]
    args.baseline = args.baseline or names[0]
    if len(set(names)) < len(names):
        parser.error(f"--recipes {' '.join(args.recipes)}: two have the same name, that of a folder")
    if unknown := {args.baseline, *(option.partition(":")[0] for option in args.options)} - set(names):
        parser.error(f"--baseline, --options: {', '.join(sorted(unknown))} is none of --recipes ({', '.join(names)})")
    if any("/" in salt for salt in args.salts):
        parser.error("--salts: a salt is part of a folder's name here and can have no slash")
    return args, list(argv[cut + 1 :])


def runs_of(args: argparse.Namespace, options: Sequence[str]) -> list[Run]:
    """All runs that were asked for: seed by seed, so that what is finished early compares all recipes."""
    runs = []
    data = [f"--data_dir={args.data_dir}"] if args.data_dir else []
    for seed in args.seeds:
        for salt in args.salts:
            for recipe in args.recipes:
                name = Path(recipe).stem
                path = recipe if recipe.endswith((".yaml", ".yml")) else RECIPES / f"{recipe}.yaml"
                folder = args.output_dir / name / f"salt-{salt}" / f"seed-{seed}"
                for_recipe = [option.partition(":")[2] for option in args.options if option.partition(":")[0] == name]
                fixed = [f"--config={path}", f"--salt={salt}", f"--seed={seed}", f"--output_dir={folder}", *data]
                runs.append(Run(name, salt, seed, folder, (*fixed, *options, *for_recipe)))
    return runs


def run_missing(runs: Sequence[Run]) -> list[Run]:
    """Trains what is not finished, each run in a process of its own; returns what failed.

    Raises:
        InputError: If a finished run was made with other arguments than it would be now.
    """
    for run in runs:
        # Before anything is trained, this also finds mistakes in the recipes and options.
        model_args, data_args, training_args = parse_arguments(run.options)
        asked = {"model": asdict(model_args), "data": asdict(data_args), "training": training_args.to_dict()}
        if is_finished(run.folder):
            _check_settings(run, json.loads(json.dumps(asked, default=str)))
    failed = []
    with tqdm(runs, desc="Training runs") as bar:
        for run in bar:
            bar.set_postfix_str(str(run))
            if not is_finished(run.folder) and not _train(run):
                failed.append(run)
    return failed


def is_finished(folder: Path) -> bool:
    """Whether a run came to its end: it has the test split's metrics and predictions."""
    path = folder / "metrics.json"
    if not path.is_file():
        return False
    metrics = _read(folder)
    return "test" in metrics["metrics"] and all(file.is_file() for file in _prediction_files(folder, metrics).values())


def _train(run: Run) -> bool:
    command = [sys.executable, str(TRAINING), *run.options]
    # train_hf.py looks into the folders of separate models for itself.
    if any(run.folder.glob("checkpoint-*")) or any(run.folder.glob("*/checkpoint-*")):
        command.append("--resume_from_checkpoint=last")
    log_path = run.folder.with_name(f"{run.folder.name}.log")
    log_path.parent.mkdir(parents=True, exist_ok=True)
    with log_path.open("a", encoding="utf-8") as log:
        print(shlex.join(command), file=log, flush=True)
        code = subprocess.run(command, stdout=log, stderr=subprocess.STDOUT).returncode
    if code == 0 and is_finished(run.folder):
        return True
    tail = "\n".join(log_path.read_text(encoding="utf-8", errors="replace").splitlines()[-15:])
    tqdm.write(f"{run}: failed with exit code {code}; the end of {log_path}:\n{tail}\n", file=sys.stderr)
    return False


def _check_settings(run: Run, expected: Mapping[str, Mapping[str, Any]]) -> None:
    """Raises an InputError if the run's arguments are others; those that only one version knows are not compared."""
    written = _read(run.folder)["arguments"]
    differing = [
        f"{name} was {written[part][name]!r} and is {value!r} now"
        for part, values in expected.items()
        for name, value in values.items()
        if name not in _FREE and name in written[part] and written[part][name] != value
    ]
    if differing:
        raise InputError(
            f"{run.folder} was made with other arguments ({'; '.join(differing)}): remove it, or name another "
            "--output_dir."
        )


def compare(runs: Sequence[Run], baseline: str, resamples: int, data_dir: str | None) -> dict[str, Any]:
    """Everything that is known of the finished runs: what accuracy.json holds beside the command line.

    Raises:
        InputError: If none is finished, runs of one recipe differ in their arguments, or those of one salt in their
            test pairs.
    """
    finished = [run for run in runs if is_finished(run.folder)]
    if not finished:
        raise InputError("No run is finished: there is nothing to compare.")
    remarks = [f"{run}: not finished, and not counted." for run in runs if run not in finished]
    # In the order of --recipes, whichever of them finished first.
    by_recipe = {run.recipe: [done for done in finished if done.recipe == run.recipe] for run in runs}
    by_recipe = {recipe: recipe_runs for recipe, recipe_runs in by_recipe.items() if recipe_runs}
    settings = {recipe: _read(recipe_runs[0].folder)["arguments"] for recipe, recipe_runs in by_recipe.items()}
    mechanisms = {recipe: arguments["model"]["mechanisms"] for recipe, arguments in settings.items()}
    if any(names != mechanisms[finished[0].recipe] for names in mechanisms.values()):
        raise InputError(f"The recipes learn different mechanisms, and can't be compared: {mechanisms}.")
    remarks += _unlike_tokens(settings)
    values, entries = _values_of_runs(finished, settings, resamples, remarks)
    for run in finished:
        entries[run]["original"] = original_definition(run, data_dir, remarks)
    by_salt = {
        recipe: {
            salt: mean_of([values[run] for run in recipe_runs if run.salt == salt])
            for salt in dict.fromkeys(run.salt for run in recipe_runs)
        }
        for recipe, recipe_runs in by_recipe.items()
    }
    return {
        "baseline": baseline,
        "resamples": resamples,
        "mechanisms": mechanisms[finished[0].recipe],
        "remarks": remarks,
        "settings": settings,
        "estimates": {recipe: _as_json(estimates(mean_of(list(means.values())))) for recipe, means in by_salt.items()},
        "differences": {
            recipe: difference
            for recipe, means in by_salt.items()
            if recipe != baseline and (difference := _difference(means, by_salt.get(baseline, {})))
        },
        "original": {recipe: _mean_over_runs(entries, recipe, "original") for recipe in by_salt},
        "behaviour": {recipe: _mean_over_runs(entries, recipe, "behaviour") for recipe in by_salt},
        "runs": list(entries.values()),
    }


def _values_of_runs(
    finished: Sequence[Run], settings: Mapping[str, Any], resamples: int, remarks: list[str]
) -> tuple[dict[Run, Values], dict[Run, dict[str, Any]]]:
    """Each run's metrics in every resample, and its entry in accuracy.json."""
    pairs: dict[str, list[tuple[str, str]]] = {}
    scores = {}
    for run in finished:
        _check_settings(run, settings[run.recipe])
        ids, predictions = read_predictions(run.folder)
        if pairs.setdefault(run.salt, ids) != ids:
            raise InputError(f"{run.folder}: its test pairs are not those of the other runs of salt {run.salt!r}.")
        scores[run] = {mechanism: scores_of(rows) for mechanism, rows in predictions.items()}
    weights = resampled_weights({salt: [post for post, _ in ids] for salt, ids in pairs.items()}, resamples)
    values = {run: values_of(scores[run], weights[run.salt]) for run in finished}
    entries = {}
    for run in finished:
        record = _read(run.folder)
        written = record["metrics"]["test"]
        read = {name: float(resampled[0]) for name, resampled in values[run].items()}
        unlike = [name for name, value in read.items() if abs(written.get(name, value) - value) > 1e-6]
        if unlike:
            remarks.append(f"{run}: its predictions give other values than its metrics.json has: {', '.join(unlike)}.")
        counts = {"pairs": len(pairs[run.salt]), "seeker_posts": len({post for post, _ in pairs[run.salt]})}
        entries[run] = {"recipe": run.recipe, "salt": run.salt, "seed": run.seed, "folder": str(run.folder)}
        entries[run] |= {**counts, "metrics": read, "behaviour": _behaviour(record)}
    return values, entries


def read_predictions(folder: Path) -> tuple[list[tuple[str, str]], dict[str, list[dict[str, Any]]]]:
    """Ids `(sp_id, rp_id)` of a run's test pairs, and for each mechanism what was predicted for them."""
    ids: list[tuple[str, str]] = []
    predictions = {}
    for mechanism, path in _prediction_files(folder, _read(folder)).items():
        rows = pq.read_table(path, columns=[*IDS, mechanism]).to_pylist()
        file_ids = [(row["sp_id"], row["rp_id"]) for row in rows]
        ids = ids or file_ids
        if ids != file_ids:
            raise InputError(f"{path}: its pairs are not those of the run's other mechanisms.")
        predictions[mechanism] = [row[mechanism] for row in rows]
        if "token_mask" not in predictions[mechanism][0]:
            raise InputError(f"{path} has no token_mask, being of an older version: remove {folder} to run it again.")
    return ids, predictions


def _prediction_files(folder: Path, metrics: Mapping[str, Any]) -> dict[str, Path]:
    """For each mechanism the file with its predictions: separate models have one each."""
    model = metrics["arguments"]["model"]
    is_separate = model["separate_models"] and len(model["mechanisms"]) > 1
    return {name: (folder / name if is_separate else folder) / PREDICTIONS for name in model["mechanisms"]}


def original_definition(run: Run, data_dir: str | None, remarks: list[str]) -> dict[str, float] | None:
    """The original's metrics of the run's saved model on its test split; computed once and kept in its folder."""
    path = run.folder / "original_definition.json"
    if not path.is_file():
        if not (run.folder / "config.json").is_file():
            remarks.append(f"{run}: no model in {run.folder}, so not measured by the original's definitions.")
            return None
        arguments = _read(run.folder)["arguments"]
        data_args = DataArguments(**arguments["data"])
        data_args = replace(data_args, data_dir=data_dir or data_args.data_dir)
        rows = read_corpus(ModelArguments(**arguments["model"]), data_args, True, True)["test"]
        model, tokenizer = load_checkpoint(str(run.folder))
        mechanisms = model.config.mechanisms
        evaluated = evaluate_checkpoint(
            model.to(resolve_device(None)), tokenizer, rows, mechanisms, definitions=("original",), show_progress=False
        )
        text = json.dumps(evaluated.metrics["original"], indent=2) + "\n"
        write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
    metrics: dict[str, float] = json.loads(path.read_text(encoding="utf-8"))
    return metrics


def _behaviour(record: Mapping[str, Any]) -> dict[str, float] | None:
    """What a run's record has of the behaviour suite, in a number each; None where it was not measured."""
    measured = record.get("behaviour")
    if measured is None:
        return None
    return {
        "accuracy": measured["accuracy"],
        "needs_seeker_post": measured["needs_seeker_post"]["accuracy"],
        "confident_errors": measured["confident_errors"]["share"],
        "weakest_family": min(family["accuracy"] for family in measured["families"].values()),
        "weak_families": len(weak_families(measured)),
        "direction": measured["direction"]["accuracy"],
        "typos": measured["invariance"]["typos"],
    }


def _mean_over_runs(entries: Mapping[Run, Mapping[str, Any]], recipe: str, part: str) -> dict[str, float] | None:
    """Of a recipe's runs that have this part, the mean over seeds, then salts."""
    by_salt: dict[str, list[Values]] = {}
    for run, entry in entries.items():
        if run.recipe == recipe and entry[part] is not None:
            values = {name: np.array(value) for name, value in entry[part].items()}
            by_salt.setdefault(run.salt, []).append(values)
    if not by_salt:
        return None
    return {name: float(value) for name, value in mean_of([mean_of(values) for values in by_salt.values()]).items()}


def _difference(means: Mapping[str, Values], baseline: Mapping[str, Values]) -> dict[str, Any] | None:
    """Differences to the baseline over the salts that both have."""
    salts = [salt for salt in means if salt in baseline]
    if not salts:
        return None
    compared = estimates(mean_of([means[salt] for salt in salts]), mean_of([baseline[salt] for salt in salts]))
    return {"salts": salts, "estimates": _as_json(compared)}


def _unlike_tokens(settings: Mapping[str, Any]) -> list[str]:
    """A remark if the recipes read responses as other tokens, or cut them elsewhere."""
    tokens = {
        recipe: f"{arguments['model']['encoder']}, {arguments['data']['max_length']} tokens"
        for recipe, arguments in settings.items()
    }
    if len(set(tokens.values())) == 1:
        return []
    listed = "; ".join(f"{recipe}: {described}" for recipe, described in tokens.items())
    return [f"Rationales are counted in each recipe's own tokens, up to where it cuts a response ({listed})."]


def _as_json(metrics: Mapping[str, Estimate]) -> dict[str, dict[str, float]]:
    return {name: estimate._asdict() for name, estimate in metrics.items()}


def _read(folder: Path) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(f"accuracy.py: error: {error}")
