#!/usr/bin/env python
"""What windows cost, and what they say of long responses that is not said where these are cut.

    python -m benchmarks.windows output/corpus --data_dir path/to/csvs

The cost is the time of the engine on the corpus' pairs in windows, as a ratio to that where they are cut: the median
of --runs ratios, the two taking turns. Mean levels, and shares of levels above 0, are those of the test split by the
tokens of the response: in quarters, and of those longer than the model reads. The corpus has few of these, so that a
second table is of responses that are joined from random ones of the test split, under the seeker post of the first. Of
windows the strongest decides; so beside them stands the highest level of any part, each scored alone under that seeker
post. A model that was trained on the test split, as that of the package is, knows the parts.
"""

from __future__ import annotations

import argparse
import json
import random
import statistics
from collections.abc import Mapping, Sequence
from functools import partial
from itertools import islice, pairwise
from pathlib import Path
from typing import Any

from benchmarks.machine import described, median_of
from dataset_scripts.epitome import load_epitome
from modeling_empathy.scoring.engine import ScoringEngine


Pairs = Sequence[tuple[str, str]]
# For each way of scoring the levels of one mechanism, a list with one for each pair.
Levels = Mapping[str, Sequence[int]]

CUT, WINDOWS, PARTS = "cut", "windows", "highest part"
# Of a model that says nothing of windows, what training writes by default.
_USUAL_STRIDE = 32


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", help="a checkpoint; the model of the package when left out")
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument(
        "--pairs", type=int, default=1024, help="most pairs of each measurement (default: %(default)s)"
    )
    parser.add_argument("--joined", type=int, default=200, help="joined responses of each number of parts")
    parser.add_argument("--parts", type=int, nargs="+", default=[2, 4, 8], help="responses that are joined")
    parser.add_argument("--stride", type=int, help="tokens that windows share (default: as the model says, or 32)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--seed", type=int, default=0, help="of what is joined")
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--output_path", type=Path, help="JSON")
    args = parser.parse_args()
    engine = ScoringEngine.from_pretrained(args.model, device=args.device)
    stride = args.stride if args.stride is not None else engine.config.window_stride
    stride = _USUAL_STRIDE if stride is None else stride
    corpus = load_epitome(source="auto" if args.data_dir else "sample", data_dir=args.data_dir)
    every = ((row["seeker_post"], row["response_post"]) for rows in corpus.values() for row in rows)
    costs = cost(engine, list(islice(every, args.pairs)), stride, args.runs)
    test = list(zip(corpus["test"]["seeker_post"], corpus["test"]["response_post"], strict=True))[: args.pairs]
    content = {
        "machine": described(),
        "window_tokens": engine.config.max_post_length,
        "stride": stride,
        "cost": costs,
        "by_length": by_length(engine, test, stride),
        "joined": by_parts(engine, test, stride, args.parts, args.joined, args.seed),
    }
    print(markdown(content))
    if args.output_path:
        args.output_path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def cost(engine: ScoringEngine, pairs: Pairs, stride: int, runs: int) -> dict[str, Any]:
    """Seconds of both ways, from text to results, and the median of the runs' ratios."""
    strides = {CUT: None, WINDOWS: stride}
    seconds: dict[str, list[float]] = {way: [] for way in strides}
    for way_stride in strides.values():
        list(engine(pairs[:64], stride=way_stride))
    for _ in range(runs):  # in turn, so that what else the machine does meets both alike
        for way, way_stride in strides.items():
            seconds[way].append(median_of(1, partial(_score, engine, pairs, way_stride)))
    return {
        "pairs": len(pairs),
        "long": sum(result["truncated"]["response_post"] for result in engine(pairs, stride=None)),
        "seconds": {way: statistics.median(taken) for way, taken in seconds.items()},
        "ratio": statistics.median(
            in_windows / cut for cut, in_windows in zip(seconds[CUT], seconds[WINDOWS], strict=True)
        ),
    }


def by_length(engine: ScoringEngine, pairs: Pairs, stride: int) -> list[dict[str, Any]]:
    """What both ways say of pairs, in groups by the tokens of their responses."""
    # Of windows, a pair has all of its response's tokens.
    lengths = [len(pair.response_input_ids) for pair in engine.encode(pairs, stride=stride)]
    results = {way: _score(engine, pairs, way_stride) for way, way_stride in {CUT: None, WINDOWS: stride}.items()}
    return [
        {"responses": name} | summary
        for name, indices in length_groups(lengths, engine.config.max_post_length).items()
        for summary in summaries(engine.config.mechanisms, results, indices)
    ]


