#!/usr/bin/env python
"""`empathy analyze` on many rows: wall time and memory. The scores are drawn (benchmarks/simulated_interactions.py).

python -m benchmarks.analysis_scale --rows 10000 100000 235000 2350000 --output_path analysis_scale.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.machine import described
from benchmarks.simulated_interactions import ERRORS, GROUP, OUTCOME, World, simulated, write_table
from benchmarks.watched_command import watched
from modeling_empathy.evaluation.tables import markdown_table
from modeling_empathy.files.whole_files import write_whole


SECONDS_BETWEEN_LOOKS = 0.5
_ROWS_OF_A_RESPONDER = 13
_MECHANISMS = ("emotional_reactions", "interpretations", "explorations")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 235_000, 2_350_000])
    parser.add_argument("--output_path", type=Path, help="JSON, rewritten after each command")
    args = parser.parse_args()
    results: list[dict[str, Any]] = []
    print(scale_table([]), flush=True)
    with tempfile.TemporaryDirectory() as folder:
        for count in args.rows:
            result = measured(Path(folder), count)
            results.append(result)
            print(scale_table([result]).splitlines()[-1], flush=True)
            if args.output_path:
                text = json.dumps({"machine": described(), "results": results}, indent=2) + "\n"
                write_whole(args.output_path, lambda path, text=text: path.write_text(text))  # type: ignore[misc]


def scale_table(results: Iterable[Mapping[str, Any]]) -> str:
    """What was [`measured`], as a table with a row for each size."""
    header = ["rows", "people", "seconds", "without models (s)", "peak memory (MB)"]
    return markdown_table(
        header,
        (
            [
                f"{result['rows']:,}",
                f"{result['people']:,}",
                f"{result['seconds']:.0f}",
                f"{result['seconds_without_models']:.0f}",
                f"{result['peak_bytes'] / 2**20:.0f}",
            ]
            for result in results
        ),
    )


def measured(folder: Path, count: int) -> dict[str, Any]:
    """What one analysis takes, with statsmodels' models and without them."""
    codes = ("ER", "IP", "EX")
    world = World(responders=count // _ROWS_OF_A_RESPONDER, dropout=0.5, members=0.4, errors=ERRORS, codes=codes)
    source, errors = folder / f"{count}.parquet", folder / "metrics.json"
    write_table(simulated(world, 0), source)
    confusion = [[round(share * 300) for share in row] for row in ERRORS]
    errors.write_text(json.dumps({"confusion": dict.fromkeys(_MECHANISMS, confusion)}))
    command = [sys.executable, "-m", "modeling_empathy.cli.app", "analyze", str(source), "--errors", str(errors)]
    command += ["--outcome", OUTCOME, "--group", GROUP, "--output_path"]
    seconds, peak = watched([*command, str(folder / f"{count}")], SECONDS_BETWEEN_LOOKS)
    quicker, _ = watched([*command, str(folder / f"{count}-quick"), "--modelled_rows", "0"], SECONDS_BETWEEN_LOOKS)
    about = json.loads((folder / f"{count}" / "numbers.json").read_text())["about"]
    source.unlink()
    return {
        "rows": about["rows"],
        "people": about["responders"],
        "seconds": seconds,
        "seconds_without_models": quicker,
        "peak_bytes": peak,
    }


if __name__ == "__main__":
    main()
