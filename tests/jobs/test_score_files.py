"""Scoring files: every format in and out, order, masks, bad rows, and outputs that appear whole or not at all."""

import csv
import errno
import json
import threading
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_empathy import EmpathyPipeline
from modeling_empathy.checkpoints.identity import ModelIdentity
from modeling_empathy.errors import InputError, RowError, raise_error
from modeling_empathy.files.input_files import InputFile
from modeling_empathy.files.rows import read_rows
from modeling_empathy.jobs.input_pairs import InputColumns, InputPair, read_pairs
from modeling_empathy.jobs.plan import ScoringOptions
from modeling_empathy.jobs.score_files import NothingToScore, ScoringSummary, score_files
from modeling_empathy.jobs.score_writer import ScoreWriter
from modeling_empathy.model.mechanisms import ABBREVIATIONS
from modeling_empathy.scoring.engine import PAIRS_PER_CHUNK, ScoringEngine
from tests.csv_files import write_csv
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


HEADER = ("id", "seeker_post", "response_post")
PAIRS = [
    ("1", "I feel alone.", "I am so sorry. What happened?"),
    # What CSV has to quote, and a character outside of the basic plane, which shifts offsets that count code units.
    ("b,2", 'Nothing "helps"\r\nany more', "I understand how you feel; it sounds really hard 😀 to carry."),
    ("3", "ok", "Why?"),
    ("4", "I lost my job", "Thank you for sharing this " * 20),
    # An id that is there already: rows are told apart by their order.
    ("1", "I feel alone.", "Why?"),
]


PROBABILITIES = ("probability_0", "probability_1", "probability_2")


def pipeline(**config) -> EmpathyPipeline:
    mechanisms = config.get("mechanisms", ABBREVIATIONS)
    config = {"rationale_thresholds": [0.3] * len(mechanisms), "max_post_length": 32, **config}
    return EmpathyPipeline(model=tiny_model("bert", **config), tokenizer=wordpiece_tokenizer())


def write_pairs(folder: Path, file_format: str, pairs=PAIRS) -> Path:
    path = folder / f"pairs.{file_format}"
    if file_format == "csv":
        return write_csv(path, pairs, HEADER)
    rows = [dict(zip(HEADER, pair, strict=True)) for pair in pairs]
    if file_format == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def read_scores(path: Path) -> list[dict]:
    if path.suffix == ".parquet":
        return pq.read_table(path).to_pylist()
    if path.suffix == ".jsonl":
        return [json.loads(line) for line in path.read_text().splitlines()]
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        for name in row:
            if name.endswith(("label", "rationale")):
                row[name] = json.loads(row[name])
    return rows


def engine(tokens_per_batch: int = 64, **config) -> ScoringEngine:
    """Scores what the pipeline of the same configuration scores, in batches of a few posts."""
    scorer = pipeline(**config)
    return ScoringEngine.of_model(scorer.model, scorer.tokenizer, tokens_per_batch=tokens_per_batch)


def run(source: Path, target: Path, engines=None, load=None, **options) -> ScoringSummary:
    summary = score_files(
        load or (lambda: engines or [engine()]),
        [str(source)],
        str(target),
        ScoringOptions(**options),
        show_progress=False,
    )
    assert summary is not None
    return summary


def pairs_of(path: Path, file_format: str | None = None, on_error=raise_error, columns=None) -> list[InputPair]:
    return list(each_pair_of(path, file_format, on_error, columns))


def each_pair_of(path: Path, file_format=None, on_error=raise_error, columns=None) -> Iterator[InputPair]:
    columns = columns or InputColumns()
    rows = read_rows(InputFile.at(path, file_format), columns.needed, on_error=on_error)
    return read_pairs(rows, columns, on_error)


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


BAD_ROWS = {
    "csv": (
        b"id,seeker_post,response_post\n1,a,b\n2,a\n3,,b\n4,a,\x00b\n5,a,\xff\n6,a,b\n7,a,   \n",
        {3: "2 cells for 3 columns", 4: "'seeker_post': expected text", 5: "NUL", 6: "UTF-8", 8: "'response_post'"},
        ["1", "6"],
    ),
    "jsonl": (
        b'{"id": 1, "seeker_post": "a", "response_post": "b"}\n\n{"id": 2\n[3]\n{"id": 4, "seeker_post": "a"}\n'
        b'{"id": 5, "seeker_post": "a", "response_post": 5}\n{"id": null, "seeker_post": "a", "response_post": "b"}\n'
        b'{"id": 7, "seeker_post": "a", "response_post": "b"}\n',
        {
            3: "no JSON",
            4: "expected a JSON object",
            5: "'response_post': expected text, got 'None'",
            6: "got '5'",
            7: "'id'",
        },
        ["1", "7"],
    ),
}


