"""Small changes of a response that change no level: typing errors, capitals, an emoji, a name.

Invariance tests of Ribeiro et al., "Beyond Accuracy: Behavioral Testing of NLP Models with CheckList", ACL 2020.
"""

from __future__ import annotations

import random
import re
import zlib
from collections.abc import Callable


# A word that is still read with two of its inner letters exchanged.
_WORD = re.compile(r"[A-Za-z]{5,}")
_SHARE_OF_WORDS = 0.2


def with_typos(text: str) -> str:
    """Exchanges two neighbouring inner letters in a fifth of the words of five letters or more, in one at least."""
    words = list(_WORD.finditer(text))
    # By the text alone, on every machine: Python salts `hash` anew in each process.
    chance = random.Random(zlib.crc32(text.encode()))
    for word in chance.sample(words, max(1, round(_SHARE_OF_WORDS * len(words))) if words else 0):
        # Not the first letter nor the last, by which a word is known, and no double one, which would stay as it is.
        places = [at for at in range(word.start() + 1, word.end() - 2) if text[at] != text[at + 1]]
        if places:
            place = chance.choice(places)
            text = text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text


def in_capitals(text: str) -> str:
    """All of it in capitals."""
    return text.upper()


def with_emoji(text: str) -> str:
    """An emoji behind it that says nothing."""
    return f"{text} 🍃"


def with_name(text: str) -> str:
    """A name in front, as one begins a letter."""
    return f"Sam, {text}"


# What it is called in reports.
PERTURBATIONS: dict[str, Callable[[str], str]] = {
    "typos": with_typos,
    "capitals": in_capitals,
    "emoji": with_emoji,
    "name": with_name,
}
