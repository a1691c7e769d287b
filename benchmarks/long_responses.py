#!/usr/bin/env python
"""What becomes of responses that are longer than a model reads: cut, or scored to their end in windows.

    python benchmarks/long_responses.py output/corpus --data_dir path/to/csvs

Held-out responses alone, of the validation and the test split. Token counts of the two ways differ, so that rationales
are compared by characters: the mean over annotated responses of the F1 of the marked characters.
"""

import argparse
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import datasets

from dataset_scripts.epitome import load_epitome
from modeling_empathy import EmpathyPipeline
from modeling_empathy.evaluation.metrics import identification_metrics


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a checkpoint")
    parser.add_argument("--data_dir", help="folder of the corpus")
    parser.add_argument("--source", default="auto", choices=["auto", "sample"])
    parser.add_argument("--strides", type=int, nargs="+", default=[32, 64], help="tokens that windows share")
    args = parser.parse_args()
    scorer = EmpathyPipeline.from_pretrained(args.model, batch_size=16)
    corpus = load_epitome(source=args.source, data_dir=args.data_dir)
    held_out = datasets.concatenate_datasets([corpus["validation"], corpus["test"]])
    lengths = map(len, scorer.tokenizer(held_out["response_post"][:], verbose=False)["input_ids"])
    limit = scorer.model.config.max_post_length
    long = held_out.select([index for index, length in enumerate(lengths) if length > limit])
    print(f"{len(long)} of {len(held_out)} held-out responses have more than {limit} tokens\n")
    if not len(long):
        sys.exit("None is long enough to compare.")
    print("| mechanism | | accuracy | macro-F1 | characters' F1 | annotated responses |\n|---|---|---|---|---|---|")
    ways: dict[str, dict[str, Any]] = {"cut": {"stride": None}} | {
        f"stride {stride}": {"stride": stride} for stride in args.strides
    }
    pairs = list(zip(long["seeker_post"], long["response_post"], strict=True))
    results = {way: scorer(pairs, **options) for way, options in ways.items()}
    for mechanism in scorer.model.config.mechanisms:
        annotated = long[mechanism]
        for way, scored in results.items():
            predicted = [result[mechanism] for result in scored]
            levels = identification_metrics([row["level"] for row in predicted], [row["level"] for row in annotated])
            overlaps = [
                characters_f1(prediction["rationales"], annotation["rationales"])
                for prediction, annotation in zip(predicted, annotated, strict=True)
                if annotation["rationales"]
            ]
            print(
                f"| {mechanism.replace('_', ' ')} | {way} | {levels['accuracy']:.3f} | {levels['macro_f1']:.3f} | "
                f"{sum(overlaps) / max(len(overlaps), 1):.3f} | {len(overlaps)} |"
            )


def characters_f1(predicted: Iterable[Mapping[str, Any]], annotated: Iterable[Mapping[str, Any]]) -> float:
    """F1 of the characters in either's spans."""
    marked, gold = (
        {index for span in spans for index in range(span["start"], span["end"])} for spans in (predicted, annotated)
    )
    return 2 * len(marked & gold) / (len(marked) + len(gold))


if __name__ == "__main__":
    main()
