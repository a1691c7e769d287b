"""The tables of the documentation, made of the JSON that the benchmarks left in `benchmarks/results/`.

    python -m benchmarks.tables            # writes them anew into README.md and docs/
    python -m benchmarks.tables --check    # says which are not what the JSON says

A table stands between `<!-- table: NAME -->` and `<!-- end of table -->`. After a new measurement, put its JSON into
the folder and run this.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks.accuracy_tables import (
    LEVELS_TABLE,
    ORIGINAL_TABLE,
    RATIONALES_TABLE,
    difference_cell,
    estimate_cell,
    short,
)
from benchmarks.analysis_scale import scale_table
from benchmarks.label_noise import noise_table
from benchmarks.simulation import simulation_table
from modeling_empathy.evaluation.tables import markdown_table, table_by_mechanism
from modeling_empathy.files.whole_files import write_whole
from modeling_empathy.model.mechanisms import MECHANISMS


ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "benchmarks" / "results"
_MARKED = re.compile(r"(<!-- table: (.+?) -->\n).*?(\n<!-- end of table -->)", re.DOTALL)

# Of accuracy.json and published.json, as a reader knows them.
_RECIPES = {"ours": ("accuracy", "embedded"), "published": ("published", "original")}
_ALL_RECIPES = {"ours": _RECIPES["ours"], "corpus alone": ("accuracy", "no-suite"), "published": _RECIPES["published"]}
_COLUMNS = LEVELS_TABLE | {name: RATIONALES_TABLE[name] for name in ("token-F1", "IOU-F1", "token-F1 (shown)")}


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.tables",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--check", action="store_true", help="write nothing, fail where something would change")
    args = parser.parse_args()
    changed = {path: text for path, text in rewritten() if text != path.read_text(encoding="utf-8")}
    for path, text in changed.items():
        print(path.relative_to(ROOT))
        if not args.check:
            write_whole(path, lambda temporary, text=text: temporary.write_text(text, encoding="utf-8"))  # type: ignore[misc]
    if args.check and changed:
        sys.exit("These tables are not what the JSON says: run python -m benchmarks.tables")


def rewritten() -> Iterator[tuple[Path, str]]:
    """Each page that holds tables, and its text with the tables as they should be."""
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        text = path.read_text(encoding="utf-8")
        if _MARKED.search(text):
            yield path, _MARKED.sub(lambda match: f"{match[1]}\n{table(match[2])}\n{match[3]}", text)


def table(name: str) -> str:
    """A table by its name.

    Raises:
        KeyError: If there is none of that name.
    """
    if name.startswith("speed "):
        return speed_table(name.removeprefix("speed "))
    return TABLES[name]()


def speed_table(title: str) -> str:
    """What a part of `python -m benchmarks` printed."""
    [output] = [part["output"] for part in _read("speed")["results"] if part["title"].lower() == title.lower()]
    return str(output).strip()


def readme_table() -> str:
    """Ours beside the published recipe: what a researcher looks for first."""
    columns = {name: _COLUMNS[name] for name in ("accuracy", "macro-F1", "token-F1", "IOU-F1")}
    return _by_recipe(columns, _RECIPES, lambda estimate: short(estimate["value"]))


def recipes_table() -> str:
    """All recipes and metrics with their intervals."""
    return _by_recipe(_COLUMNS, _ALL_RECIPES, estimate_cell)


def differences_table() -> str:
    """In pairs: the corpus alone less the recipe."""
    differences = _read("accuracy")["differences"]["no-suite"]["estimates"]
    rows = (
        [row.replace("_", " "), *(difference_cell(differences[f"{row}_{name}"]) for name in _COLUMNS.values())]
        for row in (*MECHANISMS, "mean")
    )
    return markdown_table(["corpus alone less ours", *_COLUMNS], rows)


def original_table() -> str:
    """The same runs by the original's definitions."""
    original = _read("accuracy")["original"]
    rows = (
        [mechanism.replace("_", " "), recipe, *(short(original[key][f"{mechanism}_{name}"]) for name in columns)]
        for mechanism in MECHANISMS
        for recipe, key in (("ours", "embedded"), ("corpus alone", "no-suite"))
        for columns in [ORIGINAL_TABLE.values()]
    )
    return markdown_table(["mechanism", "recipe", *ORIGINAL_TABLE], rows)


def suite_table() -> str:
    """The test families of the behaviour suite, by run."""
    columns = {
        "cells right": "accuracy",
        "where only the seeker post decides": "needs_seeker_post",
        "wrong and above .8": "confident_errors",
        "the weakest family": "weakest_family",
    }
    names = {"embedded": "ours", "no-suite": "corpus alone"}
    rows = (
        [
            names[run["recipe"]],
            f"`{run['salt']!r}`",
            run["seed"],
            *(short(run["behaviour"][c]) for c in columns.values()),
        ]
        for run in _read("accuracy")["runs"]
    )
    return markdown_table(["recipe", "salt", "seed", *columns], rows)


def baseline_table() -> str:
    """A scorer that reads nothing."""
    metrics = _read("trivial_baselines")["metrics"]
    names = _COLUMNS | {"AUPRC": "annotated_token_auprc"}
    columns = {
        name: names[name] for name in ("accuracy", "macro-F1", "token-F1", "IOU-F1", "AUPRC", "token-F1 (shown)")
    }
    values = {mechanism: {c: metrics[f"{mechanism}_{c}"] for c in columns.values()} for mechanism in MECHANISMS}
    return table_by_mechanism(values, columns)


TABLES: Mapping[str, Callable[[], str]] = {
    "readme": readme_table,
    "recipes": recipes_table,
    "differences": differences_table,
    "original definitions": original_table,
    "behaviour suite": suite_table,
    "trivial baselines": baseline_table,
    "repeated pairs": lambda: noise_table(_read("label_noise")["mechanisms"]),
    "simulation": lambda: simulation_table(_read("simulation")["rows"]),
    "analysis at scale": lambda: scale_table(_read("analysis_scale")["results"]),
}


def _by_recipe(
    columns: Mapping[str, str], recipes: Mapping[str, tuple[str, str]], cell: Callable[[Mapping[str, float]], str]
) -> str:
    estimates = {shown: _read(file)["estimates"][recipe] for shown, (file, recipe) in recipes.items()}
    rows = (
        [
            mechanism.replace("_", " ") if shown == "ours" else "",
            shown,
            *(cell(values[f"{mechanism}_{name}"]) for name in columns.values()),
        ]
        for mechanism in MECHANISMS
        for shown, values in estimates.items()
    )
    return markdown_table(["mechanism", "recipe", *columns], rows)


def _read(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text(encoding="utf-8"))
    return content


if __name__ == "__main__":
    main()
