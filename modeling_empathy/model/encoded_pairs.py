"""Pairs of posts as the model reads them: tokenized, cut or in overlapping windows, padded in batches."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .mechanisms import POSTS
from .rationale_decisions import clauses_of_tokens


logger = logging.get_logger(__name__)


@dataclass(frozen=True)
class EncodedPair:
    """A tokenized pair, with what it takes to find the way back to the response's characters.

    Attributes:
        response_post: The response's text.
        seeker_input_ids: The seeker post's tokens.
        response_input_ids: The response's tokens; all of them where there are windows.
        response_offsets: `(token, 2)`, the characters of each.
        response_special_tokens_mask: `(token,)`, 1 on special tokens.
        truncated: Which of the two posts lack their end.
        max_length: What a post was cut to.
        windows: The positions of the response's tokens that are read together; without it, all of them.
    """

    response_post: str
    seeker_input_ids: list[int]
    response_input_ids: list[int]
    response_offsets: list[tuple[int, int]]
    response_special_tokens_mask: list[int]
    truncated: dict[str, bool]
    max_length: int = 0
    windows: list[list[int]] | None = None

    @cached_property
    def response_clauses(self) -> list[int]:
        """`(token,)`, the number of the clause that each token of the response is in, -1 for special tokens."""
        return clauses_of_tokens(self.response_post, self.response_offsets, self.response_special_tokens_mask)

    def rows(self) -> list[dict[str, list[int]]]:
        """What the model reads, a row for each window of the response."""
        responses = [self.response_input_ids]
        if self.windows is not None:
            responses = [[self.response_input_ids[position] for position in window] for window in self.windows]
        return [{"seeker_input_ids": self.seeker_input_ids, "response_input_ids": ids} for ids in responses]


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[tuple[str, str]], max_length: int, stride: int | None = None
) -> list[EncodedPair]:
    """Tokenizes pairs without padding, each post once; says once in the log when a post had to be cut.

    Args:
        tokenizer: A fast tokenizer.
        pairs: Seeker posts and responses.
        max_length: Tokens of a post, special tokens included.
        stride: Reads a longer response in windows that share this many tokens, instead of cutting it.

    Raises:
        ValueError: If windows that share `stride` tokens would not move on.
    """
    if not pairs:
        return []
    plain = {"return_attention_mask": False, "return_token_type_ids": False}  # Every list that is made takes time.
    cut = {"truncation": True, "max_length": max_length, **plain}
    # Many responses share a seeker post; `fromkeys` keeps the order, which `set` would not.
    seekers, responses = (list(dict.fromkeys(posts)) for posts in zip(*pairs, strict=True))
    # Each of an encoding's attributes is copied out of the tokenizer when it is read, so once for each post. By
    # `overflowing` the tokenizer says what it cut off.
    by_seeker = {
        text: (encoding.ids, bool(encoding.overflowing))
        for text, encoding in zip(seekers, tokenizer(seekers, **cut).encodings, strict=True)
    }
    # Windows are made of the whole response. Not verbose, or the tokenizer would warn of its length.
    tokenized = tokenizer(responses, **(cut if stride is None else {"verbose": False, **plain}))
    by_response = {
        text: (encoding.ids, encoding.offsets, encoding.special_tokens_mask, bool(encoding.overflowing))
        for text, encoding in zip(responses, tokenized.encodings, strict=True)
    }
    encoded = []
    for seeker_post, response_post in pairs:
        seeker_ids, is_seeker_cut = by_seeker[seeker_post]
        ids, offsets, special_tokens_mask, is_response_cut = by_response[response_post]
        encoded.append(
            EncodedPair(
                response_post=response_post,
                seeker_input_ids=seeker_ids,
                response_input_ids=ids,
                response_offsets=offsets,
                response_special_tokens_mask=special_tokens_mask,
                truncated=dict(zip(POSTS, (is_seeker_cut, is_response_cut), strict=True)),
                max_length=max_length,
                windows=None if stride is None else _windows(special_tokens_mask, max_length, stride),
            )
        )
    if any(is_cut for pair in encoded for is_cut in pair.truncated.values()):
        logger.warning_once(
            f"Some posts are longer than {max_length} tokens: they are scored without their end, and their result "
            "says so under 'truncated'. With stride=, a response is scored to its end."
        )
    return encoded


def _windows(special_tokens_mask: Sequence[int], max_length: int, stride: int) -> list[list[int]] | None:
    """Positions of the tokens of each window, each with the special tokens around it; None where all fit in one."""
    words = [position for position, is_special in enumerate(special_tokens_mask) if not is_special]
    # Every window has the special tokens again, because the level is read at the first token, which is one of them.
    capacity = max_length - (len(special_tokens_mask) - len(words))
    if not 0 <= stride < capacity:
        raise ValueError(
            f"stride={stride}: windows of {max_length} tokens hold {capacity} of the response, so they can share from "
            f"0 to {capacity - 1}."
        )
    # Checked before this, so that a stride is refused for short responses as well as for long ones.
    if len(words) <= capacity:
        return None
    before, after = list(range(words[0])), list(range(words[-1] + 1, len(special_tokens_mask)))
    last = len(words) - capacity  # where the last window starts, so that it is as full as the others
    starts = [*range(0, last, capacity - stride), last]
    return [[*before, *words[start : start + capacity], *after] for start in starts]


def pad_posts(
    rows: Sequence[Mapping[str, Any]], pad_token_id: int, multiple_of: int = 1, at_least: int = 0
) -> dict[str, torch.Tensor]:
    """Pads the seeker posts and the responses of a batch on the right, each to their own longest.

    Args:
        rows: Each with `seeker_input_ids` and `response_input_ids`, lists of token ids.
        pad_token_id: What both are padded with.
        multiple_of: Rounds the padded lengths up.
        at_least: Tokens that both are padded to in any case.

    Returns:
        `{post}_input_ids` and `{post}_attention_mask` for `seeker` and `response`, each `(batch, token)`.
    """
    # Apart, or a batch's longest response would be what its short seeker posts are padded to.
    batch = {}
    for post in ("seeker", "response"):
        batch[f"{post}_input_ids"], batch[f"{post}_attention_mask"] = pad(
            [row[f"{post}_input_ids"] for row in rows], pad_token_id, multiple_of, at_least
        )
    return batch


def pad(
    posts: Sequence[Sequence[int]], pad_token_id: int, multiple_of: int = 1, at_least: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Pads posts as [`pad_posts`] does: their ids and attention mask, `(post, token)` each."""
    # The two minus signs round the division up.
    longest = -(-max(at_least, *map(len, posts)) // multiple_of) * multiple_of
    ids = torch.full((len(posts), longest), pad_token_id)
    mask = torch.zeros((len(posts), longest), dtype=torch.long)
    for index, post in enumerate(posts):
        ids[index, : len(post)] = torch.tensor(post)
        mask[index, : len(post)] = 1
    return ids, mask
