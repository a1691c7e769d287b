"""How far work is, on a terminal and in a log."""

import os
import pty
import subprocess
import sys
import termios

import datasets
import pytest
from huggingface_hub.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars
from transformers.utils import logging

from modeling_empathy import phases
from modeling_empathy.phases import hide_other_bars, phase


@pytest.fixture
def in_log(monkeypatch):
    monkeypatch.setattr(phases, "_is_drawn_over", lambda: False)


def test_in_a_log_a_phase_has_a_line_at_its_beginning_and_one_at_its_end(in_log, capsys):
    with phase("Scoring", 100, "pairs") as line:
        for _ in range(100):
            line.update()
    begun, ended = capsys.readouterr().err.splitlines()
    assert begun.startswith("Scoring: 0 of 100 pairs [")
    assert ended.startswith("Scoring: 100 of 100 pairs [")


def test_a_log_holds_nothing_that_moves_a_cursor(in_log, capsys):
    with phase("Reading", unit="rows") as line:
        line.update(7)
    shown = capsys.readouterr().err
    assert "Reading: 7 rows" in shown
    assert all(char.isprintable() or char == "\n" for char in shown)


def test_what_is_not_counted_is_named_once(in_log, capsys):
    with phase("Reading the corpus"):
        pass
    assert capsys.readouterr().err == "Reading the corpus\n"


def test_a_line_that_is_late_does_not_appear_for_what_is_quick(in_log, capsys):
    with phase("Looking", 5, "files", delay=60) as line:
        line.update(5)
    with phase("Scoring", 5, "pairs", is_shown=False) as line:
        line.update(5)
    assert capsys.readouterr().err == ""


@pytest.mark.slow
def test_on_a_terminal_a_phase_takes_one_line():
    script = "from modeling_empathy.phases import phase\nwith phase('Scoring', 3, 'pairs') as line: line.update(3)"
    ours, theirs = pty.openpty()
    termios.tcsetwinsize(ours, (24, 100))
    with subprocess.Popen([sys.executable, "-c", script], stderr=theirs) as process:
        process.wait()
    os.close(theirs)
    shown = os.read(ours, 10_000).decode()
    os.close(ours)
    assert shown.count("\n") == 1
    assert shown.count("\r") > 2


@pytest.mark.parametrize("downloads_are_shown", [True, False])
def test_other_bars_are_off_and_those_of_downloads_as_they_were(downloads_are_shown):
    datasets_are_shown, transformers_are_shown, hub_is_shown = (
        not datasets.are_progress_bars_disabled(),
        logging.is_progress_bar_enabled(),
        not are_progress_bars_disabled(),
    )
    enable_progress_bars() if downloads_are_shown else disable_progress_bars()
    try:
        hide_other_bars()
        assert datasets.are_progress_bars_disabled()
        assert not logging.is_progress_bar_enabled()
        assert are_progress_bars_disabled() is not downloads_are_shown
    finally:
        datasets.enable_progress_bars() if datasets_are_shown else datasets.disable_progress_bars()
        logging.enable_progress_bar() if transformers_are_shown else logging.disable_progress_bar()
        enable_progress_bars() if hub_is_shown else disable_progress_bars()
