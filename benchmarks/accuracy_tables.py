"""The tables of benchmarks/accuracy.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


LEVELS_TABLE = {"accuracy": "accuracy", "macro-F1": "macro_f1", "kappa": "quadratic_weighted_kappa"}
RATIONALES_TABLE = {
    "token-F1": "annotated_token_f1_macro",
    "IOU-F1": "annotated_iou_f1_macro",
    "token-F1 (shown)": "shown_token_f1_macro",
    "IOU-F1 (shown)": "shown_iou_f1_macro",
}
ORIGINAL_TABLE = {"accuracy": "accuracy", "macro-F1": "macro_f1", "token-F1": "token_f1", "IOU-F1": "iou_f1"}


def markdown(content: Mapping[str, Any]) -> str:
    """The tables of what [`compare`] found."""
    baseline, rows = content["baseline"], [*content["mechanisms"], "mean"]
    counted = {recipe: [run for run in content["runs"] if run["recipe"] == recipe] for recipe in content["estimates"]}
    lines = ["# Accuracy", "", f"`{content['command']}`", "", "| recipe | runs | salts | seeds |", "|---|---|---|---|"]
    for recipe, runs in counted.items():
        salts, seeds = (list(dict.fromkeys(run[name] for run in runs)) for name in ("salt", "seed"))
        listed = ", ".join(f"`{salt!r}`" for salt in salts)
        lines.append(f"| {recipe} | {len(runs)} | {listed} | {', '.join(map(str, seeds))} |")
    lines += [
        "",
        f"Means over seeds, then salts; in brackets 95 % of {content['resamples']} resamples of seeker posts, which "
        "leave out how much training differs from seed to seed.",
    ]
    if content["remarks"]:
        lines += ["", *(f"- {remark}" for remark in content["remarks"])]
    for title, table in (
        ("Levels", LEVELS_TABLE),
        ("Rationales, over annotated responses and, as shown, over all", RATIONALES_TABLE),
    ):
        lines += _table(title, table, rows, content["estimates"], _cell)
    if content["differences"]:
        found = {
            f"{name} - {baseline} (salts {', '.join(map(repr, of['salts']))})": of["estimates"]
            for name, of in content["differences"].items()
        }
        lines += _table(f"Differences to {baseline}", LEVELS_TABLE | RATIONALES_TABLE, rows, found, _difference_cell)
    original = {recipe: found for recipe, found in content["original"].items() if found is not None}
    if original:
        lines += _table("The original's definitions", ORIGINAL_TABLE, rows[:-1], original, _short)
    return "\n".join(lines) + "\n"


def _table(
    title: str, columns: Mapping[str, str], rows: Sequence[str], recipes: Mapping[str, Any], cell: Any
) -> list[str]:
    lines = [
        "",
        f"## {title}",
        "",
        f"| mechanism | recipe | {' | '.join(columns)} |",
        "|---" * (len(columns) + 2) + "|",
    ]
    for row in rows:
        for recipe, found in recipes.items():
            cells = [cell(found[f"{row}_{name}"]) for name in columns.values()]
            lines.append(f"| {row.replace('_', ' ')} | {recipe} | {' | '.join(cells)} |")
    return lines


def _cell(found: Mapping[str, float]) -> str:
    return f"{_short(found['value'])} [{_short(found['low'], '.2f')}, {_short(found['high'], '.2f')}]"


def _difference_cell(found: Mapping[str, float]) -> str:
    value, low, high = (_short(found[name], "+.3f") for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def _short(value: float, form: str = ".3f") -> str:
    """Without the zero before the point."""
    return format(value, form).replace("0.", ".", 1)
