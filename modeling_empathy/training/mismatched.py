"""Responses beside a seeker post that they do not answer: what is particular in them then shows nothing.

A model that is trained on matching pairs alone learns to judge responses by themselves: it is never shown that a
question about an exam is none to somebody who lost a dog (Lee et al., EACL 2023).
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from typing import Any

import datasets
import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer

from ..corpus.annotated_files import annotated_levels, is_single
from ..model.mechanisms import LEVELS


# Cosine of weighted words from which a response speaks of what its seeker post says.
_PARTICULAR = 0.1
_STRONG = len(LEVELS) - 1
# Warmth is often as true of another post; understanding and questions that are strong are about something.
_ABOUT_SOMETHING, _WARMTH = ("interpretations", "explorations"), "emotional_reactions"


def mismatched_pairs(rows: datasets.Dataset, mechanisms: Sequence[str], seed: int = 12) -> datasets.Dataset:
    """Puts responses that speak of something particular beside a seeker post with which they have no word in common.

    Args:
        rows: Annotated pairs, of `mechanisms` or of that single one.
        mechanisms: Those that are annotated.
        seed: Of the choice among the posts.

    Returns:
        A pair for each response that is strong in interpretations or explorations, shows no emotional reaction where
        these are annotated, and shares weighted words with its own post: with another post's id and text, its levels
        0. Such a response may still fit the other post; that is rare enough to be learned from.
    """
    levels = annotated_levels(rows, mechanisms)
    strong = np.zeros(len(rows), dtype=bool)
    for place, mechanism in enumerate(mechanisms):
        if mechanism in _ABOUT_SOMETHING:
            strong |= levels[:, place] == _STRONG
    if _WARMTH in mechanisms:
        strong &= levels[:, list(mechanisms).index(_WARMTH)] == 0
    if not strong.any():
        return rows.select([])
    seekers, responses = list(rows["seeker_post"]), list(rows["response_post"])
    words = TfidfVectorizer(stop_words="english", sublinear_tf=True).fit([*seekers, *responses])
    posts = list(dict.fromkeys(zip(rows["sp_id"], seekers, strict=True)))
    by_response, by_seeker = words.transform(responses), words.transform([text for _, text in posts])
    own = np.asarray(by_response.multiply(words.transform(seekers)).sum(axis=1)).ravel()
    chance = random.Random(seed)
    chosen, others = [], []
    for row in np.flatnonzero(strong & (own > _PARTICULAR)):
        without_common_words = np.flatnonzero((by_response[row] @ by_seeker.T).toarray()[0] == 0)
        if len(without_common_words):
            chosen.append(int(row))
            others.append(posts[chance.choice(without_common_words.tolist())])
    mismatched = rows.select(chosen)
    if not chosen:
        return mismatched
    none = {"level": 0, "rationales": []}
    shown = none if is_single(rows) else dict.fromkeys(mechanisms, none)

    def beside_another(row: Mapping[str, Any], index: int) -> dict[str, Any]:
        sp_id, seeker_post = others[index]
        return {"sp_id": sp_id, "seeker_post": seeker_post, **shown}

    return mismatched.map(beside_another, with_indices=True, features=rows.features, keep_in_memory=True)
