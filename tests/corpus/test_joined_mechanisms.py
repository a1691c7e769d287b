"""Files of several mechanisms joined: the fuller texts stay, spans are carried over, what differs is refused."""

from pathlib import Path

import pytest

from modeling_empathy.corpus.alignment_report import AlignmentReport
from modeling_empathy.corpus.annotated_csv import read_mechanism
from modeling_empathy.corpus.joined_mechanisms import join_mechanisms
from modeling_empathy.errors import InputError
from tests.csv_files import write_csv


ROW = ("s1", "r1", "I feel low, today", "I am sorry. What happened?", 1, "I am sorry|")


def read(path: Path):
    return read_mechanism(path, AlignmentReport())


def joined(tmp_path, er_rows, ip_rows):
    files = {
        "emotional_reactions": ("er.csv", read(write_csv(tmp_path / "er.csv", er_rows))),
        "interpretations": ("ip.csv", read(write_csv(tmp_path / "ip.csv", ip_rows))),
    }
    return join_mechanisms(files)


def test_joining_keeps_the_fuller_texts_and_carries_the_spans(tmp_path):
    er = ("s1", "r1", "I feel  low", "Welcome to . I am sorry.", 1, "I am sorry|Welcome to .|")
    ip = ("s1", "r1", "I feel  low on reddit", "Welcome to  reddit. I am  sorry.", 2, "I am sorry|")
    [pair] = joined(tmp_path, [er], [ip])
    assert pair.seeker_post == "I feel  low on reddit"
    assert pair.response_post == "Welcome to  reddit. I am  sorry."
    annotations = {
        mechanism: (level, [pair.response_post[start:end] for start, end in spans])
        for mechanism, (level, spans) in pair.annotations.items()
    }
    assert annotations == {
        "emotional_reactions": (1, ["I am  sorry", "Welcome to  reddit."]),
        "interpretations": (2, ["I am  sorry"]),
    }


def test_white_space_does_not_make_a_copy_the_fuller_one(tmp_path):
    er = ("s1", "r1", "a", "Welcome     to  .     I am     sorry.", 1, "I am     sorry|")
    ip = ("s1", "r1", "a", "Welcome to reddit. I am sorry.", 2, "I am sorry|")
    [pair] = joined(tmp_path, [er], [ip])
    assert pair.response_post == "Welcome to reddit. I am sorry."
    for _, spans in pair.annotations.values():
        assert [pair.response_post[start:end] for start, end in spans] == ["I am sorry"]


def test_files_that_do_not_join_are_refused_by_row(tmp_path):
    further = ("s2", "r2", "a", "b", 0, "")
    with pytest.raises(InputError, match=r"er.csv has 2 rows and ip.csv has 1"):
        joined(tmp_path, [ROW, further], [ROW])
    with pytest.raises(InputError, match=r"Row 2, column 'sp_id': er.csv \(line 3\) has 's2' and ip.csv .* 's1'"):
        joined(tmp_path, [ROW, further], [ROW, ROW])
    changed = (*ROW[:3], "Something else entirely", 0, "")
    with pytest.raises(InputError, match=r"Row 1, column 'response_post': the texts of .* differ"):
        joined(tmp_path, [ROW], [changed])
