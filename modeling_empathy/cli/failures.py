"""How a command ends that can't go on: one message and an exit code, no stack, and nothing half-written."""

from __future__ import annotations

import functools
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from ..errors import InputError


# What a terminal that closes, `kill` and a scheduler that wants its machine back send. Ctrl-C raises by itself.
_STOPPING = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name))


class Stopped(KeyboardInterrupt):
    """A signal that asks the process to end.

    Attributes:
        signal_number: Which.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


def reports_errors(
    program: str, when_interrupted: str = "nothing was written"
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Puts a command of `program` under [`reporting`]."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        # As typer names commands.
        name = f"{program} {command.__name__.replace('_', '-')}"

        # typer reads a command's options from its signature, which `wraps` hands on.
        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> None:
            with reporting(name, when_interrupted):
                command(*args, **kwargs)

        return wrapped

    return decorate


@contextmanager
def reporting(name: str, when_interrupted: str = "nothing was written") -> Iterator[None]:
    """Turns what a user can mend, and a signal to stop, into one message on standard error and an exit code.

    Args:
        name: Of the command, as the message calls it.
        when_interrupted: What is said of the work that was not done.

    Raises:
        SystemExit: With 2 for what a user can mend, and for a signal with 128 and its number, as shells have it.
    """
    try:
        with _signals_raise():
            yield
        return
    except InputError as error:
        message = str(error)
    except OSError as error:
        # Its own text begins with its number.
        message = f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
    except KeyboardInterrupt as interruption:
        number = getattr(interruption, "signal_number", signal.SIGINT)
        print(f"\n{name}: interrupted; {when_interrupted}", file=sys.stderr)
        sys.exit(128 + number)
    print(f"{name}: error: {message}", file=sys.stderr)
    sys.exit(2)


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Within it, signals to stop raise [`Stopped`], so that what cleans up behind an error cleans up behind them."""

    def stop(number: int, frame: Any) -> None:
        # A second signal would interrupt the cleaning up.
        for stopping in (*_STOPPING, signal.SIGINT):
            signal.signal(stopping, signal.SIG_IGN)
        raise Stopped(number)

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets no other thread handle signals.
        return
    # What is ignored stays so: `nohup` has a command go on when its terminal closes.
    replaced = {number: signal.getsignal(number) for number in _STOPPING}
    replaced = {number: handler for number, handler in replaced.items() if handler != signal.SIG_IGN}
    interrupt = signal.getsignal(signal.SIGINT)
    for number in replaced:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in [*replaced.items(), (signal.SIGINT, interrupt)]:
            signal.signal(number, handler)
