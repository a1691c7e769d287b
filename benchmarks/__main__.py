"""All measurements of speed in one go, one after the other, each in a process of its own; tables and JSON in a folder.

python -m benchmarks --data_dir path/to/csvs --output_dir output/bench
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

from benchmarks.machine import described


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument("--output_dir", type=Path, default=Path("output/bench"))
    parser.add_argument("--runs", type=int, default=3, help="of each measurement, whose median counts")
    parser.add_argument("--macro_f1", help="what the published way reaches when it trains, if it is known")
    parser.add_argument(
        "--model", help="a trained checkpoint: start-up, memory, reduced precision and windows are measured with it"
    )
    args = parser.parse_args()
    data = ["--data_dir", args.data_dir] if args.data_dir else []
    runs = ["--runs", str(args.runs)]
    commands = {
        "preparation": ["preparation_speed", *data, *runs],
        "scoring, embedded encoder": ["scoring_speed", *data, *runs],
        "scoring, roberta-base's size": [
            *("scoring_speed", *data, *runs, "--encoder", "roberta-base-size"),
            *("--pairs", "256", "--baseline_pairs", "15"),
        ],
        "training": ["training_speed", *data, *runs, *(["--macro_f1", args.macro_f1] if args.macro_f1 else [])],
    }
    if args.model:
        commands["start-up"] = ["start_up", args.model, *runs]
        commands["memory"] = ["scoring_memory", *data, "--model", args.model, "--pairs", "1000", "10000", "20000"]
        commands["reduced precision"] = ["agreement", args.model, *data]
        commands["windows"] = ["windows", args.model, *data, *runs]
    args.output_dir.mkdir(parents=True, exist_ok=True)
    results, text = [], f"# Speed\n\n{', '.join(f'{name} {value}' for name, value in described().items())}\n"
    for title, (module, *options) in commands.items():
        print(f"{title} ...", flush=True)
        command = ["-m", f"benchmarks.{module}", *options]
        done = subprocess.run([sys.executable, *command], stdout=subprocess.PIPE, text=True, check=True)
        results.append({"title": title, "command": f"python {' '.join(command)}", "output": done.stdout})
        text += f"\n## {title.capitalize()}\n\n`python {' '.join(command)}`\n\n{done.stdout.strip()}\n"
        (args.output_dir / "speed.md").write_text(text, encoding="utf-8")
        (args.output_dir / "speed.json").write_text(
            json.dumps({"machine": described(), "results": results}, indent=2) + "\n", encoding="utf-8"
        )
        print(done.stdout, flush=True)
    print(f"Written to {args.output_dir}")


if __name__ == "__main__":
    main()
