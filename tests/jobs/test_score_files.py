"""Scoring files: every format in and out, order, masks, and outputs that appear whole or not at all."""

import errno
import json
import tracemalloc

import pandas as pd
import pyarrow.parquet as pq
import pytest

from modeling_empathy.checkpoints.identity import ModelIdentity
from modeling_empathy.errors import InputError
from modeling_empathy.jobs.input_pairs import InputPair
from modeling_empathy.jobs.score_writer import ScoreWriter
from modeling_empathy.model.mechanisms import ABBREVIATIONS
from tests.csv_files import write_csv
from tests.jobs.pair_files import (
    HEADER,
    PAIRS,
    each_pair_of,
    engine,
    pairs_of,
    pipeline,
    read_scores,
    run,
    write_pairs,
)


PROBABILITIES = ("probability_0", "probability_1", "probability_2")


@pytest.mark.parametrize("source", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize("target", ["csv", "jsonl", "parquet"])
def test_every_format_gives_what_the_pipeline_says_in_the_order_of_the_input(tmp_path, source, target):
    summary = run(write_pairs(tmp_path, source), tmp_path / f"scores.{target}")
    assert (summary.pairs, summary.truncated, summary.skipped) == (5, 1, 0)
    rows = read_scores(tmp_path / f"scores.{target}")
    columns = [*HEADER, *(f"{code}_{part}" for part in ("label", "rationale") for code in ("ER", "IP", "EX"))]
    levels = [f"{code}_{part}" for code in ("ER", "IP", "EX") for part in (*PROBABILITIES, "expected")]
    assert list(rows[0]) == [*columns, *levels, "model"]
    assert [tuple(row[name] for name in HEADER) for row in rows] == PAIRS
    spans = 0
    for row, expected in zip(rows, pipeline()([pair[1:] for pair in PAIRS], return_all_scores=True), strict=True):
        for mechanism, code in ABBREVIATIONS.items():
            assert row[f"{code}_label"] == expected[mechanism]["level"]
            probabilities = [float(row[f"{code}_{part}"]) for part in PROBABILITIES]
            assert probabilities == pytest.approx(list(expected[mechanism]["scores"].values()), abs=1e-4)
            mean_level = probabilities[1] + 2 * probabilities[2]
            assert float(row[f"{code}_expected"]) == pytest.approx(mean_level, abs=1e-5)
            assert len(row[f"{code}_rationale"]) == len(expected[mechanism]["rationales"])
            for span, expected_span in zip(row[f"{code}_rationale"], expected[mechanism]["rationales"], strict=True):
                assert row["response_post"][span["start"] : span["end"]] == span["text"] == expected_span["text"]
                assert span["score"] == pytest.approx(expected_span["score"], abs=1e-4)
                spans += 1
    # Or nothing would have been compared.
    assert spans


def test_pandas_reads_the_csv_and_the_labels_are_numbers(tmp_path):
    run(write_pairs(tmp_path, "csv"), tmp_path / "scores.csv")
    frame = pd.read_csv(tmp_path / "scores.csv")
    assert len(frame) == len(PAIRS) and frame["ER_label"].isin([0, 1, 2]).all()
    assert frame["seeker_post"][1] == PAIRS[1][1]


def test_a_mask_has_a_place_for_each_token_up_to_the_length_of_the_model(tmp_path):
    scorer = pipeline()
    run(write_pairs(tmp_path, "csv"), tmp_path / "scores.csv", rationale_format="mask")
    marks = 0
    for row, pair in zip(read_scores(tmp_path / "scores.csv"), PAIRS, strict=True):
        encoded = scorer.tokenizer(pair[2], truncation=True, max_length=32, return_special_tokens_mask=True)
        for code in ABBREVIATIONS.values():
            mask = row[f"{code}_rationale"]
            assert len(mask) == 32 and set(mask) <= {0, 1}
            assert not any(mask[len(encoded["input_ids"]) :])
            assert not any(m and s for m, s in zip(mask, encoded["special_tokens_mask"], strict=False))
            marks += sum(mask)
    assert marks


def test_models_of_one_mechanism_each_take_the_place_of_one_of_three(tmp_path):
    separate = [engine(mechanisms=["explorations"]), engine(mechanisms=["emotional_reactions"])]
    run(write_pairs(tmp_path, "csv"), tmp_path / "scores.jsonl", separate)
    rows = read_scores(tmp_path / "scores.jsonl")
    assert list(rows[0])[3:8] == ["EX_label", "ER_label", "EX_rationale", "ER_rationale", "EX_probability_0"]
    for mechanism, code in (("explorations", "EX"), ("emotional_reactions", "ER")):
        scorer = pipeline(mechanisms=[mechanism])
        expected = [scorer(pair[1:])[mechanism]["level"] for pair in PAIRS]
        assert [row[f"{code}_label"] for row in rows] == expected
    with pytest.raises(InputError, match="more than once"):
        run(write_pairs(tmp_path, "csv"), tmp_path / "twice.jsonl", [separate[0], separate[0]])
    assert not (tmp_path / "twice.jsonl").exists()


@pytest.mark.parametrize("target", ["csv", "jsonl", "parquet"])
def test_every_row_says_which_model_scored_it_and_parquet_has_all_that_is_known(tmp_path, target):
    reactions = ModelIdentity("somebody/reactions", "a" * 40 + "1" * 24, "1.2.3", ("emotional_reactions",))
    others = ModelIdentity("others, joined", "b" * 64, "1.2.3", ("interpretations", "explorations"))
    engines = [engine(mechanisms=list(identity.mechanisms)) for identity in (reactions, others)]
    for one, identity in zip(engines, (reactions, others), strict=True):
        one.identity = identity
    scores = tmp_path / f"scores.{target}"
    assert run(write_pairs(tmp_path, "csv"), scores, engines[:1]).models == [reactions]
    assert {row["model"] for row in read_scores(scores)} == {"somebody/reactions@aaaaaaaaaaaa"}
    run(write_pairs(tmp_path, "csv"), scores, engines)
    models = [row["model"] for row in read_scores(scores)]
    assert models == ["ER somebody/reactions@aaaaaaaaaaaa; IP,EX others, joined@bbbbbbbbbbbb"] * len(PAIRS)
    if target == "parquet":
        known = json.loads(pq.read_schema(scores).metadata[b"modeling_empathy.models"])
        assert [model["sha256"] for model in known] == [reactions.sha256, others.sha256]
        assert known[1] == {
            "name": "others, joined",
            "sha256": "b" * 64,
            "package_version": "1.2.3",
            "mechanisms": ["interpretations", "explorations"],
        }


def test_ids_may_be_numbers_or_the_two_posts_own(tmp_path):
    rows = [
        {"id": 7, "seeker_post": "a", "response_post": "b"},
        {"sp_id": "s", "rp_id": "r", "seeker_post": "a", "response_post": "b"},
    ]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [pair.id for pair in pairs_of(path, "jsonl")] == ["7", "s_r"]


def test_a_post_of_a_megabyte_is_scored_and_said_to_be_cut(tmp_path):
    source = write_csv(
        tmp_path / "x.csv", [("1", "a", "I understand how you feel. " * 40_000), ("2", "a", "b")], HEADER
    )
    summary = run(source, tmp_path / "scores.jsonl")
    assert (summary.pairs, summary.truncated) == (2, 1)
    assert [len(row["response_post"]) for row in read_scores(tmp_path / "scores.jsonl")] == [1_080_000, 1]


def test_with_a_stride_long_responses_are_scored_to_their_end(tmp_path):
    source, target = write_pairs(tmp_path, "csv"), tmp_path / "scores.jsonl"
    summary = run(source, target, stride=8, rationale_format="mask")
    assert (summary.pairs, summary.truncated) == (5, 0)
    scorer = pipeline()
    for row, pair in zip(read_scores(target), PAIRS, strict=True):
        expected = scorer(pair[1:], stride=8, token_mask=True)
        for mechanism, code in ABBREVIATIONS.items():
            assert row[f"{code}_label"] == expected[mechanism]["level"]
            assert row[f"{code}_rationale"] == expected[mechanism]["token_mask"]
    target.unlink()
    with pytest.raises(InputError, match="can share from 0 to 29"):
        run(source, target, stride=30)
    assert not target.exists()


def test_an_interrupted_or_failed_run_leaves_what_was_there(tmp_path, monkeypatch):
    source, target = write_pairs(tmp_path, "csv"), tmp_path / "scores.csv"
    target.write_text("precious")

    def no_space(writer, scored):
        raise OSError(errno.ENOSPC, "No space left on device")

    def interrupted(writer, scored):
        raise KeyboardInterrupt

    for failure in (no_space, interrupted):
        monkeypatch.setattr(ScoreWriter, "write", failure)
        with pytest.raises((OSError, KeyboardInterrupt)):
            run(source, target)
        assert target.read_text() == "precious"
        assert sorted(path.name for path in tmp_path.iterdir()) == ["pairs.csv", "scores.csv"]


def test_reading_and_writing_hold_no_more_of_a_long_file_than_of_a_short_one(tmp_path):
    """The model aside, whose work is the same for each chunk: `benchmarks/scoring_memory.py` measures all of it."""

    def peak(rows: int) -> int:
        source = tmp_path / f"{rows}.csv"
        write_csv(source, ((index, "I feel alone", "I am so sorry") for index in range(rows)), HEADER)
        span = {"start": 0, "end": 4, "text": "I am", "score": 0.5}
        scores = {"no": 0.25, "weak": 0.5, "strong": 0.25}
        result = {mechanism: {"level": 1, "rationales": [span], "scores": scores} for mechanism in ABBREVIATIONS}
        tracemalloc.start()
        writer = ScoreWriter(tmp_path / "scores.csv", "csv", list(ABBREVIATIONS), "spans")
        for pair in each_pair_of(source):
            writer.write([(pair, result)])
        writer.close()
        highest = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert (tmp_path / "scores.csv").read_text().count("\n") == rows + 1
        return highest

    # What the first run imports and caches is not of the file.
    peak(10)
    assert peak(20_000) < 1.5 * peak(1_000)


def test_pairs_are_named_as_the_columns():
    assert InputPair._fields[:3] == HEADER
