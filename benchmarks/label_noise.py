#!/usr/bin/env python
"""How far the annotations agree with themselves: pairs of posts that occur more than once, annotated each time.

    python -m benchmarks.label_noise --data_dir path/to/csvs

A model that is right about an annotation as often as another annotation of the same pair has little left to learn. Two
pairs are the same where both posts are, but for case and white space. Rationales are compared by characters, as one
annotation would score if it were predicted for the other, where both have one.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import datasets
import numpy as np

from dataset_scripts.epitome import load_epitome
from modeling_empathy.corpus.splits import split_of
from modeling_empathy.evaluation.intervals import Estimate
from modeling_empathy.evaluation.metrics import identification_metrics, rationale_metrics
from modeling_empathy.evaluation.tables import markdown_table
from modeling_empathy.files.whole_files import write_whole
from modeling_empathy.model.mechanisms import MECHANISMS, POSTS


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", help="folder of the corpus; else as train_hf.py finds it")
    parser.add_argument("--bootstrap", type=int, default=2000, help="resamples (default: %(default)s)")
    parser.add_argument("--output_path", type=Path, help="JSON")
    args = parser.parse_args()
    corpus = load_epitome(data_dir=args.data_dir)
    rows = datasets.concatenate_datasets(list(corpus.values())).to_list()
    pairs = list(repeated(rows))
    apart = sum(split_of(first["sp_id"]) != split_of(second["sp_id"]) for first, second in pairs)
    print(f"{len(pairs)} times a pair occurs again among {len(rows)}; {apart} times in another split\n")
    found = {mechanism: measured(pairs, mechanism, args.bootstrap) for mechanism in MECHANISMS}
    print(noise_table(found))
    if args.output_path:
        text = json.dumps({"pairs": len(pairs), "mechanisms": found}, indent=1) + "\n"
        write_whole(args.output_path, lambda path: path.write_text(text, encoding="utf-8"))


def measured(
    pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], mechanism: str, resamples: int
) -> dict[str, Any]:
    """How far two annotations of the same pair agree: shares with their intervals, the kappa, and how many there are.

    Args:
        pairs: Two rows of the same posts each.
        mechanism: What is compared.
        resamples: Of the pairs, for the intervals.
    """
    agreed = agreement(pairs, mechanism)
    levels = [[copy[mechanism]["level"] for copy in pair] for pair in pairs]
    # Neither copy is the reference, so each is once.
    kappa = identification_metrics(
        [first for first, _ in levels] + [second for _, second in levels],
        [second for _, second in levels] + [first for first, _ in levels],
    )["quadratic_weighted_kappa"]
    intervals = {name: _interval(shares, resamples)._asdict() for name, shares in agreed.items() if shares}
    return {**intervals, "kappa": kappa, "both_have_a_rationale": len(agreed["token_f1"])}


def noise_table(found: Mapping[str, Mapping[str, Any]]) -> str:
    """What was [`measured`], as a table with a row for each mechanism."""
    header = ["mechanism", "equal levels", "kappa", "both have a rationale", "token-F1", "IOU-F1"]
    return markdown_table(
        header,
        (
            [
                mechanism.replace("_", " "),
                _cell(values["equal"]),
                f"{values['kappa']:.3f}",
                values["both_have_a_rationale"],
                *(_cell(values[name]) for name in ("token_f1", "iou_f1") if name in values),
            ]
            for mechanism, values in found.items()
        ),
    )


def _cell(share: Mapping[str, float]) -> str:
    return f"{share['value']:.3f} [{share['low']:.2f}, {share['high']:.2f}]"


def repeated(rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
    """All two rows of the same posts."""
    copies = defaultdict(list)
    for row in rows:
        copies[tuple(" ".join(row[post].lower().split()) for post in POSTS)].append(row)
    for same in copies.values():
        yield from combinations(same, 2)


def agreement(pairs: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]], mechanism: str) -> dict[str, list[float]]:
    """Of each two copies whether their levels are equal, and of those with two rationales their F1."""
    agreed: dict[str, list[float]] = {"equal": [], "token_f1": [], "iou_f1": []}
    for first, second in pairs:
        agreed["equal"].append(float(first[mechanism]["level"] == second[mechanism]["level"]))
        marks = [_marks(copy, mechanism) for copy in (first, second)]
        if all(map(any, marks)):
            # By place in what is no white space, so that copies that differ in it compare.
            metrics = rationale_metrics([marks[0]], [marks[1]])
            agreed["token_f1"].append(metrics["all_token_f1_macro"])
            agreed["iou_f1"].append(metrics["all_iou_f1_macro"])
    return agreed


def _marks(row: Mapping[str, Any], mechanism: str) -> list[int]:
    spans = [(span["start"], span["end"]) for span in row[mechanism]["rationales"]]
    return [
        int(any(start <= place < end for start, end in spans))
        for place, character in enumerate(row["response_post"])
        if not character.isspace()
    ]


def _interval(values: Sequence[float], resamples: int) -> Estimate:
    drawn = np.random.default_rng(0).choice(values, (resamples, len(values))).mean(axis=1)
    low, high = np.percentile(drawn, [2.5, 97.5])
    return Estimate(float(np.mean(values)), float(low), float(high))


if __name__ == "__main__":
    main()
