"""Attacks by files of pairs and of annotated pairs."""

import bz2
import gzip
import io
import json
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tests.attacks.attempts import GOOD_PAIRS, Attack, done, refused


SCORE = "empathy score --model MODEL --input_path pairs.csv"
SCORE_JSON = "empathy score --model MODEL --input_path pairs.jsonl"
SCORE_PARQUET = "empathy score --model MODEL --input_path pairs.parquet"
SKIP = " --on_error skip"
EVALUATE = "empathy evaluate --model MODEL --mechanism explorations --input_path"
ADAPT = "empathy adapt --encoder MODEL --output_path out --input_path"

HEADER = "id,seeker_post,response_post\n"
PAIR = {"id": "1", "seeker_post": "I feel alone.", "response_post": "Why?"}
SPAN = {"start": 0, "end": 1, "text": "I"}
ANNOTATED = "sp_id,rp_id,seeker_post,response_post,level,rationales\n"


def csv_row(name: str, rows: str | bytes, says: str, command: str = SCORE) -> Attack:
    """A CSV file of pairs with these rows must be refused."""
    return refused(
        name, {"pairs.csv": HEADER.encode() + (rows.encode() if isinstance(rows, str) else rows)}, command, says
    )


def json_row(name: str, row: str, says: str) -> Attack:
    """A JSON lines file of a good pair and this line must be refused."""
    return refused(name, {"pairs.jsonl": f"{json.dumps(PAIR)}\n{row}\n"}, SCORE_JSON, says)


def json_id(name: str, value: str, says: str = "line 2, column 'id': expected text or a whole number") -> Attack:
    """As [`json_row`], of a pair whose id is this."""
    return json_row(name, f'{{"id": {value}, "seeker_post": "a", "response_post": "b"}}', says)


def other_content(name: str, content: bytes, says: str, file: str = "pairs.csv") -> Attack:
    """A file whose content is not what its ending says must be refused."""
    return refused(name, {file: content}, f"empathy score --model MODEL --input_path {file}", f"{file}.* {says}")


def annotated_parquet(name: str, says: str, rationales: object = None, **changed: object) -> Attack:
    """A Parquet file whose second annotated pair is this must be refused by `evaluate`."""
    good = {"sp_id": "s", "rp_id": "r", "seeker_post": "a", "response_post": "I see", "level": 1, "rationales": [SPAN]}
    bad = good | {"rationales": rationales if rationales is not None else [SPAN]} | changed
    # Of other types than the good row's where they differ.
    rows = [bad, bad] if changed or _types(bad) != _types(good) else [good, bad]
    return refused(name, {"x.parquet": parquet(rows)}, f"{EVALUATE} x.parquet", f"x.parquet, row [12], {says}")


def parquet(rows: list[dict[str, object]]) -> Callable[[Path], object]:
    return lambda path: pq.write_table(pa.Table.from_pylist(rows), path)


def scored(folder: Path) -> list[str]:
    """The ids in the only file of scores."""
    [path] = folder.glob("pairs.scores.csv")
    return [line.partition(",")[0] for line in path.read_text().splitlines()[1:]]


def bytes_of_parquet() -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.Table.from_pylist([PAIR]), file)
    return file.getvalue()


def with_bytes_that_are_no_text(path: Path, column: str) -> None:
    """A Parquet file of pairs, in whose second row a column that says that it is text holds other bytes."""
    cells = {name: [b"fine", b"b\xff" if name == column else b"fine"] for name in PAIR}
    arrays = {name: pa.array(values, pa.binary()).view(pa.string()) for name, values in cells.items()}
    pq.write_table(pa.table(arrays), path)


def a_zip(content: str) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("pairs.csv", content)
    return file.getvalue()


def _types(row: dict[str, object]) -> pa.Schema:
    return pa.Table.from_pylist([row]).schema


ROWS = "".join(f"{number},I feel {number},Why?\n" for number in range(300))

