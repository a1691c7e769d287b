#!/usr/bin/env python
"""What another model says of the same pairs: how many levels change, and on a few pairs which.

    python -m benchmarks.changed_levels before/ output/corpus --data_dir path/to/csvs
    python -m benchmarks.changed_levels before/ --input_path lines.jsonl

A table of all pairs of the corpus, by mechanism. With --input_path a table of its pairs instead, one a row, with the
levels and the probability of each; where the file says what is right (columns ER, IP and EX), what is not is marked.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from dataset_scripts.epitome import load_epitome
from modeling_empathy.evaluation.behaviour import CONFIDENT
from modeling_empathy.evaluation.tables import markdown_table
from modeling_empathy.model.mechanisms import ABBREVIATIONS
from modeling_empathy.scoring.engine import ScoringEngine


Pairs = Sequence[tuple[str, str]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("before", help="a checkpoint")
    parser.add_argument("after", nargs="?", help="another; the model of the package when left out")
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument("--input_path", type=Path, help="JSON lines with seeker_post and response_post")
    args = parser.parse_args()
    engines = [ScoringEngine.from_pretrained(model, device="cpu") for model in (args.before, args.after)]
    if args.input_path is not None:
        rows = [json.loads(line) for line in args.input_path.read_text(encoding="utf-8").splitlines()]
        print(side_by_side(engines, rows))
        return
    corpus = load_epitome(source="auto" if args.data_dir else "sample", data_dir=args.data_dir)
    pairs = [(row["seeker_post"], row["response_post"]) for rows in corpus.values() for row in rows]
    print(f"{len(pairs)} pairs\n\n{changes(engines, pairs)}")


def changes(engines: Sequence[ScoringEngine], pairs: Pairs) -> str:
    """A table of how many levels the second engine gives otherwise, and which."""
    before, after = (list(engine(pairs)) for engine in engines)
    rows: list[tuple[object, ...]] = []
    for mechanism in engines[0].config.mechanisms:
        levels = [(old[mechanism]["level"], new[mechanism]["level"]) for old, new in zip(before, after, strict=True)]
        changed = [pair for pair in levels if pair[0] != pair[1]]
        shown = sum(old == 0 for old, _ in changed), sum(new == 0 for _, new in changed)
        rows.append((mechanism.replace("_", " "), len(changed), f"{len(changed) / len(levels):.3f}", *shown))
    return markdown_table(["mechanism", "changed", "share", "shown now alone", "shown before alone"], rows)


def side_by_side(engines: Sequence[ScoringEngine], rows: Sequence[Mapping[str, Any]]) -> str:
    """A table of the pairs with each engine's levels, and under it how many are right, where that is known."""
    judged = [list(judge(engine, rows)) for engine in engines]
    lines = [
        (row["seeker_post"], row["response_post"], *(", ".join(map(str, cells)) for cells in ways))
        for row, *ways in zip(rows, *judged, strict=True)
    ]
    text = markdown_table(["seeker post", "response", "before", "after"], lines)
    for name, pairs in zip(("before", "after"), judged, strict=True):
        known = [cell for cells in pairs for cell in cells if cell.is_right is not None]
        wrong = [cell for cell in known if not cell.is_right]
        certain = sum(cell.probability > CONFIDENT for cell in wrong)
        text += f"\n\n{name}: {len(known) - len(wrong)} of {len(known)} right, {certain} wrong above {CONFIDENT}"
    return text


class Cell(NamedTuple):
    """What was said of a mechanism in a response."""

    code: str
    level: int
    probability: float
    is_right: bool | None

    def __str__(self) -> str:
        return f"{self.code} {self.level} ({self.probability:.2f}){' ✗' if self.is_right is False else ''}"


def judge(engine: ScoringEngine, rows: Sequence[Mapping[str, Any]]) -> Iterator[list[Cell]]:
    """The cells of each pair; whether they are right where the row has the level under the mechanism's code."""
    pairs = [(row["seeker_post"], row["response_post"]) for row in rows]
    for row, result in zip(rows, engine(pairs), strict=True):
        yield [
            Cell(code, found["level"], found["score"], found["level"] == row[code] if code in row else None)
            for code, found in ((ABBREVIATIONS[name], result[name]) for name in engine.config.mechanisms)
        ]


if __name__ == "__main__":
    main()
