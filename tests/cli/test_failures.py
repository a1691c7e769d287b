"""How commands end: by signals, by errors that users can mend, and by those that they can't."""

import contextlib
import signal
import subprocess
import sys
import threading
import time

import pytest

from modeling_empathy.cli import failures
from modeling_empathy.cli.failures import Stopped, reporting, say
from modeling_empathy.errors import InputError
from tests.attacks.attempts import REPOSITORY


STOPPING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@pytest.fixture(autouse=True)
def usual_handlers():
    """Those of a process in a terminal, wherever the tests run: in the background some are ignored."""
    usual = (signal.default_int_handler, signal.SIG_DFL, signal.SIG_DFL)
    before = [signal.signal(number, handler) for number, handler in zip(STOPPING, usual, strict=True)]
    yield
    for number, handler in zip(STOPPING, before, strict=True):
        signal.signal(number, handler)


def ended_by(error: BaseException, capsys) -> tuple[int, str]:
    with pytest.raises(SystemExit) as end, reporting("empathy score"):
        raise error
    return end.value.code, capsys.readouterr().err.strip()


def test_what_can_be_mended_is_a_line_and_a_code(capsys):
    assert ended_by(InputError("no such row"), capsys) == (2, "empathy score: error: no such row")
    missing = FileNotFoundError(2, "No such file or directory", "pairs.csv")
    assert ended_by(missing, capsys) == (2, "empathy score: error: pairs.csv: No such file or directory")
    wrapped = RuntimeError("the library's own words")
    wrapped.__cause__ = missing
    assert ended_by(wrapped, capsys)[1].endswith("pairs.csv: No such file or directory")
    # An error of ours that says something else, because memory was short.
    try:
        try:
            raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried")
        except RuntimeError:
            raise InputError("not the configuration of a model") from None
    except InputError as error:
        code, message = ended_by(error, capsys)
    assert code == 2 and "out of memory" in message and "--batch_size" in message


def test_what_is_ours_to_mend_keeps_its_stack(capsys):
    for fault in (RuntimeError("shapes differ"), KeyError("name"), ValueError("of another library")):
        with pytest.raises(type(fault)), reporting("empathy score"):
            raise fault
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("number", STOPPING)
def test_a_signal_unwinds_and_further_ones_do_not_disturb_it(number, capsys):
    cleaned = []

    def work():
        try:
            signal.raise_signal(number)
        finally:
            for other in STOPPING:
                signal.raise_signal(other)
            cleaned.append(True)

    before = [signal.getsignal(each) for each in STOPPING]
    with pytest.raises(SystemExit) as end, reporting("empathy score"):
        work()
    assert end.value.code == 128 + number and cleaned
    assert capsys.readouterr().err == "\nempathy score: interrupted; nothing unfinished was left behind\n"
    assert [signal.getsignal(each) for each in STOPPING] == before


def test_a_signal_whose_exception_was_lost_is_heard_when_it_comes_again(monkeypatch):
    clock = iter([0.0, 0.0, 1.0, failures._SAME_WISH, failures._SAME_WISH])
    monkeypatch.setattr(failures.time, "monotonic", lambda: next(clock))
    with pytest.raises(SystemExit), reporting("empathy score"):
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)  # a second later: the same wish
        with pytest.raises(Stopped):
            signal.raise_signal(signal.SIGTERM)
        raise InputError("done")


def test_a_signal_whose_exception_was_lost_comes_again_by_itself(monkeypatch, capsys):
    monkeypatch.setattr(failures, "_SAME_WISH", 0.05)
    with pytest.raises(SystemExit) as end, reporting("empathy score"):
        with contextlib.suppress(BaseException):
            signal.raise_signal(signal.SIGTERM)
        time.sleep(60)
        raise InputError("it was never heard")
    assert end.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr().err.count("interrupted") == 1


def test_an_error_of_cleaning_up_behind_a_signal_is_the_signals(capsys):
    # As of a process that the same signal has ended, when it is asked to end.
    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            raise FileNotFoundError(2, "No such file or directory")

    with pytest.raises(SystemExit) as end, reporting("empathy score"):
        work()
    assert end.value.code == 128 + signal.SIGTERM
    assert capsys.readouterr().err == "\nempathy score: interrupted; nothing unfinished was left behind\n"


def test_what_is_ignored_stays_ignored_and_other_threads_are_left_alone():
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with reporting("empathy score"):
        signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN
    codes = []

    def in_a_thread():
        try:
            with reporting("empathy score"):
                raise InputError("no such row")
        except SystemExit as end:
            codes.append(end.code)

    thread = threading.Thread(target=in_a_thread)
    thread.start()
    thread.join()
    assert codes == [2]


def test_a_process_dies_by_the_signal_and_does_not_wait_for_its_threads():
    # Shells end a loop at Ctrl-C by how a command died, and not by its exit code.
    code = (
        "import signal, threading, time\n"
        "from modeling_empathy.cli.failures import reporting, run_command\n"
        "def command():\n"
        "    threading.Thread(target=time.sleep, args=(100,)).start()\n"
        "    with reporting('empathy score'):\n"
        "        signal.signal(signal.SIGINT, signal.getsignal(signal.SIGTERM))\n"
        "        print('so far')\n"
        "        signal.raise_signal(signal.SIGINT)\n"
        "run_command(command)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == -signal.SIGINT
    assert done.stdout == "so far\n" and done.stderr.count("interrupted") == 1


def test_a_result_that_can_not_be_printed_is_a_failure_and_a_notice_is_none(monkeypatch, capsys):
    def full(*args, **kwargs):
        if kwargs.get("file") is None:
            raise OSError(28, "No space left on device")
        kwargs["file"].write(" ".join(args))

    monkeypatch.setattr("builtins.print", full)
    say("It is done.")
    assert "standard output: No space left on device\nIt is done." in capsys.readouterr().err
    with pytest.raises(OSError) as refused:
        say("a table", is_result=True)
    assert refused.value.filename == "standard output"
