#!/usr/bin/env python
"""What the metrics give to a scorer that reads nothing: the most frequent level, and every word marked.

python benchmarks/trivial_baselines.py --data_dir path/to/csvs
"""

from __future__ import annotations

import argparse
from collections import Counter

from dataset_scripts.epitome import load_epitome
from modeling_empathy import MECHANISMS
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.features import build_features
from modeling_empathy.metrics import identification_metrics, rationale_metrics
from modeling_empathy.report import metrics_table


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data_dir", help="folder with the three CSV files; else as train_hf.py finds them")
    parser.add_argument("--encoder", default="embedded", help="whose tokens are counted (default: %(default)s)")
    parser.add_argument("--max_length", type=int, default=128, help="tokens of a post (default: %(default)s)")
    arguments = parser.parse_args()
    corpus = load_epitome(data_dir=arguments.data_dir)
    test = build_features(
        corpus["test"], load_tokenizer(arguments.encoder), MECHANISMS, max_length=arguments.max_length
    )
    metrics: dict[str, float] = {}
    for index, mechanism in enumerate(MECHANISMS):
        most_frequent = Counter(row["level"] for row in corpus["train"][mechanism]).most_common(1)[0][0]
        labels = [labels[index] for labels in test["rationale_labels"]]
        of_mechanism = identification_metrics(
            [most_frequent] * len(test), [row[index] for row in test["empathy_labels"]]
        )
        of_mechanism |= rationale_metrics([[1.0] * len(tokens) for tokens in labels], labels)
        metrics |= {f"{mechanism}_{name}": value for name, value in of_mechanism.items()}
    print(metrics_table(metrics, MECHANISMS))


if __name__ == "__main__":
    main()
