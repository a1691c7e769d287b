"""The tables of benchmarks/accuracy.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modeling_empathy.evaluation.tables import markdown_table


LEVELS_TABLE = {"accuracy": "accuracy", "macro-F1": "macro_f1", "kappa": "quadratic_weighted_kappa"}
RATIONALES_TABLE = {
    "token-F1": "annotated_token_f1_macro",
    "IOU-F1": "annotated_iou_f1_macro",
    "token-F1 (shown)": "shown_token_f1_macro",
    "IOU-F1 (shown)": "shown_iou_f1_macro",
}
SUITE_TABLE = {
    "cells right": "accuracy",
    "where only the seeker post decides": "needs_seeker_post",
    "confident errors": "confident_errors",
    "the weakest family": "weakest_family",
    "families below .8": "weak_families",
    "minimal pairs in order": "direction",
    "kept with typos": "typos",
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
        lines += _table(title, table, rows, content["estimates"], estimate_cell)
    if content["differences"]:
        columns = LEVELS_TABLE | RATIONALES_TABLE
        differences = {
            f"{recipe} - {baseline} (salts {', '.join(map(repr, difference['salts']))})": difference["estimates"]
            for recipe, difference in content["differences"].items()
        }
        lines += _table(f"Differences to {baseline}", columns, rows, differences, difference_cell)
    original = {recipe: metrics for recipe, metrics in content["original"].items() if metrics is not None}
    if original:
        lines += _table("The original's definitions", ORIGINAL_TABLE, rows[:-1], original, short)
    measured = {recipe: figures for recipe, figures in content["behaviour"].items() if figures is not None}
    if measured:
        figures = [
            (recipe, *(short(values[name]) for name in SUITE_TABLE.values())) for recipe, values in measured.items()
        ]
        lines += ["", "## The behaviour suite's held-out families", ""]
        lines.append(markdown_table(["recipe", *SUITE_TABLE], figures))
    return "\n".join(lines) + "\n"


def estimate_cell(estimate: Mapping[str, float]) -> str:
    """A value with the ends of its interval."""
    return f"{short(estimate['value'])} [{short(estimate['low'], '.2f')}, {short(estimate['high'], '.2f')}]"


def difference_cell(estimate: Mapping[str, float]) -> str:
    """The same of a difference, with signs."""
    value, low, high = (short(estimate[name], "+.3f") for name in ("value", "low", "high"))
    return f"{value} [{low}, {high}]"


def short(value: float, form: str = ".3f") -> str:
    """Without the zero before the point."""
    return format(value, form).replace("0.", ".", 1)


def _table(
    title: str, columns: Mapping[str, str], rows: Sequence[str], recipes: Mapping[str, Any], cell: Any
) -> list[str]:
    header = f"| mechanism | recipe | {' | '.join(columns)} |"
    lines = ["", f"## {title}", "", header, "|---" * (len(columns) + 2) + "|"]
    for row in rows:
        for recipe, metrics in recipes.items():
            cells = [cell(metrics[f"{row}_{name}"]) for name in columns.values()]
            lines.append(f"| {row.replace('_', ' ')} | {recipe} | {' | '.join(cells)} |")
    return lines
