#!/usr/bin/env python
"""How much memory `empathy score` takes for files of different length: the highest of the whole process, as a table.

python benchmarks/scoring_memory.py --model output/corpus --pairs 1000 100000
"""

from __future__ import annotations

import argparse
import csv
import os
import subprocess
import sys
import tempfile
import time
from itertools import cycle, islice
from pathlib import Path

from dataset_scripts.epitome import load_epitome
from modeling_empathy.model.mechanisms import POSTS


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--model", required=True, help="checkpoint that scores")
    parser.add_argument("--pairs", type=int, nargs="+", default=[1000, 100_000], help="lengths (default: %(default)s)")
    parser.add_argument("--data_dir", help="corpus whose pairs are repeated; the shipped sample when left out")
    arguments = parser.parse_args()
    corpus = load_epitome(source="auto" if arguments.data_dir else "sample", data_dir=arguments.data_dir)
    pairs = [(row["seeker_post"], row["response_post"]) for rows in corpus.values() for row in rows]
    print("| pairs | peak memory (MB) | seconds |\n|---|---|---|", flush=True)
    for length in arguments.pairs:
        with tempfile.TemporaryDirectory() as folder:
            source = Path(folder, "pairs.csv")
            with source.open("w", newline="", encoding="utf-8") as file:
                writer = csv.writer(file)
                writer.writerow(["id", *POSTS])
                writer.writerows((index, *pair) for index, pair in enumerate(islice(cycle(pairs), length)))
            peak, seconds = measured(arguments.model, source, Path(folder, "scores.csv"))
        print(f"| {length} | {peak:.0f} | {seconds:.0f} |", flush=True)


def measured(model: str, source: Path, target: Path) -> tuple[float, float]:
    """Peak memory in MB (`ru_maxrss`) and wall seconds of scoring a file in a process of its own."""
    command = [sys.executable, "-c", "from modeling_empathy.cli.app import main; main()", "score"]
    started = time.perf_counter()
    process = subprocess.Popen(
        [*command, "--model", model, "--input_path", str(source), "--output_path", str(target)],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status != 0:
        raise SystemExit(f"empathy score ended with {os.waitstatus_to_exitcode(status)}")
    return usage.ru_maxrss / 1024, time.perf_counter() - started


if __name__ == "__main__":
    main()
