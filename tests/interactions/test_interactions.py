"""Tables of interactions, of ConvoKit corpora, Reddit dumps and tables: who is left out, counted and hidden."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modeling_empathy.cli.app import app
from modeling_empathy.errors import InputError
from modeling_empathy.files.input_files import InputFile
from modeling_empathy.files.json_members import json_members
from modeling_empathy.interactions.pairing import COLUMNS, write_interactions
from modeling_empathy.interactions.people import People
from modeling_empathy.interactions.posts import Post
from tests.command_lines import printed_by, refused_by
from tests.csv_files import write_csv
from tests.jobs.runs import checkpoint


sys.path.insert(0, str(Path(__file__).parents[2] / "examples"))
import simulated_conversations


def post(
    post_id: str, reply_to: str | None, author: str | None, time: float | None = 0.0, text="text", **more
) -> Post:
    return Post(post_id, reply_to, more.pop("conversation", None), author, time, text, more.pop("upvotes", None), more)


DAY = 86400.0
POSTS = [
    post("s1", None, "Anna", 0, "I feel alone", upvotes=9),
    post("r1", "s1", "Ben", DAY, "I am sorry", upvotes=2),
    post("r2", "s1", "Cora", 2 * DAY, "Why?"),
    post("t1", "r1", "Anna", 3 * DAY, "Thank you"),
    post("s2", None, "Cora", 4 * DAY, "I lost my job"),
    post("r3", "s2", "Ben", 5.5 * DAY, "That is hard"),
    # What is left out.
    post("own", "s1", "Anna", 6 * DAY, "any news"),
    post("bot", "s1", "AutoModerator", 6 * DAY),
    post("gone", "s1", "Ben", 6 * DAY, "[removed]"),
    post("nobody", "s1", "[deleted]", 6 * DAY),
    post("lost", "unknown", "Ben", 6 * DAY),
    post("s3", None, "Dora", 6 * DAY, "[deleted]"),
    post("r4", "s3", "Ben", 7 * DAY),
]


def table(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


@pytest.mark.parametrize("order", [1, -1])
def test_answers_to_others_become_rows_in_the_order_of_time_and_the_rest_is_counted(tmp_path, order):
    summary = write_interactions(POSTS[::order], tmp_path / "x.parquet", People(None))
    rows = table(tmp_path / "x.parquet")
    assert list(rows[0]) == list(COLUMNS)
    assert [(row["id"], row["seeker_id"], row["responder_id"]) for row in rows] == [
        ("s1_r1", "Anna", "Ben"),
        ("s1_r2", "Anna", "Cora"),
        ("r1_t1", "Ben", "Anna"),
        ("s2_r3", "Cora", "Ben"),
    ]
    assert [row["seeker_replied"] for row in rows] == [True, False, False, False]
    assert [(row["response_number"], row["days_since_first"]) for row in rows] == [(1, 0), (1, 0), (1, 0), (2, 4.5)]
    assert (rows[0]["seeker_post"], rows[0]["response_post"], rows[0]["upvotes"]) == ("I feel alone", "I am sorry", 2)
    assert rows[3]["created_at"].isoformat() == "1970-01-06T12:00:00+00:00"
    assert (summary.posts, summary.interactions) == (len(POSTS), 4)
    assert summary.left_out == {
        "answers to oneself": 1,
        "answers to a post that is not there": 1,
        "answers: author unknown": 1,
        "answers: bot": 1,
        "answers: removed": 1,
        "seeker posts: removed": 1,
    }
    assert [path.name for path in tmp_path.iterdir()] == ["x.parquet"]


def test_answers_to_answers_can_be_left_out(tmp_path):
    summary = write_interactions(POSTS, tmp_path / "x.parquet", People(None), first_level_only=True)
    assert [row["id"] for row in table(tmp_path / "x.parquet")] == ["s1_r1", "s1_r2", "s2_r3"]
    assert summary.left_out["answers to answers"] == 1


def test_names_are_hidden_alike_and_not_to_be_found_without_the_salt(tmp_path):
    for name, salt in (("a", "salt"), ("b", "salt"), ("c", "other")):
        write_interactions(POSTS, tmp_path / name, People(salt))
    first, second, third = (table(tmp_path / name) for name in "abc")
    assert first == second
    names = {row["responder_id"] for row in first}
    assert len(names) == 3 and not names & {row["responder_id"] for row in third}
    assert b"Anna" not in (tmp_path / "a").read_bytes()


@pytest.mark.parametrize(
    ("name", "is_bot"),
    [
        ("AutoModerator", True),
        ("haiku-bot", True),
        ("RemindMeBot", True),
        ("sneakpeek_bot", True),
        ("abbot", False),
        ("Talbot", False),
        ("robotics", False),
        ("listed", True),
        ("anna", False),
    ],
)
def test_bots_are_known_by_their_names_or_a_list(name, is_bot):
    assert People(None, ["Listed"]).is_bot(name) == is_bot


def test_two_posts_of_one_id_are_refused_and_so_is_a_table_of_nothing(tmp_path):
    with pytest.raises(InputError, match="2 posts have the id 's1'"):
        write_interactions([*POSTS, POSTS[0]], tmp_path / "x.parquet", People(None))
    with pytest.raises(InputError, match="no interaction in 2 posts: 1 answers: bot"):
        write_interactions([POSTS[0], POSTS[7]], tmp_path / "x.parquet", People(None))
    assert not list(tmp_path.iterdir())


def test_more_posts_than_memory_are_joined_on_the_disk(tmp_path):
    def many():
        for number in range(60_000):
            yield post(f"s{number}", None, f"a{number % 997}", float(number), "I feel alone " * 20)
            yield post(f"r{number}", f"s{number}", f"b{number % 991}", float(number), "I am sorry " * 20)

    summary = write_interactions(many(), tmp_path / "x.parquet", People(None), memory="100MB")
    assert summary.interactions == 60_000
    numbers = [row["response_number"] for row in table(tmp_path / "x.parquet") if row["responder_id"] == "b5"]
    assert numbers == list(range(1, len(numbers) + 1)) and len(numbers) > 50


@pytest.fixture(scope="module")
def simulated(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("simulated") / "conversations"
    simulated_conversations.write_convokit(folder / "convokit", simulated_conversations.posts(500, 120, 1))
    simulated_conversations.write_reddit(folder / "reddit", simulated_conversations.posts(1100, 300, 2))
    return folder


def expected(posts: list[dict], first_level_only: bool) -> set[tuple[str, str]]:
    """Which answers are interactions, worked out in another way."""
    by_id = {found["id"]: found for found in posts}
    pairs = set()
    for answer in posts:
        seeker = by_id.get(answer["reply_to"])
        if seeker is None or (first_level_only and seeker["reply_to"] is not None):
            continue
        people = (answer["author"], seeker["author"])
        if "AutoModerator" in people or "[deleted]" in people or people[0] == people[1]:
            continue
        if "[removed]" not in (answer["text"], seeker["text"]):
            pairs.add((seeker["id"], answer["id"]))
    return pairs


def test_a_convokit_corpus_is_scored_and_analysed_in_three_commands(simulated, tmp_path):
    target = tmp_path / "interactions.parquet"
    written = simulated_conversations.posts(500, 120, 1)
    assert len(written) > 2000
    out = printed_by(
        app,
        "interactions",
        "--input_path",
        simulated / "convokit",
        "--output_path",
        target,
        "--keep",
        "topic",
        "--keep",
        "group",
    )
    rows = table(target)
    pairs = expected(written, first_level_only=False)
    assert {row["id"] for row in rows} == {f"{seeker}_{answer}" for seeker, answer in pairs} and len(rows) == len(
        pairs
    )
    assert f"{len(rows)} interactions of {len(written)} posts" in out and "answers: bot: left out" in out
    assert {row["topic"] for row in rows} == {"work", "grief"} and {row["group"] for row in rows} <= set("0123456789")
    thanked = {(found["reply_to"], found["author"]) for found in written if found["reply_to"]}
    authors = {found["id"]: found["author"] for found in written}
    for row in rows[:300]:
        seeker = next(s for s, a in pairs if f"{s}_{a}" == row["id"])
        answer = row["id"].removeprefix(f"{seeker}_")
        assert row["seeker_replied"] == ((answer, authors[seeker]) in thanked)
        assert row["responder_id"] != authors[answer] and len(row["responder_id"]) == 16
    scores = tmp_path / "scores"
    command = ("score", "--model", checkpoint(), "--input_path", target, "--keep", "all", "--output_path", scores)
    assert f"{len(rows)} pairs scored" in printed_by(app, *command)
    scored = [row for part in sorted(scores.glob("part-*")) for row in pq.read_table(part).to_pylist()]
    for row, source in zip(scored, rows, strict=True):
        assert row["id"] == source["id"] and row["ER_label"] in (0, 1, 2)
        assert (
            row["created_at"] == source["created_at"].isoformat() and row["seeker_replied"] == source["seeker_replied"]
        )
    options = ("--outcome", "seeker_replied", "--outcome", "upvotes", "--group", "topic", "--modelled_rows", "0")
    printed_by(app, "analyze", scores, *options, "--output_path", tmp_path / "report")
    found = json.loads((tmp_path / "report" / "numbers.json").read_text())
    assert found["about"]["rows"] == len(rows) and found["about"]["first"] == "2020-01-01"
    assert {one["section"] for one in found["estimates"]} >= {"levels", "change", "groups"}


def test_a_reddit_dump_is_read_from_its_packed_files(simulated, tmp_path):
    written = simulated_conversations.posts(1100, 300, 2)
    assert len(written) > 5000
    files = [simulated / "reddit" / name for name in ("RS_2020-01.zst", "RC_2020-01.zst")]
    target = tmp_path / "x.parquet"
    command = ["interactions", "--output_path", target, *(part for file in files for part in ("--input_path", file))]
    printed_by(app, *command, "--keep", "subreddit")
    rows = table(target)
    ids = {f"t3_{seeker}_t1_{answer}" for seeker, answer in expected(written, first_level_only=True)}
    assert {row["id"] for row in rows} == ids and {row["subreddit"] for row in rows} == {"simulated"}
    printed_by(app, *command, "--all_levels", "--keep_names")
    assert len(table(target)) == len(expected(written, first_level_only=False))
    assert any(row["responder_id"].startswith("person_") for row in table(target))


def test_a_table_of_posts_as_twitter_exports_it(tmp_path):
    rows = [
        ["1", "", "anna", "I feel alone", "2026-11-01T10:00:00+00:00", "4"],
        ["2", "1", "ben", "I am sorry", "2026-11-01T11:00:00+00:00", "2"],
        ["3", "1", "cora", "Why?", "2026-11-02T10:00:00+00:00", ""],
    ]
    header = ["status_id", "in_reply_to_status_id", "user", "full_text", "created_at", "favorite_count"]
    source = write_csv(tmp_path / "tweets.csv", rows, header)
    theirs = {"id": "status_id", "reply_to": "in_reply_to_status_id", "author": "user", "text": "full_text"}
    columns = [part for ours, name in theirs.items() for part in ("--column", f"{ours}={name}")]
    target = tmp_path / "x.parquet"
    command = ["interactions", "--input_path", source, "--output_path", target, "--keep_names"]
    printed_by(app, *command, *columns, "--column", "upvotes=favorite_count")
    found = [(row["id"], row["responder_id"], row["upvotes"], row["created_at"].hour) for row in table(target)]
    assert found == [("1_2", "ben", 2, 11), ("1_3", "cora", None, 10)]
    assert "the column 'id', 'reply_to', 'author', 'text' is missing" in refused_by(app, *command)


def test_a_table_of_pairs_keeps_its_ids(tmp_path):
    source = tmp_path / "pairs.jsonl"
    pairs = [
        {
            "id": 7,
            "seeker_post": "a",
            "response_post": "b",
            "responder_id": "ben",
            "created_at": 10,
            "seeker_replied": True,
        },
        {
            "id": 8,
            "seeker_post": "a",
            "response_post": "c",
            "responder_id": "ben",
            "created_at": 10 + DAY,
            "seeker_id": "anna",
        },
        {
            "id": 9,
            "seeker_post": "a",
            "response_post": "d",
            "responder_id": "ben",
            "created_at": 10,
            "seeker_id": "ben",
        },
    ]
    source.write_text("".join(json.dumps(pair) + "\n" for pair in pairs))
    target = tmp_path / "x.parquet"
    out = printed_by(app, "interactions", "--input_path", source, "--output_path", target, "--keep_names")
    found = [(row["id"], row["seeker_id"], row["response_number"], row["seeker_replied"]) for row in table(target)]
    assert found == [("7", None, 1, True), ("8", "anna", 2, None)] and "1 answers to oneself: left out" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--output_path", "x.csv"], "name a file that ends in .parquet"),
        (["--output_path", "x.parquet", "--keep", "upvotes"], "the table has a column of that name already"),
        (["--output_path", "x.parquet", "--source", "convokit"], "is no ConvoKit corpus: it has no utterances.jsonl"),
        (["--output_path", "x.parquet", "--keep_names", "--salt", "x"], "contradict each other"),
        (["--output_path", "x.parquet", "--column", "name=x"], "expected one of id, reply_to"),
    ],
)
def test_what_can_not_be_done_is_said(tmp_path, monkeypatch, options, said):
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "posts.csv", [["1", "", "a", "b"]], ["id", "reply_to", "author", "text"])
    assert said in refused_by(app, "interactions", "--input_path", "posts.csv", *options)


def test_a_bad_row_stops_or_is_counted(tmp_path):
    lines = [
        {"id": "s", "title": "t", "author": "a"},
        {"id": "x"},
        {"id": "r", "body": "b", "author": "c", "parent_id": "t3_s", "link_id": "t3_s"},
    ]
    (tmp_path / "RC_x.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    command = ("interactions", "--input_path", tmp_path / "RC_x.jsonl", "--output_path", tmp_path / "x.parquet")
    assert "RC_x.jsonl, line 2, column 'body': expected a comment with 'body', or a submission" in refused_by(
        app, *command
    )
    out = printed_by(app, *command, "--on_error", "skip")
    assert (
        "1 interactions of 2 posts" in out
        and "1 rows that could not be used, the first of them: RC_x.jsonl, line 2" in out
    )


@pytest.mark.parametrize("text", ["{}", ' {"a": 1, "b": {"c": [1, 2]}} ', '{"a":12345,"b":"' + "x" * 200_000 + '"}'])
def test_members_of_an_object_are_read_one_by_one(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    assert dict(json_members(InputFile.at(tmp_path / "x.json", "jsonl"))) == json.loads(text)


@pytest.mark.parametrize("text", ["", "[1]", '{"a": 1', '{"a" 1}', '{"a": 1 "b": 2}', "{1: 2}"])
def test_what_is_no_object_is_named(tmp_path, text):
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(InputError, match=r"x\.json is no JSON object"):
        list(json_members(InputFile.at(tmp_path / "x.json", "jsonl")))
