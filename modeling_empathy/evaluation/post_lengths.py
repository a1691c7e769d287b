"""How long posts are in tokens, and how many of them a model does not read to their end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import datasets
from transformers import PreTrainedTokenizerBase

from ..model.mechanisms import POSTS


class PostLengths(NamedTuple):
    """Lengths of the posts of pairs, before they are cut.

    Attributes:
        tokens: `seeker_post` and `response_post` to the tokens of each pair's, special tokens included.
        max_length: Tokens of a post that the model reads, special tokens included.
        cut_rationales: Annotated rationales that the cut shortened or lost.
    """

    tokens: dict[str, list[int]]
    max_length: int
    cut_rationales: int

    @property
    def cut(self) -> dict[str, int]:
        """How many posts of each kind are cut."""
        return {post: sum(count > self.max_length for count in counts) for post, counts in self.tokens.items()}


def post_lengths(features: datasets.Dataset, tokenizer: PreTrainedTokenizerBase, max_length: int) -> PostLengths:
    """Counts the tokens of both posts of each pair.

    Args:
        features: Rows of [`~modeling_empathy.corpus.features.build_features`].
        tokenizer: The one they were built with.
        max_length: Likewise.
    """
    tokens = {post: _counts(list(features[post]), tokenizer) for post in POSTS}
    return PostLengths(tokens, max_length, sum(features["truncated_rationales"]))


def _counts(texts: Sequence[str], tokenizer: PreTrainedTokenizerBase) -> list[int]:
    # A seeker post that many answered is tokenized once. Not verbose: that a text is longer than the model reads is
    # what is counted here, and no warning.
    distinct = list(dict.fromkeys(texts))
    encoded = tokenizer(distinct, return_attention_mask=False, return_token_type_ids=False, verbose=False)
    count = dict(zip(distinct, map(len, encoded["input_ids"]), strict=True))
    return [count[text] for text in texts]
