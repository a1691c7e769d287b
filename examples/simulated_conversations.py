"""Writes conversations in the formats of ConvoKit and of Reddit dumps, to try `empathy interactions` on.

    python examples/simulated_conversations.py conversations/       # 2,500 utterances and a dump of 5,500 lines
    python examples/simulated_conversations.py conversations/ 100   # of so many conversations each

Nobody wrote them: the texts are those of the sample corpus, which were written for this project, and who answers whom,
when and with what is drawn.
"""

from __future__ import annotations

import csv
import io
import json
import random
import sys
from pathlib import Path

import zstandard

from modeling_empathy.corpus.provenance import sample_folder


FIRST_OF_JANUARY = 1_577_836_800  # 2020, in seconds since 1970


def texts() -> tuple[list[str], list[str]]:
    """Seeker posts and responses of the sample."""
    with (sample_folder() / "explorations-sample.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return sorted({row["seeker_post"] for row in rows}), sorted({row["response_post"] for row in rows})


def posts(conversations: int, people: int, seed: int) -> list[dict]:
    """Posts of drawn conversations: a post, up to six answers, some of them answered by the seeker."""
    draw = random.Random(seed)
    seeker_posts, responses = texts()
    found = []
    for conversation in range(conversations):
        time = FIRST_OF_JANUARY + conversation * 3600
        seeker = f"person_{draw.randrange(people)}"
        root = {"id": f"c{conversation}", "root": f"c{conversation}", "reply_to": None, "author": seeker, "time": time}
        found.append(root | {"text": draw.choice(seeker_posts), "score": draw.randrange(20)})
        for number in range(draw.randrange(7)):
            # Programs, people who answer themselves, and texts that were removed occur, as they do anywhere.
            author = draw.choices(
                [f"person_{draw.randrange(people)}", "AutoModerator", seeker, "[deleted]"], [92, 3, 3, 2]
            )[0]
            text = draw.choices([draw.choice(responses), "[removed]"], [97, 3])[0]
            answer = {"id": f"c{conversation}_{number}", "root": root["id"], "reply_to": root["id"], "author": author}
            answer |= {"time": time + 60 * (number + 1), "text": text, "score": draw.randrange(-2, 9)}
            found.append(answer)
            if draw.random() < 0.4:
                thanks = {"id": f"{answer['id']}_t", "root": root["id"], "reply_to": answer["id"], "author": seeker}
                found.append(thanks | {"time": answer["time"] + 600, "text": "Thank you for this.", "score": 1})
    return found


def write_convokit(folder: Path, written: list[dict]) -> None:
    """Writes a corpus as ConvoKit does."""
    folder.mkdir(parents=True)
    with (folder / "utterances.jsonl").open("w", encoding="utf-8") as file:
        for post in written:
            utterance = {
                "id": post["id"],
                "conversation_id": post["root"],
                "text": post["text"],
                "speaker": post["author"],
                "meta": {"score": post["score"]},
                "reply-to": post["reply_to"],
                "timestamp": post["time"],
                "vectors": [],
            }
            file.write(json.dumps(utterance) + "\n")
    roots = sorted({post["root"] for post in written})
    conversations = {
        root: {"meta": {"topic": ("work", "grief")[number % 2]}, "vectors": []} for number, root in enumerate(roots)
    }
    (folder / "conversations.json").write_text(json.dumps(conversations))
    speakers = {
        author: {"meta": {"group": author[-1:]}, "vectors": []}
        for author in sorted({post["author"] for post in written})
    }
    (folder / "speakers.json").write_text(json.dumps(speakers))
    (folder / "corpus.json").write_text("{}")
    (folder / "index.json").write_text(json.dumps({"version": 1}))


def write_reddit(folder: Path, written: list[dict]) -> None:
    """Writes submissions and comments as the dumps have them: JSON lines, packed by zstd with a window of 2 GB."""
    folder.mkdir(parents=True)
    files: dict[str, list[str]] = {"RS_2020-01.zst": [], "RC_2020-01.zst": []}
    for post in written:
        common = {"id": post["id"], "author": post["author"], "created_utc": post["time"], "score": post["score"]}
        common |= {"subreddit": "simulated"}
        if post["reply_to"] is None:
            title, _, body = post["text"].partition(". ")
            files["RS_2020-01.zst"].append(json.dumps(common | {"title": title, "selftext": body, "is_self": True}))
        else:
            kind = "t3" if post["reply_to"] == post["root"] else "t1"
            ids = {"parent_id": f"{kind}_{post['reply_to']}", "link_id": f"t3_{post['root']}"}
            files["RC_2020-01.zst"].append(json.dumps(common | ids | {"body": post["text"]}))
    parameters = zstandard.ZstdCompressionParameters.from_level(3, window_log=31, enable_ldm=True)
    for name, lines in files.items():
        packed = io.BytesIO()
        with zstandard.ZstdCompressor(compression_params=parameters).stream_writer(packed, closefd=False) as writer:
            writer.write(("\n".join(lines) + "\n").encode())
        (folder / name).write_bytes(packed.getvalue())


def main() -> None:
    """Writes both."""
    folder, *sizes = sys.argv[1:]
    convokit, reddit = (int(sizes[0]), int(sizes[0])) if sizes else (500, 1100)
    write_convokit(Path(folder) / "convokit", posts(conversations=convokit, people=120, seed=1))
    write_reddit(Path(folder) / "reddit", posts(conversations=reddit, people=300, seed=2))


if __name__ == "__main__":
    main()
