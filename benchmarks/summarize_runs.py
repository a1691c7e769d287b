#!/usr/bin/env python
"""Puts the test metrics of several training runs side by side: the mean over runs and, in brackets, their range.

python benchmarks/summarize_runs.py output/seed12 output/seed13 output/seed14
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from modeling_empathy.report import TABLE


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER", help="output folder of train_hf.py")
    folders = parser.parse_args().folders
    runs = []
    for folder in folders:
        path = folder / "metrics.json"
        if not path.is_file():
            parser.error(f"{path} does not exist: did the run end?")
        runs.append(json.loads(path.read_text(encoding="utf-8")))
    print("| mechanism | " + " | ".join(TABLE) + " |\n" + "|---" * (len(TABLE) + 1) + "|")
    for mechanism in runs[0]["arguments"]["model"]["mechanisms"]:
        cells = []
        for name in TABLE.values():
            values = [run["metrics"]["test"][f"{mechanism}_{name}"] for run in runs]
            cells.append(f"{sum(values) / len(values):.3f} ({min(values):.3f}–{max(values):.3f})")
        print(f"| {mechanism.replace('_', ' ')} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    main()
