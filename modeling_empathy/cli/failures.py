"""How a command ends that can't go on: one message and an exit code, no stack, and nothing half-written."""

from __future__ import annotations

import functools
import gc
import os
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from ..errors import InputError, first_line, shortened


# Ctrl-C, and what a terminal that closes, `kill` and a scheduler that wants its machine back send.
_STOPPING = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
# Seconds in which a further signal is taken for the same wish, so that it does not interrupt the cleaning up. If the
# command still goes on after them, it is sent the signal anew.
_SAME_WISH = 5.0

# What torch, its allocators, ONNX Runtime and the C++ library say when they get no memory: none has an error for it.
_NO_MEMORY = re.compile(
    r"out of memory|(can't|cannot|failed to) allocate|not enough memory|bad.?alloc|failed to map segment|"
    # Of modules in C that are imported when there is hardly any.
    r"can't start new thread|error return without exception set",
    re.IGNORECASE,
)
_LESS_MEMORY = (
    "a smaller model, and for training and evaluating fewer pairs at once (--batch_size, "
    "--per_device_train_batch_size), need less"
)

# When a signal to stop was heard last, in seconds of the clock that only goes forward.
_heard = -_SAME_WISH


class Stopped(KeyboardInterrupt):
    """A signal that asks the process to end.

    Attributes:
        signal_number: Which.
    """

    def __init__(self, signal_number: int) -> None:
        super().__init__()
        self.signal_number = signal_number


def run_command(command: Callable[[], object]) -> None:
    """Runs the command of a process to the process's end; for scripts, and not for functions that others call.

    What the standard output can't spell is escaped. After a signal, the process dies by it, as every program does that
    does nothing about signals: so a shell's loop ends at Ctrl-C, and no thread is waited for that reads what never
    comes.
    """
    if sys.stdout is not None and hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        command()
        return
    except KeyboardInterrupt:  # before or behind the command's own part
        number = signal.SIGINT
    except SystemExit as end:
        ended_by = {128 + number: number for number in _STOPPING}
        if end.code not in ended_by:
            raise
        number = ended_by[end.code]
    _flush_output()
    # What is held by what was interrupted, as semaphores of processes, is given back.
    gc.collect()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


def say(text: str, *, is_result: bool = False) -> None:
    """Prints on standard output what a command has to say, at once.

    Who closes a pipe has read enough, as `head` has: that is no failure. Nor is another one, if the work is done and
    the text is but a notice of it.

    Args:
        text: A line or more.
        is_result: Whether the text is what the command was run for.

    Raises:
        OSError: If a result can't be printed, as on a full disk.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        _give_up_printing()
        if isinstance(error, BrokenPipeError):
            return
        if is_result:
            raise OSError(error.errno, error.strerror, "standard output") from None
        tell(f"standard output: {error.strerror}\n{text}")


def tell(message: str) -> None:
    """Prints on standard error; where that is closed or full, nobody can be told."""
    with suppress(OSError):
        if sys.stderr is not None:  # or it would be printed on standard output
            print(message, file=sys.stderr, flush=True)


def reports_errors(
    program: str, when_interrupted: str = "nothing unfinished was left behind"
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
def reporting(name: str, when_interrupted: str = "nothing unfinished was left behind") -> Iterator[None]:
    """Turns what a user can mend, and a signal to stop, into one message on standard error and an exit code.

    Args:
        name: Of the command, as the message calls it.
        when_interrupted: What is said of the work that was not done.

    Raises:
        SystemExit: With 2 for what a user can mend, and for a signal with 128 and its number, as shells have it.
    """
    with _signals_raise():
        try:
            yield
            _flush_output()
        except BaseException as error:
            if (interruption := _interruption(error)) is not None:
                tell(f"\n{name}: interrupted; {when_interrupted}")
                sys.exit(128 + getattr(interruption, "signal_number", signal.SIGINT))
            message = _message(error) if isinstance(error, Exception) else None
            if message is None:
                raise
            tell(f"{name}: error: {message}")
            sys.exit(2)


def _interruption(error: BaseException) -> KeyboardInterrupt | None:
    """The signal to stop that ended the work; None if an error did."""
    # Who cleans up behind a signal may fail at it, as where the same signal has ended a process that it calls.
    cause: BaseException | None = error
    while cause is not None and not isinstance(cause, KeyboardInterrupt):
        cause = cause.__context__
    return cause


def _message(error: Exception) -> str | None:
    """What a user is told of an error, or of what another library's error came from; None if it is ours to mend."""
    # What a loading function says of a file it could not load may come of too little memory.
    for cause in (error, error.__context__):
        if isinstance(cause, MemoryError) or _NO_MEMORY.search(str(cause)):
            return f"out of memory ({shortened(first_line(error))}): {_LESS_MEMORY}"
    if isinstance(error, InputError):
        return str(error)
    if isinstance(error, OSError):
        # Its own text begins with its number.
        return f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
    return _message(error.__cause__) if isinstance(error.__cause__, Exception) else None


def _flush_output() -> None:
    """Prints what is kept, here where that it can't be is no stack. It is a notice: a result has been printed."""
    try:
        if sys.stdout is not None:
            sys.stdout.flush()
    except OSError as error:
        _give_up_printing()
        if not isinstance(error, BrokenPipeError):
            tell(f"standard output: {error.strerror}")


def _give_up_printing() -> None:
    """Sends what is still to be printed to nowhere: at its end, Python prints what it has kept, and would fail."""
    with suppress(OSError, ValueError):  # a stream of Python's alone has no number
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _signals_raise() -> Iterator[None]:
    """Within it, signals to stop raise [`Stopped`], so that what cleans up behind an error cleans up behind them."""
    reminder: threading.Timer | None = None

    def stop(number: int, frame: Any) -> None:
        global _heard
        nonlocal reminder
        if time.monotonic() - _heard >= _SAME_WISH:
            _heard = time.monotonic()
            # The exception may be lost in a library that catches all there are, as some do where they import.
            if reminder is not None:
                reminder.cancel()
            reminder = threading.Timer(_SAME_WISH, os.kill, (os.getpid(), number))
            reminder.daemon = True
            reminder.start()
            raise Stopped(number)

    global _heard
    _heard = -_SAME_WISH
    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets no other thread handle signals.
        return
    replaced = {number: signal.getsignal(number) for number in _STOPPING}
    # What is ignored stays so: `nohup` has a command go on when its terminal closes. None is a handler of C.
    replaced = {number: handler for number, handler in replaced.items() if handler not in (signal.SIG_IGN, None)}
    for number in replaced:
        signal.signal(number, stop)
    try:
        yield
    finally:
        if reminder is not None:
            reminder.cancel()
        for number, handler in replaced.items():
            signal.signal(number, handler)
