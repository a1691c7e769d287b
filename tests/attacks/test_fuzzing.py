"""Random files, configurations and texts: each is read as what it is, or refused with a message; nothing else happens.

A few hundred tries each time, and as many as there is time for with `--hypothesis-profile long`.
"""

from __future__ import annotations

import copy
import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from modeling_empathy import EmpathyConfig, EmpathyModel, EmpathyPipeline, ScoringEngine
from modeling_empathy.corpus.alignment_report import AlignmentReport
from modeling_empathy.corpus.annotated_csv import read_mechanism
from modeling_empathy.errors import InputError, RowError
from modeling_empathy.jobs.input_pairs import InputPair
from tests.jobs.test_score_files import pairs_of
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])

COLUMNS = ("id", "seeker_post", "response_post")
# What CSV and JSON give a meaning to, beside what they don't.
_PIECES = [
    '"',
    ",",
    "\n",
    "\r",
    "\r\n",
    "\0",
    "|",
    "\\",
    "{",
    "}",
    "[",
    "]",
    ":",
    "a",
    "Why? ",
    "😀",
    "\ud800",
    "\ufeff",
    "\u2028",
]
_texts = st.text(max_size=30) | st.lists(st.sampled_from(_PIECES), max_size=30).map("".join)
# No text of a post: blank, or with what no file of text can hold.
_posts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=60).filter(
    lambda text: text.strip() != ""
)
_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | _texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_texts, inner, max_size=4),
    max_leaves=6,
)


def write(path: Path, content: str) -> Path:
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    return path


def as_csv(rows: list[tuple[str, ...]]) -> str:
    file = io.StringIO()
    csv.writer(file).writerows([COLUMNS, *rows])
    return file.getvalue()


def read(path: Path) -> tuple[list[InputPair], list[RowError]]:
    """The pairs of a file and what was wrong with its other rows; a reading that stops and one that goes on agree."""
    errors: list[RowError] = []
    pairs = pairs_of(path, on_error=errors.append)
    if errors:
        with pytest.raises(RowError) as first:
            pairs_of(path)
        assert str(first.value) == str(errors[0])
    else:
        assert pairs_of(path) == pairs
    return pairs, errors


@fuzz
@given(body=_texts, header=st.just(",".join(COLUMNS) + "\n") | _texts)
def test_any_text_is_read_as_csv_or_refused(tmp_path, body, header):
    path = write(tmp_path / "pairs.csv", header + body)
    try:
        pairs, errors = read(path)
    except InputError as error:
        assert "pairs.csv" in str(error)
        return
    for pair in pairs:
        assert all(isinstance(value, str) for value in pair) and pair.response_post.strip()
    assert all("pairs.csv" in str(error) for error in errors)


@fuzz
@given(content=st.binary(max_size=200))
def test_any_bytes_are_read_as_csv_json_or_parquet_or_refused(tmp_path, content):
    for file_format in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"pairs.{file_format}"
        path.write_bytes(content)
        try:
            read(path)
        except InputError as error:
            assert path.name in str(error)


@fuzz
@given(rows=st.lists(st.tuples(st.integers().map(str), _posts, _posts), max_size=6))
def test_what_is_written_is_what_is_read(tmp_path, rows):
    assert read(write(tmp_path / "pairs.csv", as_csv(rows))) == ([InputPair(*row) for row in rows], [])
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows]
    assert read(write(tmp_path / "pairs.jsonl", "".join(f"{line}\n" for line in lines))) == (
        [InputPair(*row) for row in rows],
        [],
    )


@fuzz
@given(rows=st.lists(_values, max_size=5))
@example(rows=[{"id": [1], "seeker_post": "a", "response_post": "b"}])
@example(rows=[{"id": "\ud800", "seeker_post": "a", "response_post": "b"}])
def test_any_json_is_read_or_refused(tmp_path, rows):
    path = write(tmp_path / "pairs.jsonl", "".join(json.dumps(row) + "\n" for row in rows))
    try:
        pairs, errors = read(path)
    except InputError as error:
        assert "pairs.jsonl" in str(error)
        return
    assert len(pairs) + len(errors) == len(rows)


