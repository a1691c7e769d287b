"""What a command takes: seconds, and the most memory that it and the processes it begins hold at once."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress

import psutil


def watched(command: Sequence[str], pause: float, environment: Mapping[str, str] | None = None) -> tuple[float, int]:
    """Runs a command that must succeed.

    Args:
        command: It and its arguments.
        pause: Seconds between two looks at its memory.
        environment: Of its process; this one's when left out.

    Returns:
        Seconds and bytes.

    Raises:
        SystemExit: If it fails.
    """
    started, peak = time.perf_counter(), 0
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    while process.poll() is None:
        peak = max(peak, memory_of(process.pid))
        with suppress(subprocess.TimeoutExpired):
            process.wait(pause)
    seconds = time.perf_counter() - started
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return seconds, peak


def memory_of(pid: int) -> int:
    """Bytes that a process and its children hold, of what they share each a part."""
    try:
        process = psutil.Process(pid)
        return sum(one.memory_full_info().pss for one in [process, *process.children(recursive=True)])
    except psutil.NoSuchProcess:
        return 0
