"""Files of a few pairs in every format, what scores them in small batches, and how either is read back."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from modeling_empathy import EmpathyPipeline
from modeling_empathy.errors import raise_error
from modeling_empathy.files.input_files import InputFile
from modeling_empathy.files.rows import read_rows
from modeling_empathy.jobs.input_pairs import InputColumns, InputPair, read_pairs
from modeling_empathy.jobs.plan import ScoringOptions
from modeling_empathy.jobs.score_files import ScoringSummary, score_files
from modeling_empathy.model.mechanisms import ABBREVIATIONS
from modeling_empathy.scoring.engine import ScoringEngine
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
