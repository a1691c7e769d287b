#!/usr/bin/env python
"""How long a run takes on a cluster whose tasks fail: shards, tasks, machines that are lost and come back, simulated.

    python -m benchmarks.cluster_queue --pairs 1e9 --rate 77 --tasks 200

A task scores its shards one after the other. It fails at random, on average every --hours_between_failures of its own
time; the shard that it was at is lost, and after --minutes_to_return the task goes on with the rest. Tasks start as
slots are free. The rate of each is drawn around --rate, as processors of a cluster differ.
"""

from __future__ import annotations

import argparse
import heapq
import random
import statistics
from typing import NamedTuple


class Outcome(NamedTuple):
    """Of a simulated run: hours until the last shard is done, hours of work, the share of it that was lost."""

    hours: float
    worked: float
    lost: float
    failures: int


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--pairs", type=float, default=1e9)
    parser.add_argument("--rate", type=float, default=77, help="pairs a second of a task (default: %(default)s)")
    parser.add_argument("--spread", type=float, default=0.15, help="of the rates, as a share (default: %(default)s)")
    parser.add_argument("--tasks", type=int, nargs="+", default=[200, 1000])
    parser.add_argument("--slots", type=int, default=200, help="tasks that run at once (default: %(default)s)")
    parser.add_argument("--shard_rows", type=int, nargs="+", default=[8192, 100_000])
    parser.add_argument("--hours_between_failures", type=float, nargs="+", default=[1e9, 48, 6])
    parser.add_argument("--minutes_to_return", type=float, default=10)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    print("| tasks | rows of a shard | a task fails every | days | failures | work lost |\n|---|---|---|---|---|---|")
    for tasks in args.tasks:
        for shard_rows in args.shard_rows:
            for between in args.hours_between_failures:
                outcomes = [
                    simulated(
                        random.Random(seed),
                        int(args.pairs // shard_rows),
                        shard_rows,
                        tasks,
                        args.slots,
                        args.rate,
                        args.spread,
                        between,
                        args.minutes_to_return / 60,
                    )
                    for seed in range(args.runs)
                ]
                days = statistics.median(outcome.hours for outcome in outcomes) / 24
                lost = statistics.median(outcome.lost / outcome.worked for outcome in outcomes)
                failures = statistics.median(outcome.failures for outcome in outcomes)
                every = "never" if between >= 1e6 else f"{between:g} h"
                print(
                    f"| {tasks} | {shard_rows:,} | {every} | {days:.1f} | {failures:,.0f} | {lost:.2%} |", flush=True
                )


def simulated(
    draw: random.Random,
    shards: int,
    shard_rows: int,
    tasks: int,
    slots: int,
    rate: float,
    spread: float,
    between: float,
    to_return: float,
) -> Outcome:
    """One run; times in hours."""
    # Every so-manieth shard is a task's, as `empathy score` deals them.
    left = [shards // tasks + (task < shards % tasks) for task in range(tasks)]
    of_shard = [shard_rows / max(rate * draw.gauss(1, spread), rate / 4) / 3600 for _ in range(tasks)]
    free, ends = [0.0] * slots, [0.0]
    worked = lost = 0.0
    failures = 0
    heapq.heapify(free)
    for task in range(tasks):
        now = heapq.heappop(free)
        while left[task]:
            until_failure = draw.expovariate(1 / between)
            whole = min(left[task], int(until_failure / of_shard[task]))
            left[task] -= whole
            worked += whole * of_shard[task]
            now += whole * of_shard[task]
            if left[task]:
                gone = until_failure - whole * of_shard[task]
                failures, lost, worked = failures + 1, lost + gone, worked + gone
                now += gone + to_return
        heapq.heappush(free, now)
        ends.append(now)
    return Outcome(max(ends), worked, lost, failures)


if __name__ == "__main__":
    main()
