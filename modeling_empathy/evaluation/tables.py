"""Markdown tables with a row for each mechanism."""

from __future__ import annotations

from collections.abc import Collection, Mapping


def table_by_mechanism(
    results: Mapping[str, Mapping[str, float]], columns: Mapping[str, str], counts: Collection[str] = ()
) -> str:
    """Writes results as a Markdown table.

    Args:
        results: Mechanism to name to value.
        columns: Header to the name of what stands below it.
        counts: Names of values that are whole numbers; others have three digits.
    """
    lines = ["| mechanism | " + " | ".join(columns) + " |", "|---" * (len(columns) + 1) + "|"]
    for mechanism, values in results.items():
        cells = [f"{values[name]:.{0 if name in counts else 3}f}" for name in columns.values()]
        lines.append(f"| {mechanism.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return "\n".join(lines)
