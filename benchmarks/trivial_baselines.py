#!/usr/bin/env python
"""What the metrics give to a scorer that reads nothing: the most frequent level, and every word marked.

python benchmarks/trivial_baselines.py --data_dir path/to/csvs
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import numpy as np

from dataset_scripts.epitome import load_epitome
from modeling_empathy import MECHANISMS, EmpathyConfig
from modeling_empathy.corpus.features import build_features
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.evaluation.metrics_by_mechanism import Annotated, Predicted, metrics_by_mechanism
from modeling_empathy.evaluation.report import metrics_table
from modeling_empathy.files.whole_files import write_whole
from modeling_empathy.model.rationale_spans import IGNORE_INDEX


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data_dir", help="folder with the three CSV files; else as train_hf.py finds them")
    parser.add_argument("--encoder", default="embedded", help="whose tokens are counted (default: %(default)s)")
    parser.add_argument("--max_length", type=int, default=128, help="tokens of a post (default: %(default)s)")
    parser.add_argument("--output_path", type=Path, help="JSON")
    arguments = parser.parse_args()
    corpus = load_epitome(data_dir=arguments.data_dir)
    test = build_features(
        corpus["test"], load_tokenizer(arguments.encoder), MECHANISMS, max_length=arguments.max_length
    )
    levels = np.array(test["empathy_labels"])
    logits = np.zeros((*levels.shape, 3))
    for index, mechanism in enumerate(MECHANISMS):
        most_frequent = Counter(row["level"] for row in corpus["train"][mechanism]).most_common(1)[0][0]
        logits[:, index, most_frequent] = 1
    labels = np.full((len(test), arguments.max_length, len(MECHANISMS)), IGNORE_INDEX)
    for row, response_labels in enumerate(test["rationale_labels"]):
        labels[row, : len(response_labels[0])] = np.array(response_labels).T
    predicted, annotated = (
        Predicted(logits, np.ones(labels.shape)),
        Annotated(levels, labels, np.zeros(labels.shape[:2])),
    )
    metrics = metrics_by_mechanism(EmpathyConfig(), predicted, annotated)
    print(metrics_table(metrics, MECHANISMS))
    if arguments.output_path:
        text = json.dumps({"pairs": len(test), "metrics": metrics}, indent=1) + "\n"
        write_whole(arguments.output_path, lambda path: path.write_text(text, encoding="utf-8"))


if __name__ == "__main__":
    main()
