"""What computes shards: this process, several on this machine, or those that `accelerate launch` has begun."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from multiprocessing.connection import wait as wait_for
from typing import Any, Protocol

import torch

from ..errors import InputError
from ..scoring.engine import ScoringEngine
from .output_folder import FolderLock, OutputFolder
from .plan import Plan
from .score_shards import score_shards


SECONDS_BETWEEN_LOOKS = 0.5
# Of processes that wait for each other: as long as the longest run.
_PATIENCE = timedelta(days=365)
LoadEngines = Callable[[], Sequence[ScoringEngine]]


@dataclass
class Work:
    """What is to be computed.

    Attributes:
        plan: The run.
        folder: Where its shards go.
        shards: Those that are not whole.
        load_engines: Loads what scores; for other processes it must be one that can be pickled.
        engines: What it loaded here. Whoever computes elsewhere empties it.
        lock: The hold on the folder, which others get a share of.
        on_progress: Called with how many more pairs are scored.
    """

    plan: Plan
    folder: OutputFolder
    shards: Sequence[int]
    load_engines: LoadEngines
    engines: list[ScoringEngine]
    lock: FolderLock
    on_progress: Callable[[int], object]


class Executor(Protocol):
    """What computes."""

    def __call__(self, work: Work) -> bool:
        """Scores shards; False where somebody else will do that later."""


def in_this_process(work: Work) -> bool:
    """Scores shards here, one after the other."""
    score_shards(work.plan, work.engines, work.folder, work.shards, work.on_progress)
    return True


def score_as_task(
    folder: OutputFolder,
    load_engines: LoadEngines,
    task: int,
    tasks: int,
    on_progress: Callable[[int], object] = lambda pairs: None,
) -> int:
    """Scores the shards of a run that are left to one of several tasks.

    Args:
        folder: Where the run is.
        load_engines: Loads what scores; not called where nothing is left.
        task: The number of the task, from 0.
        tasks: How many there are.
        on_progress: Called with how many more pairs are scored.

    Returns:
        How many shards it scored.

    Raises:
        InputError: If there is no run, or from [`score_shards`].
    """
    plan = folder.plan()
    if plan is None:
        raise InputError(f"{folder.path} has no plan of a run: empathy score makes one.")
    with folder.locked(shared=True):
        left = plan.left(folder.done(), task, tasks)
        if left:
            score_shards(plan, load_engines(), folder, left, on_progress)
    return len(left)


class Processes:
    """Several processes on this machine, on CPUs of one thread each, on GPUs one a card.

    Args:
        workers: How many.
    """

    def __init__(self, workers: int) -> None:
        self.workers = workers

    def __call__(self, work: Work) -> bool:
        """As of [`Executor`]; each process takes the next shard when it is done with another.

        Raises:
            InputError: From [`score_shards`], or if a process was ended from outside.
        """
        work.engines.clear()
        count = min(self.workers, len(work.shards))
        if not count:
            return True
        # Not forked: a child would inherit torch's threads, of which none lives in it, and a GPU's context.
        context = multiprocessing.get_context("spawn")
        taken, scored = context.Value("q", 0), context.Value("q", 0)
        pool = ProcessPoolExecutor(count, context, _begin, (taken, scored))
        try:
            arguments = (work.folder.path, list(work.shards), work.load_engines)
            with _begun_ignoring_interrupts():
                futures = [pool.submit(_score_what_is_left, number, *arguments) for number in range(count)]
            self._wait(futures, work, scored)
        except BrokenProcessPool:
            raise InputError(
                "A worker was ended from outside, most likely for want of memory. What is done stays, and the same "
                "command goes on with it; fewer --workers need less."
            ) from None
        finally:
            # What a worker has begun and not ended is another run's to do.
            for process in list((pool._processes or {}).values()):
                process.terminate()
            pool.shutdown(cancel_futures=True)
        return True

    @staticmethod
    def _wait(futures: Sequence[Future[None]], work: Work, scored: Any) -> None:
        running, counted = set(futures), 0
        while running:
            done, running = wait(running, SECONDS_BETWEEN_LOOKS, FIRST_COMPLETED)
            for future in done:
                future.result()
            now = scored.value
            work.on_progress(now - counted)
            counted = now


# Of a worker's process: what all of them count, shards that one has taken and pairs that are scored.
_taken: Any = None
_scored: Any = None


def _begin(taken: Any, scored: Any) -> None:
    global _taken, _scored
    parent = multiprocessing.parent_process()
    if parent is not None:
        end_with(parent)
    _taken, _scored = taken, scored


@contextmanager
def _begun_ignoring_interrupts() -> Iterator[None]:
    """Processes that are begun within it do not hear Ctrl-C, which a terminal sends to all: their parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    # What is blocked in a process is blocked in those that it begins.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def end_with(parent: Any) -> None:
    """Ends this process when the one that began it is gone, however that ended."""

    def wait_and_end() -> None:
        wait_for([parent.sentinel])
        os._exit(1)

    threading.Thread(target=wait_and_end, daemon=True).start()


def _score_what_is_left(number: int, path: str, shards: Sequence[int], load_engines: LoadEngines) -> None:
    """What one worker does: in rising order, so that it reads each file once."""
    if torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())
    else:
        # Two threads on two busy cores wait for each other longer than they work.
        torch.set_num_threads(1)
    folder = OutputFolder(path)
    plan = folder.plan()
    if plan is None:
        raise InputError(f"{path} has no plan of a run any more.")

    def count(pairs: int) -> None:
        with _scored.get_lock():
            _scored.value += pairs

    score_shards(plan, load_engines(), folder, _next_ones(shards), count)


def _next_ones(shards: Sequence[int]) -> Iterator[int]:
    while True:
        with _taken.get_lock():
            position = _taken.value
            _taken.value += 1
        if position >= len(shards):
            return
        yield shards[position]


class Ranks:
    """The processes that `accelerate launch` has begun: each takes every so-manieth shard, so that none is done twice.

    The first plans and finishes; the others call [`follow`].
    """

    def __init__(self) -> None:
        from accelerate import PartialState

        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=_PATIENCE)

    @staticmethod
    def are_launched() -> bool:
        """Whether this process is one of several."""
        return int(os.environ.get("WORLD_SIZE", "1")) > 1

    @property
    def is_first(self) -> bool:
        """Whether this process plans and finishes."""
        return bool(self._state.is_main_process)

    def __call__(self, work: Work) -> bool:
        """As of [`Executor`], of the first process."""
        work.lock.share()
        self._state.wait_for_everyone()
        mine = work.plan.left(work.folder.done(), self._state.process_index, self._state.num_processes)
        score_shards(work.plan, work.engines, work.folder, mine, work.on_progress)
        self._state.wait_for_everyone()
        work.lock.own()
        return True

    def follow(self, folder: OutputFolder, load_engines: LoadEngines) -> None:
        """What the other processes do."""
        self._state.wait_for_everyone()
        score_as_task(folder, load_engines, self._state.process_index, self._state.num_processes)
        self._state.wait_for_everyone()
