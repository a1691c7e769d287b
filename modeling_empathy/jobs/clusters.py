"""Hands the shards of a run to datatrove's executors: local processes, Ray, Slurm, Hugging Face Jobs."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from .. import __version__
from ..errors import InputError, first_line
from .executors import SECONDS_BETWEEN_LOOKS, Work


@dataclass(frozen=True)
class Cluster:
    """As of [`~modeling_empathy.jobs.executors.Executor`], by one of datatrove's executors.

    What is done is known by the marks of the shards, so that another executor, or another number of tasks, may go on;
    datatrove's logs, statistics and marks of one launch are in `_run/logs` of the output.

    Attributes:
        name: `"local"`, `"slurm"`, `"ray"` or `"jobs"`.
        tasks: In how many parts the shards are done.
        workers: How many of them at once; -1 for all.
        settings: Further arguments of datatrove's executor, by name: `partition` and `time` of Slurm, `flavor` of
            Jobs.
        show_only: Called with what Slurm or Jobs would be given, in place of giving it to them.
    """

    name: str
    tasks: int
    workers: int = -1
    settings: Mapping[str, Any] = field(default_factory=dict)
    show_only: Callable[[str], object] | None = None

    def __call__(self, work: Work) -> bool:
        """Runs the tasks, or hands them to Slurm.

        Raises:
            InputError: If datatrove is not installed, or its executor can't be used.
        """
        work.engines.clear()
        if not work.shards:
            return True
        executor = self.executor(work)
        if self.show_only is not None:
            self.show_only(submitted(executor))
            return False
        if self.name == "slurm" and shutil.which("sbatch") is None:
            raise InputError("--executor slurm: there is no sbatch here; run it where Slurm's commands are.")
        # From here on the tasks hold the folder too.
        work.lock.share()
        around = {"local": _forks_end_with_us, "ray": _ray}.get(self.name, nullcontext)
        with around():
            executor.run()
        if self.name == "slurm":
            return False
        work.lock.own()
        return True

    def executor(self, work: Work) -> Any:
        """Datatrove's executor, ready to run.

        Raises:
            InputError: As of a call.
        """
        try:
            import datatrove.executor as executors

            from .datatrove_steps import ScoreShards
        except ImportError as error:
            raise InputError(
                f"--executor is datatrove's ({first_line(error)}): pip install 'modeling-empathy[cluster]'."
            ) from None
        # By a path that is the same wherever a task is started.
        path = work.folder.root if work.folder.is_local else work.folder.path
        pipeline = [ScoreShards(path, work.load_engines)]
        tasks = min(self.tasks, len(work.shards))
        logs = f"{path}/_run/logs/{datetime.now():%Y%m%d-%H%M%S-%f}"
        arguments: dict[str, Any] = {"tasks": tasks, "workers": min(self.workers, tasks), "logging_dir": logs}
        arguments |= _DEFAULTS.get(self.name, {}) | dict(self.settings)
        made = {
            "local": executors.LocalPipelineExecutor,
            "slurm": executors.SlurmPipelineExecutor,
            "ray": executors.RayPipelineExecutor,
            "jobs": executors.JobsPipelineExecutor,
        }[self.name]
        try:
            return made(pipeline, **arguments)
        except (TypeError, ValueError) as error:
            raise InputError(f"--executor {self.name}: {first_line(error)}.") from None


def submitted(executor: Any) -> str:
    """What Slurm is given for an executor, its script; what Jobs are given, the command line of the first task."""
    pickle = executor.logging_dir.resolve_paths("executor.pik")
    if hasattr(executor, "get_launch_file_contents"):
        run = f"srun  -l -n {executor.nodes_per_task} launch_pickled_pipeline {pickle}"
        return str(executor.get_launch_file_contents(executor.get_sbatch_args(executor.tasks), run))
    options = {"flavor": executor.flavor, "python": executor.python, "timeout": executor.timeout}
    command = ["hf", "jobs", "uv", "run", "--secrets", "HF_TOKEN", "--env", "DATATROVE_JOB_ARRAY_INDEX=0"]
    command += [part for name, value in options.items() if value for part in (f"--{name}", str(value))]
    command += [part for package in executor.dependencies for part in ("--with", package)]
    return shlex.join([*command, "launch_pickled_pipeline.py", pickle]) + "\n"


_SECONDS_TO_END = 10.0


@contextmanager
def _ray() -> Iterator[None]:
    """Joins the Ray cluster that the environment names, or begins one here, which ends with the block."""
    import ray

    if ray.is_initialized():
        yield
        return
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ray.init()
    try:
        _put_back(handlers)
        yield
    finally:
        # Where a signal has ended Ray's own processes too, it would wait for them for a minute, and abort.
        ending = threading.Thread(target=ray.shutdown, daemon=True)
        ending.start()
        patient_until = time.monotonic() + _SECONDS_TO_END
        while ending.is_alive() and time.monotonic() < patient_until:
            ending.join(SECONDS_BETWEEN_LOOKS / 5)
            _put_back(handlers)


def _put_back(handlers: Mapping[signal.Signals, Any]) -> None:
    """Handles signals as before Ray, whose handlers abort the process, and which leaves none when it ends."""
    if threading.current_thread() is threading.main_thread():
        for number, handler in handlers.items():
            signal.signal(number, handler)


_watched = False


@contextmanager
def _forks_end_with_us() -> Iterator[None]:
    """Within it, processes that are forked end when this one is gone: datatrove has one that would stay for ever."""
    global _watched
    _watched = True
    try:
        yield
    finally:
        _watched = False


def _end_with_the_parent() -> None:
    parent = os.getppid()

    def wait_and_end() -> None:
        while os.getppid() == parent:
            time.sleep(SECONDS_BETWEEN_LOOKS)
        os._exit(1)

    if _watched:
        threading.Thread(target=wait_and_end, daemon=True).start()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_end_with_the_parent)


# What a task takes: one core, and with the model and two chunks of pairs less than 2 GB.
_DEFAULTS: dict[str, dict[str, Any]] = {
    "local": {"start_method": "spawn"},
    "slurm": {
        "job_name": "empathy-score",
        "cpus_per_task": 1,
        "mem_per_cpu_gb": 4,
        "qos": None,
        "time": "24:00:00",
        # The environment that the command runs in.
        "venv_path": f"{sys.prefix}/bin/activate",
    },
    "ray": {"cpus_per_task": 1, "mem_per_cpu_gb": 2},
    "jobs": {
        "job_name": "empathy-score",
        "flavor": "cpu-basic",
        "dependencies": [f"modeling-empathy[cluster,embedded]=={__version__}"],
    },
}