def length_groups(lengths: Sequence[int], limit: int) -> dict[str, list[int]]:
    """The indices of what has these lengths: a quarter of them each, and those above the limit once more.

    Equal lengths may fall in two quarters; a group of none is left out.
    """
    order = sorted(range(len(lengths)), key=lengths.__getitem__)
    bounds = [len(order) * quarter // 4 for quarter in range(5)]
    groups: dict[str, list[int]] = {}
    for number, (start, end) in enumerate(pairwise(bounds), start=1):
        if quarter := order[start:end]:
            groups[f"quarter {number}, {lengths[quarter[0]]} to {lengths[quarter[-1]]} tokens"] = quarter
    if above := [index for index in order if lengths[index] > limit]:
        groups[f"above {limit} tokens"] = above
    return groups


def by_parts(
    engine: ScoringEngine, pairs: Pairs, stride: int, numbers: Sequence[int], count: int, seed: int
) -> list[dict[str, Any]]:
    """What both ways say of joined responses, beside the highest level of their parts."""
    rows = []
    for number in numbers:
        drawn = joined(pairs, number, count, seed)
        long = [(seeker, " ".join(responses)) for seeker, responses in drawn]
        results = {way: _score(engine, long, way_stride) for way, way_stride in {CUT: None, WINDOWS: stride}.items()}
        alone = iter(_score(engine, [(seeker, part) for seeker, responses in drawn for part in responses], stride))
        results[PARTS] = [
            highest(engine.config.mechanisms, list(islice(alone, len(responses)))) for _, responses in drawn
        ]
        indices = range(len(long))
        rows += [{"parts": number} | row for row in summaries(engine.config.mechanisms, results, indices)]
    return rows


def joined(pairs: Pairs, number: int, count: int, seed: int) -> list[tuple[str, list[str]]]:
    """Seeker posts, each with so many responses: its own, and others at random, none of them twice."""
    chance = random.Random(f"{seed} {number}")
    drawn = []
    for _ in range(count):
        chosen = chance.sample(range(len(pairs)), min(number, len(pairs)))
        drawn.append((pairs[chosen[0]][0], [pairs[index][1] for index in chosen]))
    return drawn


def highest(mechanisms: Sequence[str], results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """A result that has of each mechanism the highest level of several."""
    return {name: {"level": max(result[name]["level"] for result in results)} for name in mechanisms}


def summaries(
    mechanisms: Sequence[str], results: Mapping[str, Sequence[Mapping[str, Any]]], indices: Sequence[int]
) -> list[dict[str, Any]]:
    """For each mechanism the mean level and the share of levels above 0 of some results, by way."""
    rows = []
    for name in mechanisms:
        levels: Levels = {way: [scored[index][name]["level"] for index in indices] for way, scored in results.items()}
        rows.append(
            {
                "pairs": len(indices),
                "mechanism": name,
                "mean_level": {way: statistics.fmean(of_way) for way, of_way in levels.items()},
                "share_above_0": {
                    way: sum(level > 0 for level in of_way) / len(of_way) for way, of_way in levels.items()
                },
            }
        )
    return rows


def markdown(content: Mapping[str, Any]) -> str:
    """The tables."""
    costs = content["cost"]
    return "\n".join(
        [
            f"Windows of {content['window_tokens']} tokens that share {content['stride']}. {costs['pairs']} pairs, "
            f"{costs['long']} of them with a longer response: {costs['seconds'][CUT]:.2f} s cut, "
            f"{costs['seconds'][WINDOWS]:.2f} s in windows, ratio {costs['ratio']:.2f}.",
            "",
            *_table("responses", content["by_length"], (CUT, WINDOWS)),
            "",
            *_table("parts", content["joined"], (CUT, WINDOWS, PARTS)),
        ]
    )


def _table(group: str, rows: Sequence[Mapping[str, Any]], ways: Sequence[str]) -> list[str]:
    headers = [f"{title}, {way}" for title in ("mean level", "above 0") for way in ways]
    lines = [f"| {group} | pairs | mechanism | {' | '.join(headers)} |", "|---" * (len(headers) + 3) + "|"]
    for row in rows:
        cells = [f"{row['mean_level'][way]:.2f}" for way in ways] + [
            f"{row['share_above_0'][way]:.3f}" for way in ways
        ]
        lines.append(f"| {row[group]} | {row['pairs']} | {row['mechanism'].replace('_', ' ')} | {' | '.join(cells)} |")
    return lines


def _score(engine: ScoringEngine, pairs: Pairs, stride: int | None) -> list[dict[str, Any]]:
    return list(engine(pairs, stride=stride))


if __name__ == "__main__":
    main()
