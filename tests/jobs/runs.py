"""Runs of a tiny model over a few hundred pairs, for tests of what ends them."""

from functools import cache, partial
from pathlib import Path
from tempfile import mkdtemp

import pyarrow.parquet as pq

from modeling_empathy.jobs.plan import ScoringOptions
from modeling_empathy.jobs.score_files import ScoringSummary, score_files
from modeling_empathy.scoring.engine import load_engines
from tests.csv_files import write_csv
from tests.jobs.pair_files import HEADER
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


WORDS = [
    "I",
    "feel",
    "alone",
    "and",
    "sad",
    ".",
    "why",
    "did",
    "that",
    "happen",
    "to",
    "you",
    "?",
    "sorry",
    "it",
    "sounds",
    "hard",
    ",",
    "my",
    "friend",
    "lost",
    "a",
    "job",
    "too",
]


@cache
def checkpoint() -> str:
    """A folder of a tiny model, the same for all tests of a process."""
    folder = mkdtemp()
    tiny_model("bert", rationale_thresholds=[0.3] * 3, max_post_length=32).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


def post(number: int) -> str:
    """A text of some words, which are others for another number."""
    return " ".join(WORDS[(number * 7 + place * (number % 5 + 1)) % len(WORDS)] for place in range(3 + number % 11))


def write_pairs(path: Path, rows: int, first: int = 0) -> Path:
    numbers = range(first, first + rows)
    return write_csv(path, ((f"p{number}", post(number), post(number + 1)) for number in numbers), HEADER)


def run(source: Path | list[Path], target: Path, *, model: str | None = None, **given) -> ScoringSummary:
    """Scores files; keywords of options and of `score_files`."""
    load = given.pop("load", None) or partial(load_engines, model or checkpoint())
    of_files = ("executor", "start_over", "about_model", "input_format")
    options = {name: given.pop(name) for name in list(given) if name not in of_files}
    sources = source if isinstance(source, list) else [source]
    options.setdefault("shard_rows", 50)
    summary = score_files(
        load, list(map(str, sources)), str(target), ScoringOptions(**options), show_progress=False, **given
    )
    assert summary is not None
    return summary


def rows_of(folder: Path) -> list[dict]:
    """The rows of a folder's shards, in their order."""
    return [row for part in sorted(folder.glob("part-*.parquet")) for row in pq.read_table(part).to_pylist()]


def files_of(folder: Path) -> dict[str, bytes]:
    """Name to content of what a folder shows: its shards and its manifest."""
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
