"""Attacks by signals to stop, each at a real process."""

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.attacks.attempts import GOOD_PAIRS, Attack, contents, start, write


FROM_STDIN = "empathy score --model MODEL --input_path - --output_path new/scores.csv"
SCORE = "empathy score --model MODEL --input_path pairs.csv --output_path new/scores.csv"
_ROW = "3,I feel alone.,I am so sorry. What happened?\n"
MANY_PAIRS = GOOD_PAIRS + _ROW * 100_000
# More than the model is loaded for, less than a pipe takes at once.
A_CHUNK = GOOD_PAIRS + _ROW * 1100
EVALUATE = "empathy evaluate --model MODEL --source sample --output_path new/metrics.json"
EXPORT = "empathy export-dataset new/out --source sample"
TRAIN = "train_hf.py --encoder embedded --source sample --output_dir out"
# Whatever was set up before: a test runner that was itself started in the background ignores Ctrl-C.
USUAL = (
    "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
    "[signal.signal(number, signal.SIG_DFL) for number in (signal.SIGTERM, signal.SIGHUP)]"
)


class Running(NamedTuple):
    """A process, its working folder, and the file that it tells what goes on."""

    process: subprocess.Popen[str]
    folder: Path
    log: Path

    def told(self) -> str:
        return self.log.read_text(errors="replace")


def stopped(
    name: str,
    command: str,
    signals: list[signal.Signals],
    when: Callable[[Running], bool],
    given: str | None = None,
) -> Attack:
    """A command that is sent signals dies of one of them, with a line and no stack, and leaves nothing.

    Args:
        name: Of the attack.
        command: The command line.
        signals: What it is sent, one straight after the other.
        when: Says whether it is time.
        given: What it reads from a standard input that stays open.
    """

    def attempt(folder: Path) -> None:
        write({"pairs.csv": MANY_PAIRS}, folder)
        with _started(command, folder, given) as running:
            _wait_until(lambda: when(running), running)
            code, message = _end_by(signals, running)
        assert code in [-number for number in signals], f"{code}: {message}"
        assert "Traceback" not in message and "Exception ignored" not in message, message
        assert message.count("interrupted; nothing unfinished was left behind") == 1, message
        assert list(contents(folder)) == ["pairs.csv"]

    return Attack(name, attempt)


def finished(name: str, command: str, before: str, signals: list[signal.Signals], output: str) -> Attack:
    """A command that was told to ignore signals ends its work in spite of them."""

    def attempt(folder: Path) -> None:
        write({"pairs.csv": GOOD_PAIRS}, folder)
        with _started(command, folder, None, before) as running:
            _wait_until(lambda: writes(running), running)
            code, message = _end_by(signals, running)
        assert code == 0, message
        assert (folder / output).exists()

    return Attack(name, attempt)


def left_by_a_dead_run(folder: Path) -> None:
    """A run at work on an output keeps another from it; what it leaves when it is killed, the next one clears."""
    write({"pairs.csv": A_CHUNK}, folder)
    with _started(FROM_STDIN, folder, A_CHUNK) as first:
        _wait_until(lambda: waits(first), first)
        with _started(SCORE, folder, None) as second:
            assert second.process.wait(timeout=120) == 2 and "Another run is writing to" in second.told()
        _end_by([signal.SIGKILL], first)
    with _started(SCORE, folder, None) as again:
        assert again.process.wait(timeout=120) == 0, again.told()
    assert [path.name for path in (folder / "new").iterdir()] == ["scores.csv"]


@contextmanager
def _started(command: str, folder: Path, given: str | None, before: str = USUAL) -> Iterator[Running]:
    """A running process, which is killed if it is still there in the end."""
    log = folder.with_name(f"{folder.name}-{time.monotonic_ns()}.log")
    stdin = subprocess.DEVNULL if given is None else subprocess.PIPE
    with log.open("wb") as stderr:
        process = start(command, folder, before, stdin=stdin, stderr=stderr, stdout=subprocess.DEVNULL)
    if process.stdin is not None and given:
        process.stdin.write(given)
        process.stdin.flush()
    try:
        yield Running(process, folder, log)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()


def _end_by(signals: list[signal.Signals], running: Running) -> tuple[int, str]:
    """Its exit code and all that it told, once it has been sent the signals."""
    for number in signals:
        running.process.send_signal(number)
    return running.process.wait(timeout=60), running.told()


def _wait_until(is_time: Callable[[], bool], running: Running) -> None:
    deadline = time.monotonic() + 120
    while not is_time():
        assert running.process.poll() is None, f"it has ended already: {running.told()}"
        assert time.monotonic() < deadline, "the moment has not come"
        time.sleep(0.01)


def imports(running: Running) -> bool:
    """Whether torch is being imported: its library is mapped into the process."""
    return "libtorch_cpu" in Path(f"/proc/{running.process.pid}/maps").read_text()


def writes(running: Running) -> bool:
    return any(running.folder.rglob(".*"))


def computes(running: Running) -> bool:
    """Whether first scores are written: then the next chunk is being computed, and the one behind it read."""
    return any(path.is_file() and path.stat().st_size > 1000 for path in running.folder.rglob(".*part-000000.csv"))


def waits(running: Running) -> bool:
    """Whether what it is given is being read, of which there is more to come."""
    return any(running.folder.rglob(".*standard_input"))


ATTACKS: list[Attack] = [
    stopped("SIGTERM while it is imported", SCORE, [signal.SIGTERM], imports),
    stopped("Ctrl-C while it is imported", EVALUATE, [signal.SIGINT], imports),
    stopped("Ctrl-C while training is imported", TRAIN, [signal.SIGINT], imports),
    stopped("SIGTERM while scores are computed", SCORE, [signal.SIGTERM], computes),
    stopped("a terminal that closes while scores are computed", SCORE, [signal.SIGHUP], computes),
    stopped("Ctrl-C while the first pair is waited for", FROM_STDIN, [signal.SIGINT], imports, given=""),
    stopped("Ctrl-C while more pairs are waited for", FROM_STDIN, [signal.SIGINT], waits, given=A_CHUNK),
    stopped("SIGTERM while a data set is written", EXPORT, [signal.SIGTERM], writes),
    stopped("signals of all kinds at once", SCORE, [signal.SIGTERM, signal.SIGHUP, signal.SIGINT] * 5, computes),
    finished(
        "a terminal that closes under nohup",
        EXPORT,
        "import signal; signal.signal(signal.SIGHUP, signal.SIG_IGN)",
        [signal.SIGHUP],
        "new/out/README.md",
    ),
    finished(
        "Ctrl-C at what a script runs in the background",
        EXPORT,
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)",
        [signal.SIGINT],
        "new/out/README.md",
    ),
    stopped("SIGTERM while more pairs are waited for", FROM_STDIN, [signal.SIGTERM], waits, given=A_CHUNK),
    Attack("SIGKILL, and a run that still writes the same", left_by_a_dead_run),
]