@pytest.mark.parametrize("file_format", BAD_ROWS)
def test_a_bad_row_stops_by_its_line_or_goes_to_a_side_file(tmp_path, file_format):
    content, expected, good = BAD_ROWS[file_format]
    source, target = tmp_path / f"x.{file_format}", tmp_path / "scores.csv"
    source.write_bytes(content)
    first = next(iter(expected))
    with pytest.raises(RowError, match=f"line {first}") as stopped:
        run(source, target)
    assert expected[first] in str(stopped.value)
    assert [path.name for path in tmp_path.iterdir()] == [source.name], "nothing is left half-written"

    summary = run(source, target, skip_errors=True)
    assert (summary.pairs, summary.skipped) == (len(good), len(expected))
    assert [row["id"] for row in read_scores(target)] == good
    assert summary.errors_path is not None
    listed = [json.loads(line) for line in summary.errors_path.read_text().splitlines()]
    assert [bad_row["line"] for bad_row in listed] == list(expected)
    for bad_row in listed:
        assert expected[bad_row["line"]] in bad_row["error"] and "row" in bad_row

    # The file without its bad rows: its first two lines have none.
    source.write_bytes(content.splitlines(keepends=True)[0] + content.splitlines(keepends=True)[1])
    assert run(source, target, skip_errors=True).errors_path is None
    assert not summary.errors_path.exists(), "the side file of an earlier run would speak of rows that are gone"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", b"", "column 'seeker_post', 'response_post' is missing; the header has nothing"),
        ("wrong.csv", b"id,seeker,response\n1,a,b\n", "the header has 'id', 'seeker', 'response'"),
        ("wrong.csv", b"id,question,answer\n1,a,b\n", "as in --column seeker_post=question --column response_post="),
        ("broken.parquet", b"PAR1 and more", "can't be read as Parquet"),
        ("pairs.xls", b"", "names no format"),
        ("pairs.xlsx", b"", "no.* workbook"),
        ("absent.csv", None, "not a file"),
    ],
)
def test_files_that_hold_no_pairs_are_refused_before_a_model_is_loaded(tmp_path, name, content, message):
    if content is not None:
        (tmp_path / name).write_bytes(content)

    def unwanted():
        raise AssertionError("the model was loaded")

    with pytest.raises(InputError, match=message):
        run(tmp_path / name, tmp_path / "scores.csv", load=unwanted)
    assert not (tmp_path / "scores.csv").exists()


@pytest.mark.parametrize(
    ("name", "content", "skip_errors", "message"),
    [
        ("x.csv", "id,seeker_post,response_post\n", False, "x.csv: nothing to score; it has no rows"),
        ("x.jsonl", "", False, "it has no rows"),
        ("x.csv", "id,seeker_post,response_post\n1,,b\n2,a,\n", True, "none of its 2 rows .*row 1 .line 2., column"),
    ],
)
def test_nothing_to_score_is_an_error_and_leaves_nothing(tmp_path, name, content, skip_errors, message):
    (tmp_path / name).write_text(content)

    def unwanted():
        raise AssertionError("the model was loaded")

    with pytest.raises(NothingToScore, match=message):
        run(tmp_path / name, tmp_path / "scores.csv", load=unwanted, skip_errors=skip_errors)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_an_earlier_run_could_not_use_goes_with_the_next_that_succeeds(tmp_path):
    source, target = write_pairs(tmp_path, "csv"), tmp_path / "scores.csv"
    earlier = tmp_path / "scores.csv.errors.jsonl"
    earlier.write_text("of an earlier run")
    run(source, target)
    assert not earlier.exists()
    source.write_text("id,seeker_post,response_post\n1,,b\n")
    earlier.write_text("of an earlier run")
    with pytest.raises(RowError):
        run(source, target)
    assert earlier.read_text() == "of an earlier run", "a failed run leaves what was there"


def test_the_rows_that_are_left_out_never_take_the_place_of_the_input(tmp_path):
    source = write_pairs(tmp_path, "jsonl").rename(tmp_path / "scores.csv.errors.jsonl")
    before = source.read_bytes()
    for skip_errors in (True, False):
        with pytest.raises(InputError, match="is the input"):
            run(source, tmp_path / "scores.csv", skip_errors=skip_errors)
    assert source.read_bytes() == before and [path.name for path in tmp_path.iterdir()] == [source.name]


