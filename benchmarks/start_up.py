#!/usr/bin/env python
"""From nothing to the first result, as it adds up in a new process: imports, the checkpoint, one pair.

python -m benchmarks.start_up output/corpus
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys


_SCRIPT = """
import json, resource, sys, time
start = time.perf_counter()
times = {}
def done(what):
    times[what] = time.perf_counter() - start
import torch
done("torch imported")
from modeling_empathy.scoring.engine import load_engines
done("transformers and this package imported")
[engine] = load_engines(sys.argv[1], {}, device="cpu", dtype=sys.argv[2])
done("checkpoint loaded")
pair = ("I failed again and feel useless.", "I'm so sorry. What happened?")
engine.score(engine.encode([pair]))
done("first result")
times["peak memory (MB)"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps(times))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", help="a checkpoint")
    parser.add_argument("--dtype", default="fp32", choices=["fp32", "bf16"])
    parser.add_argument("--runs", type=int, default=3)
    args = parser.parse_args()
    runs = []
    for _ in range(args.runs):
        command = [sys.executable, "-c", _SCRIPT, args.model, args.dtype]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        runs.append(json.loads(done.stdout.splitlines()[-1]))
    print("| after | seconds (median, from the start) |\n|---|---|")
    for what in runs[0]:
        print(f"| {what} | {statistics.median(run[what] for run in runs):.2f} |")


if __name__ == "__main__":
    main()
