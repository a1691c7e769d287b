"""Attacks by files of pairs and of annotated pairs."""

from tests.attacks.attempts import GOOD_PAIRS, Attack, done, refused


SCORE = "empathy score --model MODEL --input_path pairs.csv"

ATTACKS: list[Attack] = [
    done("nothing wrong at all", {"pairs.csv": GOOD_PAIRS}, SCORE),
    refused(
        "a NUL byte in a post",
        {"pairs.csv": b"id,seeker_post,response_post\n1,a\0b,c\n"},
        SCORE,
        "row 1 .line 2., column 'seeker_post'.*NUL",
    ),
]