ATTACKS: list[Attack] = [
    done("nothing wrong at all", {"pairs.csv": GOOD_PAIRS}, SCORE),
    # Cells.
    csv_row("a NUL byte in a post", b"1,a\0b,c\n", "row 1 .line 2., column 'seeker_post'.*NUL"),
    csv_row("a post that is no UTF-8", b"1,a\xff,c\n", "row 1 .line 2., column 'seeker_post': expected UTF-8 text"),
    csv_row("an id that is no UTF-8", b"1,a,b\n\xff,a,b\n", "row 2 .line 3., column 'id': expected UTF-8 text"),
    csv_row("an id with a NUL byte", b"1\0,a,b\n", "row 1 .line 2., column 'id': expected text without NUL"),
    csv_row("no id in one row", "1,a,b\n,a,b\n", "row 2 .line 3., column 'id': expected text or a whole number"),
    csv_row("an id of white space", "  ,a,b\n", "row 1 .line 2., column 'id': expected text"),
    csv_row("a post of white space", "1,a,\u3000 \n", "row 1 .line 2., column 'response_post': expected text"),
    csv_row("a cell too many", "1,a,b,c\n", "row 1 .line 2.: 4 cells for 3 columns"),
    csv_row("a quote that is never closed", '1,"a,b\n2,a,b\n', "line 2 can't be read .*not closed"),
    csv_row("a bad row behind hundreds of good ones", ROWS + "x,,b\n", "row 301 .line 302., column 'seeker_post'"),
    # Headers.
    refused("two ids", {"pairs.csv": "id,seeker_post,response_post,id\n1,a,b,2\n"}, SCORE, "'id' more than once"),
    refused(
        "two ids of seeker posts",
        {"pairs.csv": "sp_id,rp_id,sp_id,seeker_post,response_post\n1,2,3,a,b\n"},
        SCORE,
        "'sp_id' more than once",
    ),
    refused(
        "two ids of responses beside an id",
        {"pairs.csv": "id,sp_id,rp_id,rp_id,seeker_post,response_post\n1,1,2,3,a,b\n"},
        SCORE,
        "'rp_id' more than once",
    ),
    refused(
        "two posts", {"pairs.csv": "id,seeker_post,seeker_post,response_post\n1,a,b,c\n"}, SCORE, "more than once"
    ),
    refused("semicolons", {"pairs.csv": GOOD_PAIRS.replace(",", ";")}, SCORE, "is missing; the header has 'id;seeker"),
    refused("a header in a quote that stays open", {"pairs.csv": '"' + GOOD_PAIRS}, SCORE + SKIP, "line 1 can't be"),
    refused(
        "two columns of one name in Parquet",
        {
            "pairs.parquet": lambda path: pq.write_table(
                pa.Table.from_arrays([pa.array(["a"])] * 4, names=["id", "id", "seeker_post", "response_post"]), path
            )
        },
        SCORE_PARQUET,
        "'id' more than once",
    ),
    # JSON lines.
    json_row("two ids in JSON", '{"id": 1, "id": 2, "seeker_post": "a", "response_post": "b"}', "'id': expected one"),
    json_row(
        "two responses in JSON",
        '{"id": 1, "seeker_post": "a", "response_post": "b", "response_post": "c"}',
        "line 2, column 'response_post': expected one value",
    ),
    json_id("an id that is a list", "[1]"),
    json_id("an id that is an object", '{"a": 1}'),
    json_id("an id that is true", "true"),
    json_id("an id that is no number", "NaN"),
    json_id("an id that is endless", "-Infinity"),
    json_id("an id with a fraction", "1.0"),
    json_id("an id with more digits than Python reads", "9" * 5000, "line 2: no JSON"),
    json_id("an id with half a character", r'"\ud800"', "line 2, column 'id': expected UTF-8 text"),
    json_row(
        "a post with half a character", r'{"id": 1, "seeker_post": "\ud800", "response_post": "b"}', "UTF-8 text"
    ),
    json_row("brackets without end", "[" * 100_000, "line 2: no JSON"),
    json_row("a list of pairs", json.dumps([PAIR]), "line 2: expected a JSON object"),
    refused(
        "a line without end",
        {"pairs.jsonl": f"{json.dumps(PAIR)}\n" + '{"id": "' + "x" * (17 * 2**20)},
        SCORE_JSON,
        "line 2.*more than 16,777,216 characters",
    ),
    refused(
        "a CSV cell without end", {"pairs.csv": GOOD_PAIRS + '3,"' + "x" * (17 * 2**20)}, SCORE, "line 4 can't be read"
    ),
    # What is no text in UTF-8, or no Parquet.
    other_content("gzip", gzip.compress(GOOD_PAIRS.encode()), "compressed with gzip: unpack it, or end its name"),
    other_content("gzip as JSON lines", gzip.compress(b"{}"), "compressed with gzip", "pairs.jsonl"),
    other_content("bzip2", bz2.compress(GOOD_PAIRS.encode()), "compressed with bzip2: unpack it"),
    other_content("xz", lzma.compress(GOOD_PAIRS.encode()), "compressed with xz: unpack it"),
    other_content("zstd", pa.compress(GOOD_PAIRS.encode(), "zstd", asbytes=True), "compressed with zstd: unpack it"),
    other_content("a zip archive", a_zip(GOOD_PAIRS), "zip archive or a workbook"),
    other_content("UTF-16", GOOD_PAIRS.encode("utf-16"), "UTF-16 or UTF-32: save it as UTF-8"),
    other_content("UTF-16 without a mark", GOOD_PAIRS.encode("utf-16-be"), "UTF-16 or UTF-32"),
    other_content("UTF-32", GOOD_PAIRS.encode("utf-32"), "UTF-16 or UTF-32"),
    other_content("UTF-16 as JSON lines", json.dumps(PAIR).encode("utf-16-le"), "UTF-16 or", "pairs.jsonl"),
    other_content("Parquet called CSV", bytes_of_parquet(), "a Parquet file: give it that ending"),
    other_content("CSV called Parquet", GOOD_PAIRS.encode(), "can't be read as Parquet.*its format", "pairs.parquet"),
    other_content("gzip called Parquet", gzip.compress(b"x"), "can't be .* compressed with gzip", "pairs.parquet"),
    other_content("half of a Parquet file", bytes_of_parquet()[:200], "can't be read as Parquet", "pairs.parquet"),
    other_content("nothing called Parquet", b"", "can't be read as Parquet: it is empty", "pairs.parquet"),
    other_content("nothing called CSV", b"", "the header has nothing"),
    refused(
        "a folder of nothing",
        {"pairs.csv": Path.mkdir},
        SCORE + " --output_path x.csv",
        "nothing to read in the folder",
    ),
    refused("a device", {"pairs.csv": lambda path: path.symlink_to("/dev/zero")}, SCORE, "pairs.csv is not a file"),
    # Parquet.
    *(
        refused(
            f"bytes that are no text in the {column} of Parquet",
            {"pairs.parquet": lambda path, column=column: with_bytes_that_are_no_text(path, column)},
            SCORE_PARQUET,
            f"pairs.parquet, row 2, column '{column}': expected UTF-8 text",
        )
        for column in PAIR
    ),
    refused(
        "an id that is bytes",
        {"pairs.parquet": parquet([PAIR | {"id": b"1"}])},
        SCORE_PARQUET,
        "row 1, column 'id': exp",
    ),
    refused(
        "an id that is a time",
        {
            "pairs.parquet": lambda path: pq.write_table(
                pa.table(
                    {
                        **{name: [value] for name, value in PAIR.items()},
                        "id": pa.array([2**62 + 1], pa.timestamp("ns")),
                    }
                ),
                path,
            )
        },
        SCORE_PARQUET,
        "row 1, column 'id': expected text or a whole number",
    ),
    annotated_parquet("a level that is true", "column 'level': expected 0, 1 or 2", level=True),
    annotated_parquet("a level with a fraction", "column 'level': expected 0, 1 or 2", level=1.5),
    annotated_parquet("rationales that are text", "column 'rationales': expected a list", "I"),
    annotated_parquet("rationales that are an object", "column 'rationales': expected a list", SPAN),
    *(
        annotated_parquet(name, "column 'rationales': expected start, end and text", rationales)
        for name, rationales in {
            "rationales that are numbers": [0, 1],
            "a rationale that is nothing": [SPAN, None],
            "a rationale without an end": [{"start": 0, "text": "I"}],
            "a rationale without its text": [{"start": 0, "end": 1}],
            "a rationale whose text is nothing": [SPAN | {"text": None}],
            "a rationale whose text is another": [SPAN | {"text": "J"}],
            "a rationale with offsets that are text": [SPAN | {"start": "0", "end": "1"}],
            "a rationale with offsets that have fractions": [SPAN | {"start": 0.0, "end": 1.0}],
            "a rationale with negative offsets": [{"start": -3, "end": -1, "text": "se"}],
            "a rationale that ends behind its response": [{"start": 2, "end": 9, "text": "see"}],
            "a rationale of no characters": [{"start": 1, "end": 1, "text": ""}],
            "a rationale that ends before it begins": [{"start": 3, "end": 1, "text": ""}],
        }.items()
    ),
    # Other commands that read.
    refused("an annotated file of gzip", {"x.csv": gzip.compress(b"x")}, f"{EVALUATE} x.csv", "x.csv is compressed"),
    refused("an annotated file with two levels", {"x.csv": f"level,{ANNOTATED}"}, f"{EVALUATE} x.csv", "'level' more"),
    refused(
        "an annotated file whose id is no UTF-8",
        {"x.csv": ANNOTATED.encode() + b"\xff,r,a,b,0,\n"},
        f"{EVALUATE} x.csv",
        "row 1 .line 2., column 'sp_id': expected UTF-8 text",
    ),
    refused("posts in UTF-16", {"x.txt": "I feel".encode("utf-16")}, f"{ADAPT} x.txt", "x.txt is text in UTF-16"),
    refused(
        "a post without end", {"x.txt": "a\n" + "x" * (17 * 2**20)}, f"{ADAPT} x.txt", "x.txt, line 2: .* more than"
    ),
    # Empty values on the command line, as a variable that was not set leaves them.
    refused("no model", {"pairs.csv": GOOD_PAIRS}, SCORE.replace("MODEL", "''"), "--model is empty"),
    refused(
        "no model of a mechanism",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --ER_model_path '' --input_path pairs.csv",
        "--ER_model_path is empty",
    ),
    refused("no input", {}, "empathy score --model MODEL --input_path ''", "--input_path is empty"),
    refused("no output", {"pairs.csv": GOOD_PAIRS}, f"{SCORE} --output_path ''", "--output_path is empty"),
    refused("no tokenizer", {"pairs.csv": GOOD_PAIRS}, f"{SCORE} --tokenizer ' '", "--tokenizer is empty"),
    # Rows that are left out.
    refused("nothing left", {"pairs.csv": HEADER + "1,,b\n"}, SCORE + SKIP, "none of its 1 rows .*row 1 .line 2.", 1),
    refused("a header alone", {"pairs.csv": HEADER}, SCORE, "nothing to score; it has no rows", 1),
    refused("no line at all", {"pairs.jsonl": "\n\n"}, SCORE_JSON + SKIP, "nothing to score; it has no rows", 1),
    refused(
        "the list of bad rows in the place of the input",
        {"out.csv.errors.jsonl": json.dumps(PAIR)},
        f"empathy score --model MODEL --input_path out.csv.errors.jsonl --output_path out.csv {SKIP}",
        "is the input",
    ),
    done(
        "a quote that is left open before hundreds of rows",
        {"pairs.csv": HEADER + 'x,"I feel,Why?\n' + ROWS},
        SCORE + SKIP,
        lambda folder: scored(folder) == [str(number) for number in range(300)],
    ),
    done(
        "a quote that is not doubled in a text of many lines",
        {"pairs.csv": HEADER + 'x,"Well, I, too\nand, he, said "no" to it",Why?\n' + ROWS},
        SCORE + SKIP,
        lambda folder: scored(folder) == [str(number) for number in range(300)],
    ),
    done(
        "an errors file of an earlier run",
        {"pairs.csv": GOOD_PAIRS, "pairs.scores.csv.errors.jsonl": "{}"},
        SCORE,
        lambda folder: not (folder / "pairs.scores.csv.errors.jsonl").exists(),
    ),
]
