"""Kills commands at random moments, looks at what they leave, and runs them again.

    python -m tests.attacks.kills --times 40 --seed 0 --output kills.md

Each task is run once to its end, for its bytes and for how long it takes. Then it is killed at a moment drawn evenly
from that time, by SIGKILL and SIGTERM in turn. Its output must be absent or whole, SIGTERM must leave no file behind
and print one line, and after either the same command must end with the same bytes and with nothing beside them.
Training is resumed instead. What was done stands in a table; the exit code is 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from modeling_empathy.checkpoints.deltas import PRETRAINED
from modeling_empathy.evaluation.tables import markdown_table
from modeling_empathy.files.whole_files import write_whole
from tests.attacks.attempts import GOOD_PAIRS, Files, contents, good_checkpoint, start, write
from tests.csv_files import HEADER
from tests.tiny_models import save_tiny_encoder


TIME_LIMIT = 300  # seconds of a run, of which the longest takes some 30
AT_ONCE = 2
# Until its handlers stand, a process dies of a signal as any does: in silence, having done nothing.
SECONDS_TO_START = 1.0
SIGNALS = (signal.SIGKILL, signal.SIGTERM)
# Of what a command has started, once it is gone itself; Ray's agents hope for a minute that their cluster comes back.
SECONDS_TO_END = 90.0
SHARD = "/part-"
# Of an output in shards, what a run keeps for itself: its plan, and logs of this and that time.
OF_RUNS = "/_run/"
SCORING = {
    "score-shards": "",
    "score-two-workers": "--workers 2",
    "score-datatrove": "--executor local --tasks 4 --workers 2",
    "score-ray": "--executor ray --tasks 4 --workers 2",
}


@dataclass(frozen=True)
class Task:
    """A command that is killed.

    Attributes:
        command: The command line.
        output: What it writes, relative to where it runs.
        files: What it reads there.
        compared: What of a folder is compared; all of it when left out.
        is_resumed: Whether what it leaves is gone on from.
        called: Its name, if it is not that of the command.
    """

    command: str
    output: str
    files: Files = field(default_factory=dict)
    compared: str = ""
    is_resumed: bool = False
    called: str = ""

    @property
    def name(self) -> str:
        if self.called:
            return self.called
        program, subcommand = self.command.split()[:2]
        return subcommand if program == "empathy" else program


@dataclass(frozen=True)
class Finished:
    """What a run to the end has given: its files, and the seconds that it took."""

    files: dict[str, bytes | None]
    seconds: float


@dataclass(frozen=True)
class Kill:
    """A kill, and what was wrong behind it."""

    task: str
    signal: str
    moment: float
    left: str
    wrong: list[str]


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command line; the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--times", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--signals", nargs="*", help="by name (default: SIGKILL and SIGTERM)")
    parser.add_argument("--tasks", nargs="*", help="by name (default: all)")
    parser.add_argument("--earliest", type=float, default=0.0, help="part of a run's time that is left alone, 0 to 1")
    parser.add_argument("--at_once", type=int, default=AT_ONCE)
    parser.add_argument("--output", type=Path, help="where the table is written too")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="empathy-kills-") as scratch:
        every = {task.name: task for task in tasks(Path(scratch))}
        chosen = [every[name] for name in args.tasks or every]
        signals = [signal.Signals[name] for name in args.signals] if args.signals else SIGNALS
        kills = kill_all(chosen, args.times, args.seed, Path(scratch), signals, args.at_once, args.earliest)
    rows = [[kill.task, kill.signal, f"{kill.moment:.2f} s", kill.left, "; ".join(kill.wrong)] for kill in kills]
    table = markdown_table(["task", "signal", "after", "left", "wrong"], rows)
    wrong = sum(bool(kill.wrong) for kill in kills)
    text = f"{table}\n\n{len(kills)} kills, {wrong} of them with something wrong\n"
    print(text)
    if args.output is not None:
        write_whole(args.output, lambda path: path.write_text(text, encoding="utf-8"))
    return int(bool(wrong))


def tasks(folder: Path) -> list[Task]:
    """The commands, each of some seconds; an encoder is written into the folder."""
    encoder = folder / "encoder"
    save_tiny_encoder(encoder)
    pairs = GOOD_PAIRS + "3,I feel alone.,I am so sorry. What happened?\n" * 20_000
    # Of several processes, which take long to start, most kills shall meet some that score.
    many = GOOD_PAIRS + "3,I feel alone.,I am so sorry. What happened?\n" * 60_000
    annotated = ",".join(HEADER) + "\n"
    annotated += "".join(f"s{row},r{row},I feel low.,What happened?,2,What happened?|\n" for row in range(20_000))
    return [
        Task(
            "empathy score --model MODEL --input_path pairs.csv --output_path new/scores.csv --shard_rows 1000",
            "new/scores.csv",
            {"pairs.csv": pairs},
            is_resumed=True,
        ),
        *(
            Task(
                "empathy score --model MODEL --input_path pairs.csv --output_path new/scores --shard_rows 1000 " + how,
                "new/scores",
                {"pairs.csv": many},
                is_resumed=True,
                called=called,
            )
            for called, how in SCORING.items()
        ),
        Task(
            "empathy prepare --encoder MODEL --input_path explorations.csv --output_path new/labels.parquet",
            "new/labels.parquet",
            {"explorations.csv": annotated},
        ),
        Task("empathy export-dataset new/exported --source sample", "new/exported"),
        Task(f"empathy pack --model {PRETRAINED} --output_path new/packed", "new/packed"),
        Task(
            f"train_hf.py --encoder {encoder} --source sample --output_dir new/model --save_model --use_cpu "
            "--num_train_epochs 16 --per_device_train_batch_size 8 --save_strategy steps --eval_strategy steps "
            "--save_steps 5 --eval_steps 5 --measured_rationales 0",
            "new/model",
            compared="model.safetensors",
            is_resumed=True,
        ),
    ]


def kill_all(
    chosen: Sequence[Task],
    times: int,
    seed: int,
    folder: Path,
    signals: Sequence[signal.Signals],
    at_once: int = AT_ONCE,
    earliest: float = 0.0,
) -> list[Kill]:
    """Kills each task in turn, some at a time, in folders below `folder`; every second round the command alone."""
    good_checkpoint()  # before several want it at once
    finished = [run_to_the_end(task, folder / f"whole-{index}") for index, task in enumerate(chosen)]
    generator = random.Random(seed)
    moments = [
        finished[index % len(chosen)].seconds * (earliest + (1 - earliest) * generator.random())
        for index in range(times)
    ]

    def kill(index: int) -> Kill:
        task = index % len(chosen)
        round = index // len(chosen)
        number, alone = signals[round % len(signals)], round // len(signals) % 2 == 1
        return kill_once(chosen[task], finished[task], number, moments[index], folder / f"kill-{index}", alone)

    with ThreadPoolExecutor(max_workers=at_once) as executor:
        return list(executor.map(kill, range(times)))


def run_to_the_end(task: Task, folder: Path) -> Finished:
    """Runs a task as nobody disturbs it.

    Raises:
        RuntimeError: If it fails all the same.
    """
    write(task.files, _made(folder))
    began = time.monotonic()
    code, told = _run(task, folder, task.command)
    if code:
        raise RuntimeError(f"{task.command} ended with {code}: {told}")
    return Finished(_compared(task, folder), time.monotonic() - began)


def kill_once(
    task: Task, finished: Finished, number: signal.Signals, moment: float, folder: Path, alone: bool = False
) -> Kill:
    """Kills a task that many seconds after its start, alone or with all that it has started, and runs it again."""
    write(task.files, _made(folder))
    code, told = _run(task, folder, task.command, number, moment, alone)
    output = folder / task.output
    left = sorted(path for path in contents(folder) if path not in task.files)
    wrong = []
    if code not in (0, -number):
        wrong.append(f"it ended with {code}")
    if running := _left_running(folder):
        wrong.append(f"what it started still runs: {', '.join(running)}")
    is_there = output.exists() and (code == 0 or not task.is_resumed)
    if is_there and (different := _different(task, folder, finished)):
        wrong.append(f"its output is neither absent nor whole: {different}")
    if number != signal.SIGKILL and code:
        # A resumed task keeps what it is resumed from, under no temporary name.
        unfinished = [path for path in left if not task.is_resumed or "/.empathy-" in path]
        if unfinished and not is_there:
            wrong.append(f"it left {', '.join(unfinished)}")
        # Nor is there anything to be told once the output is in place.
        may_be_silent = moment < SECONDS_TO_START or is_there
        if "Traceback" in told or told.count(": interrupted; ") not in ((0, 1) if may_be_silent else (1,)):
            wrong.append(f"it told: {told[-1000:]!r}")
    what_is_left = "all" if is_there else f"{len(left)} files, {sum(SHARD in path for path in left)} shards"
    if code and not is_there:
        again = task.command
        if task.is_resumed and (checkpoints := list(output.glob("checkpoint-*"))):
            again += " --resume_from_checkpoint last"
            what_is_left += f" ({len(checkpoints)} checkpoints, resumed)"
        code, told = _run(task, folder, again)
        if code:
            wrong.append(f"run again it ended with {code}: {told[-1000:]!r}")
        elif different := _different(task, folder, finished):
            wrong.append(f"run again it leaves something else: {different}")
    return Kill(task.name, f"{number.name}{' alone' if alone else ''}", moment, what_is_left, wrong)


def _left_running(folder: Path) -> list[str]:
    """What runs in a folder some seconds after what was started there has ended."""
    patient_until = time.monotonic() + SECONDS_TO_END
    while True:
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.cwd() == str(folder) and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(" ".join(process.cmdline())[:100])
        if not found or time.monotonic() > patient_until:
            return found
        time.sleep(0.2)


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _run(
    task: Task,
    folder: Path,
    command: str,
    number: signal.Signals | None = None,
    moment: float = TIME_LIMIT,
    alone: bool = False,
) -> tuple[int, str]:
    """Runs a command, which is sent a signal if it is still there after so many seconds: its code, what it told."""
    log = folder.with_suffix(".log")
    # A cache of its own, or the data set would be built once for all.
    environment = {"HF_HOME": str(folder.with_suffix(".home")), "OMP_NUM_THREADS": "1"}
    with log.open("wb") as stderr, open(os.devnull, "wb") as stdout:
        process = start(command, folder, stdout=stdout, stderr=stderr, environment=environment)
    try:
        process.wait(moment)
    except subprocess.TimeoutExpired:
        # The whole group, as a terminal does, or the command alone: what it has started must end with it.
        (os.kill if alone else os.killpg)(process.pid, number or signal.SIGKILL)
        try:
            process.wait(TIME_LIMIT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return process.returncode, log.read_text(errors="replace")


def _compared(task: Task, folder: Path) -> dict[str, bytes | None]:
    """What must be equal: all that there is but what is read, or one file of the output."""
    if task.compared:
        return {task.compared: (folder / task.output / task.compared).read_bytes()}
    return {
        path: content
        for path, content in contents(folder).items()
        if path not in task.files and OF_RUNS not in f"/{path}"
    }


def _different(task: Task, folder: Path, finished: Finished) -> str:
    """The paths that are not as the undisturbed run left them, or nothing."""
    found = _compared(task, folder)
    paths = sorted(found.keys() | finished.files.keys())
    return ", ".join(path for path in paths if found.get(path, b"?") != finished.files.get(path, b"?"))


if __name__ == "__main__":
    sys.exit(main())
