"""A file in, scores out: as `empathy score` has them, with its messages, and the upload gone."""

import json
from functools import partial
from pathlib import Path

import pytest

from modeling_empathy.cli.app import app
from modeling_empathy.demo.batch import score_upload
from modeling_empathy.demo.limits import Limits
from modeling_empathy.demo.scoring import PageScorer
from modeling_empathy.errors import InputError
from tests.command_lines import printed_by, refused_by


empathy, refused = partial(printed_by, app), partial(refused_by, app)

PAIRS = (
    'id,seeker_post,response_post\n1,I failed again,"I\'m so sorry. What, happened?"\nb,<b>Alone</b>,"Why?\nTell me"\n'
)


@pytest.fixture(scope="module")
def scorer() -> PageScorer:
    return PageScorer(limits=Limits(rows=3, characters=200, file_bytes=2000), device="cpu")


def upload(folder: Path, text: str, name: str = "pairs.csv") -> Path:
    (folder / "uploads").mkdir(exist_ok=True)
    path = folder / "uploads" / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def test_the_scores_are_those_of_empathy_score(scorer, tmp_path):
    same = upload(tmp_path, PAIRS, "same.csv")
    empathy("score", "--input_path", same, "--output_path", tmp_path / "expected.csv", "--device", "cpu")
    path = upload(tmp_path, PAIRS)
    scored = score_upload(scorer, path, tmp_path)
    assert scored.scores.read_bytes() == (tmp_path / "expected.csv").read_bytes()
    assert scored.scores.name == "pairs.scores.csv" and [pair.id for pair in scored.pairs] == ["1", "b"]
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("wrong.csv", "question,answer\nI failed,Why?\n"),
        ("row.csv", "seeker_post,response_post\nI failed,Why?\nI failed,\n"),
        ("twice.csv", "seeker_post,response_post,response_post\nI failed,Why?,How?\n"),
        ("quote.csv", 'seeker_post,response_post\nI failed,"Why?\n'),
        ("broken.jsonl", '{"seeker_post": "I failed"'),
    ],
)
def test_what_cannot_be_used_is_said_as_empathy_score_says_it(scorer, tmp_path, name, text):
    path = upload(tmp_path, text, name)
    expected = refused("score", "--input_path", path, "--output_path", tmp_path / "out.csv")
    with pytest.raises(InputError) as found:
        score_upload(scorer, path, tmp_path)
    # The command wraps its lines.
    assert "".join(str(found.value).split()) in "".join(expected.split())
    assert not path.exists()


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("many.csv", "seeker_post,response_post\n" + "I failed,Why?\n" * 4, "Up to 3 rows"),
        ("large.csv", "seeker_post,response_post\n" + "I failed,Why?\n" * 400, "MB"),
        ("long.csv", f"seeker_post,response_post\nI failed,{'a' * 201}\n", "row 1 .*201 characters"),
        ("empty.csv", "", "empty.csv"),
        ("rows.csv", "seeker_post,response_post\n", "nothing to score; it has no rows"),
        ("pairs.exe", PAIRS, "is none of"),
        ("pairs.csv.gz", PAIRS, "is none of"),
    ],
)
def test_what_is_too_much_is_said(scorer, tmp_path, name, text, message):
    path = upload(tmp_path, text, name)
    with pytest.raises(InputError, match=message) as found:
        score_upload(scorer, path, tmp_path)
    assert str(tmp_path) not in str(found.value)
    assert not path.exists()


def test_json_lines_are_read(scorer, tmp_path):
    line = json.dumps({"seeker_post": "I failed", "response_post": "What happened?"})
    assert len(score_upload(scorer, upload(tmp_path, f"{line}\n", "pairs.jsonl"), tmp_path).results) == 1
