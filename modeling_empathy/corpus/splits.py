"""Which pairs are trained on and which are held out: a rule over the seeker post's id, the same on every machine."""

from __future__ import annotations

import hashlib


def split_of(sp_id: str, salt: str = "") -> str:
    """The split that all responses to a seeker post fall in: 75 % train, 5 % validation, 20 % test.

    Args:
        sp_id: Id of the seeker post.
        salt: Put before the id, it gives other splits by the same rule.
    """
    # The paper's shares, 75:5:20; it does not say which posts, so that published figures are of another split.
    percentile = _percentile(sp_id, salt)
    return "train" if percentile < 75 else "validation" if percentile < 80 else "test"


def is_of_development(sp_id: str, salt: str = "") -> bool:
    """Whether a post of the train split is in the fifth of it that takes the test split's place in development.

    Recipes are chosen on it, so that the test split is read once they are.
    """
    # The upper end of the train split, 15 of its 75 parts.
    return 60 <= _percentile(sp_id, salt) < 75


def _percentile(sp_id: str, salt: str) -> int:
    # Not `hash()`, which Python salts anew in each process. That `sha1` is broken for signatures is no matter here.
    return int(hashlib.sha1((salt + sp_id).encode()).hexdigest(), 16) % 100
