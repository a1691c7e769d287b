#!/usr/bin/env python
"""`empathy score` end to end, on many rows: wall time, pairs a second beside the engine alone, memory, size on disk.

    python -m benchmarks.scale --data_dir path/to/csvs --rows 10000 100000 235000 --output_path scale.json

The rows are the corpus' seeker posts and responses, shuffled and paired anew. The engine scores some thousands of them
in this process, of one thread, before and after each command; the share is the command's rate, from its start to its
end, in the mean of both. Memory is the most that the command and its workers held at once.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import torch

from benchmarks.machine import described
from benchmarks.watched_command import watched
from dataset_scripts.epitome import load_epitome
from modeling_empathy.files.whole_files import write_whole
from modeling_empathy.model.mechanisms import POSTS
from modeling_empathy.scoring.engine import ScoringEngine


# What a look costs, on a machine whose cores all compute, is a tenth of a second.
SECONDS_BETWEEN_LOOKS = 5.0


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument("--model", help="checkpoint; the model that is part of the package when left out")
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 235_000])
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--dtypes", nargs="+", default=["fp32"])
    parser.add_argument("--engine_rows", type=int, default=4096)
    parser.add_argument("--output_path", type=Path, help="JSON, rewritten after each command")
    args = parser.parse_args()
    torch.set_num_threads(1)
    corpus = load_epitome(source="auto" if args.data_dir else "sample", data_dir=args.data_dir)
    rows = [row for split in corpus.values() for row in split]
    results: list[dict[str, Any]] = []
    print("| rows | dtype | workers | seconds | pairs/s | of the engine | peak memory (MB) | on disk (MB) |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for count in args.rows:
            pairs = drawn(rows, count)
            source = write_pairs(Path(folder) / "pairs.csv", pairs)
            for dtype in args.dtypes:
                engine = ScoringEngine.from_pretrained(args.model, dtype=dtype)
                engine_rate(engine, pairs[: args.engine_rows])  # what is done once is done
                for workers in args.workers:
                    before = engine_rate(engine, pairs[: args.engine_rows])
                    result = measured(args.model, source, Path(folder) / "scores", dtype, workers)
                    after = engine_rate(engine, pairs[: args.engine_rows])
                    result |= {"rows": count, "engine_pairs_per_second": (before + after) / 2}
                    results.append(result)
                    print(row_of(result), flush=True)
                    if args.output_path:
                        text = json.dumps({"machine": described(), "results": results}, indent=2) + "\n"
                        write_whole(args.output_path, lambda path, text=text: path.write_text(text))  # type: ignore[misc]


def drawn(rows: list[dict[str, Any]], count: int) -> list[tuple[str, str]]:
    """So many pairs of the corpus' texts."""
    draw = random.Random(count)
    seekers, responses = ([row[post] for row in rows] for post in POSTS)
    return [(draw.choice(seekers), draw.choice(responses)) for _ in range(count)]


def write_pairs(path: Path, pairs: list[tuple[str, str]]) -> Path:
    """Writes the input."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["id", *POSTS])
        writer.writerows((number, *pair) for number, pair in enumerate(pairs))
    return path


def engine_rate(engine: ScoringEngine, pairs: list[tuple[str, str]]) -> float:
    """Pairs a second of the engine alone."""
    started = time.perf_counter()
    for _ in engine(pairs):
        pass
    return len(pairs) / (time.perf_counter() - started)


def measured(model: str | None, source: Path, target: Path, dtype: str, workers: int) -> dict[str, Any]:
    """What one command takes."""
    command = [sys.executable, "-c", "from modeling_empathy.cli.app import main; main()", "score"]
    command += ["--input_path", str(source), "--output_path", str(target), "--start_over"]
    command += ["--dtype", dtype, "--workers", str(workers), *(["--model", model] if model else [])]
    seconds, peak = watched(command, SECONDS_BETWEEN_LOOKS, os.environ | {"OMP_NUM_THREADS": "1"})
    manifest = json.loads((target / "manifest.json").read_text())
    return {
        "dtype": dtype,
        "workers": workers,
        "seconds": seconds,
        "pairs_per_second": manifest["pairs"] / seconds,
        "peak_bytes": peak,
        "disk_bytes": sum(path.stat().st_size for path in target.rglob("*") if path.is_file()),
    }


def row_of(result: dict[str, Any]) -> str:
    share = result["pairs_per_second"] / result["engine_pairs_per_second"]
    return (
        f"| {result['rows']:,} | {result['dtype']} | {result['workers']} | {result['seconds']:.0f} | "
        f"{result['pairs_per_second']:.1f} | {share:.2f} | {result['peak_bytes'] / 2**20:.0f} | "
        f"{result['disk_bytes'] / 2**20:.1f} |"
    )


if __name__ == "__main__":
    main()
