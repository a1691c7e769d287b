#!/usr/bin/env python
"""How fast annotated files are prepared, `empathy prepare` on the three files, and where the time goes.

python -m benchmarks.preparation_speed --data_dir path/to/csvs
"""

from __future__ import annotations

import argparse
import contextlib
import io
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from benchmarks.machine import median_of
from dataset_scripts.epitome import load_epitome
from modeling_empathy.corpus.alignment_report import AlignmentReport
from modeling_empathy.corpus.annotated_csv import read_mechanism
from modeling_empathy.corpus.preparation import prepare_file
from modeling_empathy.corpus.provenance import sample_folder
from modeling_empathy.encoders import EMBEDDED, load_tokenizer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", type=Path, help="folder of the corpus; the sample when left out")
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    files = sorted((args.data_dir or sample_folder()).glob("*s-*.csv"))
    tokenizer = load_tokenizer(EMBEDDED)
    with contextlib.redirect_stderr(io.StringIO()), tempfile.TemporaryDirectory() as folder:
        rows = sum(len(read_mechanism(path, AlignmentReport())) for path in files)
        parts = {
            "reading and aligning": lambda: [read_mechanism(path, AlignmentReport()) for path in files],
            "all, in a process that runs": partial(prepared, files, Path(folder)),
            "all, a new process for each file": partial(commands, files, Path(folder)),
        }
        seconds = {name: median_of(args.runs, part) for name, part in parts.items()}
        corpus = load_epitome(data_dir=args.data_dir, source="auto" if args.data_dir else "sample")
        responses = [row["response_post"] for rows in corpus.values() for row in rows] * len(files)
        seconds["tokenizing the responses alone"] = median_of(args.runs, partial(tokenizer, responses))
    print(f"{rows} rows of {len(files)} files\n\n| part | seconds | rows/s |\n|---|---|---|")
    for name, taken in seconds.items():
        print(f"| {name} | {taken:.2f} | {rows / taken:.0f} |")


def prepared(files: list[Path], folder: Path) -> None:
    """Prepares the files in this process."""
    for path in files:
        prepare_file(path, folder / path.name, EMBEDDED)


def commands(files: list[Path], folder: Path) -> None:
    """Prepares the files by the command."""
    run = [sys.executable, "-c", "from modeling_empathy.cli.app import main; main()", "prepare", "--encoder", EMBEDDED]
    for path in files:
        options = ["--input_path", str(path), "--output_path", str(folder / path.name)]
        subprocess.run([*run, *options], check=True, capture_output=True)


if __name__ == "__main__":
    main()