def as_parquet(path: Path) -> Path:
    pd.read_csv(path, keep_default_na=False).to_parquet(path.with_suffix(".parquet"))
    path.unlink()
    return path.with_suffix(".parquet")


def rows_with_a_bad_one(folder: Path, number: int, rows: int = PAIRS_PER_CHUNK + 200) -> Path:
    rows = [(row, "I feel alone" if row != number else "", "Why?") for row in range(rows)]
    return write_csv(folder / "x.csv", rows, HEADER)


@pytest.mark.parametrize("number", [1001, PAIRS_PER_CHUNK + 101])
def test_a_bad_row_of_a_text_costs_no_model_wherever_it_is(tmp_path, number):
    with pytest.raises(RowError, match=f"row {number} "):
        run(rows_with_a_bad_one(tmp_path, number - 1), tmp_path / "scores.csv", load=pytest.fail)
    assert [path.name for path in tmp_path.iterdir()] == ["x.csv"]


@pytest.mark.parametrize("engines", [1, 2])
def test_a_bad_row_of_the_next_chunk_costs_a_batch_of_this_one(tmp_path, monkeypatch, engines):
    """Of Parquet, whose rows are not read before they are scored."""
    one = ScoringEngine.of_model(
        pipeline(mechanisms=["explorations"]).model, wordpiece_tokenizer(), tokens_per_batch=64
    )
    two = [one, engine(mechanisms=["interpretations"])][:engines]
    batches, reading = [], threading.Event()
    submit = ThreadPoolExecutor.submit

    def submitted(executor, work):
        future = submit(executor, work)
        future.add_done_callback(lambda done: done.exception() and reading.set())
        return future

    monkeypatch.setattr(ThreadPoolExecutor, "submit", submitted)

    def computed(*args):
        # In a run of one's own the reader has minutes to come to the row.
        assert reading.wait(60)
        batches.append(args)
        return probabilities(*args)

    probabilities = one.backend.probabilities
    monkeypatch.setattr(one.backend, "probabilities", computed)
    # The reader looks a chunk ahead, to know the last one.
    source = as_parquet(rows_with_a_bad_one(tmp_path, PAIRS_PER_CHUNK + 100, PAIRS_PER_CHUNK * 2 + 200))
    with pytest.raises(RowError, match=f"row {PAIRS_PER_CHUNK + 101},"):
        run(source, tmp_path / "scores.csv", two)
    assert len(batches) <= 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ('{"id": 7, "id": 8}', "column 'id': expected one value"),
        ('{"sp_id": "a", "sp_id": "b", "rp_id": "c"}', "column 'sp_id': expected one value"),
        ('{"id": "7", "seeker_post": "c"}', "column 'seeker_post': expected one value"),
        ('{"id": true}', "column 'id': expected text or a whole number, got 'True'"),
        ('{"id": NaN}', "column 'id': expected text or a whole number, got 'nan'"),
        ('{"id": 1.5}', "column 'id': expected text or a whole number, got '1.5'"),
        ('{"id": ["7"]}', "column 'id': expected text or a whole number"),
        ('{"id": {"a": 1}}', "column 'id': expected text or a whole number"),
        ('{"id": "  "}', "column 'id': expected text or a whole number, got '  '"),
        ('{"id": "\\ud800"}', "column 'id': expected UTF-8 text"),
        ('{"id": "a\\u0000"}', "column 'id': expected text without NUL"),
        ('{"id": "", "sp_id": "", "rp_id": "c"}', "column 'sp_id': expected text or a whole number, got ''"),
        ('{"sp_id": "a", "rp_id": null}', "column 'rp_id': expected text or a whole number, got 'None'"),
    ],
)
def test_an_id_is_one_text_or_whole_number(tmp_path, row, expected):
    path = tmp_path / "x.jsonl"
    path.write_text('{"seeker_post": "a", "response_post": "b", ' + row[1:] + "\n")
    with pytest.raises(RowError, match=f"x.jsonl, line 1, {expected}"):
        pairs_of(path)
    path.write_text('{"seeker_post": "a", "response_post": "b", "id": 7, "x": 1, "x": 2, "y": {"id": 1, "id": 2}}\n')
    assert [pair.id for pair in pairs_of(path)] == ["7"], "what nobody needs may be there twice"


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
