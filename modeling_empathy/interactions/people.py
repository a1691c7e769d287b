"""Who is left out of a table of interactions, and how names of people are hidden."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from .posts import REMOVED, Post


# Names of accounts that are no people; what ends in "bot" is taken for one too.
_BOTS = re.compile(r".*(?<![a-z])bot|bot[-_].*|.*[a-z]Bot", re.ASCII)
_HASH_DIGITS = 16


class People:
    """Decides about authors.

    Args:
        salt: What names are hashed with; None to keep them.
        bots: Further names of accounts that are no people, in small letters or not.
    """

    def __init__(self, salt: str | None, bots: Sequence[str] = ()) -> None:
        self._salt = salt
        self._bots = {name.lower() for name in bots}

    def is_bot(self, name: str) -> bool:
        """Whether an account is that of a program, as its name or the list says."""
        return name.lower() in self._bots or bool(_BOTS.fullmatch(name) or name.lower() == "automoderator")

    def hidden(self, name: str) -> str:
        """The name as the table has it: equal for equal names, and without the salt nobody can tell whose it is."""
        if self._salt is None:
            return name
        return hashlib.blake2b(
            name.encode("utf-8", "surrogateescape"), key=self._salt.encode()[:64], digest_size=_HASH_DIGITS // 2
        ).hexdigest()

    def problem(self, post: Post) -> str | None:
        """Why a post is left out: `removed`, `author unknown`, `bot`; None of one that is not."""
        if not post.text.strip() or post.text.strip() in REMOVED:
            return "removed"
        if post.author is None:
            # A table of pairs need not say who asked.
            return None if post.pair_id is not None else "author unknown"
        if post.author in REMOVED:
            return "author unknown"
        return "bot" if self.is_bot(post.author) else None
