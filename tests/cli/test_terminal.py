"""What is shown of results, to somebody who looks and to a file."""

import json
import re

import pytest

from modeling_empathy.cli import terminal
from modeling_empathy.cli.terminal import say_markdown, say_scored_pairs
from modeling_empathy.jobs.input_pairs import InputPair
from modeling_empathy.jobs.score_writer import ScoreWriter


TABLE = "| mechanism | accuracy |\n| --- | --- |\n| explorations | 0.911 |"
RESPONSE = "I'm so sorry. [bold]What happened?[/bold]"


@pytest.fixture
def on_terminal(monkeypatch):
    """As where standard output is one; rich draws as if it were one of colours."""
    monkeypatch.setattr(terminal, "is_terminal", lambda: True)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")


def span(text, score=0.9):
    start = RESPONSE.index(text)
    return {"start": start, "end": start + len(text), "text": text, "score": score}


def scored(level, *spans):
    levels = {0: (0.8, 0.1, 0.1), 1: (0.1, 0.8, 0.1), 2: (0.1, 0.1, 0.8)}[level]
    scores = dict(zip(("no", "weak", "strong"), levels, strict=True))
    return {"level": level, "scores": scores, "rationales": list(spans), "token_mask": [0, 1, 1]}


def written(path, file_format="csv", rationale_format="spans", response=RESPONSE):
    result = {
        "emotional_reactions": scored(2, span("I'm so sorry.")),
        "interpretations": scored(0, span("sorry")),
        "explorations": scored(1, span("What happened?")),
    }
    writer = ScoreWriter(path, file_format, list(result), rationale_format)
    writer.write([(InputPair(f"pair-{number}", "I feel lost.", response), result) for number in range(4)])
    writer.close()
    return path


def without_colours(text):
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


def test_elsewhere_a_table_is_markdown(capsys):
    say_markdown(TABLE)
    assert capsys.readouterr().out == TABLE + "\n"


def test_on_a_terminal_a_table_is_drawn(capsys, on_terminal):
    say_markdown(TABLE)
    shown = without_colours(capsys.readouterr().out)
    assert "|" not in shown
    assert "explorations" in shown and "0.911" in shown


@pytest.mark.parametrize("file_format", ["csv", "jsonl", "parquet"])
def test_the_first_pairs_are_shown_with_levels_and_words(tmp_path, capsys, file_format):
    path = written(tmp_path / f"scores.{file_format}", file_format)
    say_scored_pairs(str(path), 2, is_folder=False)
    shown = capsys.readouterr().out
    assert [line for line in shown.splitlines() if line.startswith("pair")] == ["pair-0", "pair-1"]
    assert "  emotional reactions: strong (0.80) “I'm so sorry.”\n" in shown
    # At level 0 no words are shown, whatever the model marked.
    assert "  interpretations: no (0.80)\n" in shown
    assert "  explorations: weak (0.80) “What happened?”\n" in shown


def test_of_a_folder_the_first_shard_is_shown(tmp_path, capsys):
    written(tmp_path / "part-000000.parquet", "parquet")
    say_scored_pairs(str(tmp_path), 1, is_folder=True)
    assert "pair-0" in capsys.readouterr().out


def test_on_a_terminal_words_are_coloured_and_quoted(tmp_path, capsys, on_terminal):
    say_scored_pairs(str(written(tmp_path / "scores.csv")), 1, is_folder=False)
    shown = capsys.readouterr().out
    # Highlighted where they stand, before the table in which they are quoted.
    assert re.search(r"\x1b\[[0-9;]*mI'm so sorry\.\x1b", shown)
    assert "“I'm so sorry.”" in without_colours(shown)
    # What looks like markup of the library that draws is what somebody wrote.
    assert RESPONSE in without_colours(shown)


def test_a_post_can_not_move_the_cursor(tmp_path, capsys, monkeypatch):
    path = written(tmp_path / "scores.jsonl", "jsonl", response=f"{RESPONSE}\x1b[2Jgone\r")
    for is_terminal in (False, True):
        monkeypatch.setattr(terminal, "is_terminal", lambda looked_at=is_terminal: looked_at)
        say_scored_pairs(str(path), 1, is_folder=False)
        shown = capsys.readouterr().out
        assert "gone" in shown
        assert "\x1b[2J" not in shown and "\r" not in shown


def test_rationales_as_masks_are_no_words(tmp_path, capsys):
    path = written(tmp_path / "scores.csv", rationale_format="mask")
    assert json.loads(path.read_text().split('"')[1]) == [0, 1, 1]
    say_scored_pairs(str(path), 1, is_folder=False)
    assert "  emotional reactions: strong (0.80)\n" in capsys.readouterr().out
