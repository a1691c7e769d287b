"""Shards of a plan: every row in one of them, whatever the files' sizes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from modeling_empathy.jobs.plan import Piece, Plan, PlannedFile, ScoringOptions


def plan(rows: list[int], shard_rows: int | None) -> Plan:
    files = [
        PlannedFile(f"/{number}.csv", f"{number}.csv", "csv", 1, "0" * 64, count) for number, count in enumerate(rows)
    ]
    return Plan(files, ScoringOptions(shard_rows=shard_rows), [], ["explorations"], {"votes": "int"})


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.integers(1, 40))
def test_every_row_of_every_file_is_in_one_shard_and_in_its_order(rows, shard_rows):
    made = plan(rows, shard_rows)
    pieces = [piece for shard in range(made.shards) for piece in made.pieces(shard)]
    read = [(piece.file, row) for piece in pieces for row in range(piece.start, piece.start + piece.rows)]
    assert read == [(file, row) for file, count in enumerate(rows) for row in range(count)]
    # Of a file without rows that can be read somebody has to say what can't be.
    assert {piece.file for piece in pieces} == set(range(len(rows)))
    for shard in range(made.shards - 1):
        assert sum(piece.rows for piece in made.pieces(shard)) == shard_rows


def test_pieces_are_those_that_one_would_expect():
    assert plan([5, 0, 7], 4).pieces(1) == [Piece(0, 4, 1), Piece(1, 0, 0), Piece(2, 0, 3)]
    assert plan([0], 4).pieces(0) == [Piece(0, 0, 0)]


def test_a_plan_is_what_it_was_once_it_has_been_written_down():
    made = plan([5, 0, 7], 4)
    again = Plan.from_json(made.to_json())
    assert again == made and not again.differences(made)
    for text in ("{}", "[]", "{", '{"options": 3}'):
        with pytest.raises(ValueError):
            Plan.from_json(text)


@pytest.mark.parametrize(("rows", "shard_rows"), [(0, 1024), (5000, 1024), (235_000, 7168), (10**9, 8192)])
def test_a_shard_is_of_whole_chunks_and_short_inputs_have_some_for_each_worker(rows, shard_rows):
    assert plan([rows], None).shard_rows == shard_rows
