"""Which pairs are trained on and which are held out: a rule over the seeker post's id, the same on every machine."""

from __future__ import annotations

import hashlib


def split_of(sp_id: str, salt: str = "") -> str:
    """The split that all responses to a seeker post fall in: 75 % train, 5 % validation, 20 % test.

    Args:
        sp_id: Id of the seeker post.
        salt: Put before the id, it gives other splits by the same rule.
    """
    percentile = _percentile(sp_id, salt)
    return "train" if percentile < 75 else "validation" if percentile < 80 else "test"


def is_of_development(sp_id: str, salt: str = "") -> bool:
    """Whether a post of the train split is in the fifth of it that takes the test split's place in development.

    Recipes are chosen on it, so that the test split is read once they are.
    """
    return 60 <= _percentile(sp_id, salt) < 75


def _percentile(sp_id: str, salt: str) -> int:
    return int(hashlib.sha1((salt + sp_id).encode()).hexdigest(), 16) % 100
