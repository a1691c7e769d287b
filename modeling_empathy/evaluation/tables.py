"""Markdown tables."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence


def markdown_table(header: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """A table with a header and rows of cells, which are written as they are."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(map(str, cells))} |" for cells in lines)


def table_by_mechanism(
    results: Mapping[str, Mapping[str, float]], columns: Mapping[str, str], counts: Collection[str] = ()
) -> str:
    """A table with a row for each mechanism.

    Args:
        results: Mechanism to name to value.
        columns: Header to the name of what stands below it.
        counts: Names of values that are whole numbers; others have three digits.
    """
    rows = [
        [mechanism.replace("_", " "), *(f"{values[name]:.{0 if name in counts else 3}f}" for name in columns.values())]
        for mechanism, values in results.items()
    ]
    return markdown_table(["mechanism", *columns], rows)