@fuzz
@given(row=st.fixed_dictionaries({name: _values | _posts for name in COLUMNS}))
def test_any_value_of_a_column_is_read_or_refused(tmp_path, row):
    pairs, errors = read(write(tmp_path / "pairs.jsonl", json.dumps(row) + "\n"))
    assert len(pairs) + len(errors) == 1
    for pair in pairs:
        assert (pair.seeker_post, pair.response_post) == (row["seeker_post"], row["response_post"])
        "".join(pair[:3]).encode()


@fuzz
@given(rationales=st.lists(_texts, max_size=5).map("|".join), response=_texts)
def test_any_rationale_is_aligned_to_the_response_or_listed(tmp_path, rationales, response):
    file = io.StringIO()
    header = ("sp_id", "rp_id", "seeker_post", "response_post", "level", "rationales")
    csv.writer(file).writerows([header, ("s", "r", "I failed.", response, "1", rationales)])
    path = write(tmp_path / "explorations.csv", file.getvalue())
    report = AlignmentReport()
    try:
        [pair] = read_mechanism(path, report)
    except InputError as error:
        assert "explorations.csv" in str(error)
        return
    assert len(pair.spans) + len(report.unaligned) == len(pair.rationales)
    for start, end in pair.spans:
        assert 0 <= start < end <= len(pair.response_post)


_CONFIG = tiny_model("bert").config.to_dict()
_NAMES = st.sampled_from([*_CONFIG, "attn_implementation", "num_labels", "name_or_path", "hidden_size"])
_ENCODER_NAMES = st.sampled_from([*_CONFIG["encoder_config"], "per_layer_config", "quantization_config"])


@fuzz
@given(
    changes=st.dictionaries(_NAMES | _texts, _values, max_size=2),
    encoder_changes=st.dictionaries(_ENCODER_NAMES | _texts, _values, max_size=2),
)
def test_any_configuration_makes_a_model_or_is_refused(changes, encoder_changes):
    values: dict[str, Any] = copy.deepcopy(_CONFIG) | changes
    if isinstance(values["encoder_config"], dict):
        values["encoder_config"] |= encoder_changes
    try:
        config = EmpathyConfig.from_dict(values)
    except ValueError as error:
        assert str(error)
        return
    json.dumps(config.to_dict(), default=str)


@pytest.fixture(scope="module")
def scorers() -> tuple[EmpathyPipeline, ScoringEngine]:
    model = tiny_model("bert", max_post_length=32, rationale_thresholds=[0.2] * 3)
    tokenizer = wordpiece_tokenizer()
    return EmpathyPipeline(model=model, tokenizer=tokenizer), ScoringEngine.of_model(model, tokenizer)


@fuzz
@given(pair=st.tuples(_posts, _posts), stride=st.none() | st.integers(0, 20))
def test_any_pair_is_scored_alike_and_its_spans_are_in_the_response(scorers, pair, stride):
    pipeline, engine = scorers
    result = pipeline(pair, stride=stride)
    [by_engine] = engine([pair], stride=stride)
    for mechanism, scored in result.items():
        if mechanism == "truncated":
            continue
        assert scored["level"] in range(3) and 0 <= scored["score"] <= 1
        for span in scored["rationales"]:
            assert pair[1][span["start"] : span["end"]] == span["text"] != ""
        assert scored["score"] == pytest.approx(by_engine[mechanism]["score"], abs=1e-5)


def test_a_configuration_that_is_taken_can_be_built():
    with torch.device("meta"):
        assert EmpathyModel(EmpathyConfig.from_dict(copy.deepcopy(_CONFIG))).config.mechanisms
