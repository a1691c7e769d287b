#!/usr/bin/env python
"""What reduced precision costs: each way of computing beside fp32 in torch, on the test split.

    python -m benchmarks.agreement output/corpus --data_dir path/to/csvs

Shares of equal levels and of response tokens that both mark or both leave, and the macro-F1's difference in points.
The ONNX graphs are those that `empathy export-onnx` left in the checkpoint; without them these ways are left out.
"""

from __future__ import annotations

import argparse
from itertools import islice
from typing import Any

from dataset_scripts.epitome import load_epitome
from modeling_empathy.errors import InputError
from modeling_empathy.evaluation.metrics import identification_metrics
from modeling_empathy.scoring.engine import load_engines


WAYS = {"torch fp32": ("torch", "fp32"), "torch bf16": ("torch", "bf16")} | {
    f"onnx {dtype}": ("onnx", dtype) for dtype in ("fp32", "int8")
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a checkpoint")
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument("--split", default="test")
    args = parser.parse_args()
    rows = load_epitome(source="auto" if args.data_dir else "sample", data_dir=args.data_dir)[args.split]
    pairs = list(zip(rows["seeker_post"], rows["response_post"], strict=True))
    print(f"{len(rows)} pairs of the split {args.split}\n")
    print(
        "| way | mechanism | equal levels | macro-F1 | difference (points) | equal marks |\n|---|---|---|---|---|---|"
    )
    reference: list[dict[str, Any]] = []
    for way, (backend, dtype) in WAYS.items():
        try:
            [engine] = load_engines(args.model, {}, device="cpu", backend=backend, dtype=dtype)
        except InputError as error:
            print(f"| {way} | left out: {error} | | | | |")
            continue
        # Cut, as training and evaluation cut them.
        encoded = engine.encode(pairs, stride=None)
        results = engine.score(encoded, token_mask=True)
        reference = reference or results
        for mechanism in engine.config.mechanisms:
            annotated = [row["level"] for row in rows[mechanism]]
            predicted, expected = ([result[mechanism] for result in scored] for scored in (results, reference))
            levels, fp32_levels = ([result["level"] for result in scored] for scored in (predicted, expected))
            equal = share(level == fp32_level for level, fp32_level in zip(levels, fp32_levels, strict=True))
            f1, before = (identification_metrics(scored, annotated)["macro_f1"] for scored in (levels, fp32_levels))
            marks = share(
                mark == fp32_mark
                for pair, result, fp32_result in zip(encoded, predicted, expected, strict=True)
                for mark, fp32_mark in islice(
                    zip(result["token_mask"], fp32_result["token_mask"], strict=True), len(pair.response_input_ids)
                )
            )
            name = mechanism.replace("_", " ")
            print(f"| {way} | {name} | {equal:.4f} | {f1:.4f} | {100 * (f1 - before):+.2f} | {marks:.4f} |")


def share(truths: Any) -> float:
    """How many are true."""
    listed = list(truths)
    return sum(listed) / len(listed)


if __name__ == "__main__":
    main()
