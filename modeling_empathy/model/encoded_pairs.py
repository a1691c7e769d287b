"""Pairs of posts as the model reads them: tokenized, cut or in overlapping windows, padded in batches."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from weakref import WeakKeyDictionary

import torch
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from .configuration_checks import longest_post
from .configuration_empathy import EmpathyConfig
from .mechanisms import POSTS
from .option_values import whole_number
from .pair_inputs import PostPair
from .rationale_decisions import clauses_of_tokens


logger = logging.get_logger(__name__)

# What a stride is that is not given: the model's own, `window_stride` of its configuration. None is a choice, to cut.
OWN_STRIDE = "own"

# To each tokenizer the size of its vocabulary and what tokenizes in its place; see [`_undisturbed`].
_TOKENIZING: WeakKeyDictionary[PreTrainedTokenizerBase, tuple[int, Any]] = WeakKeyDictionary()


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
        position: Where the pair stands among those that it was given with, from 0, if that is known.
    """

    response_post: str
    seeker_input_ids: list[int]
    response_input_ids: list[int]
    response_offsets: list[tuple[int, int]]
    response_special_tokens_mask: list[int]
    truncated: dict[str, bool]
    max_length: int = 0
    windows: list[list[int]] | None = None
    position: int | None = None

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


def checked_lengths(
    tokenizer: PreTrainedTokenizerBase,
    config: EmpathyConfig,
    max_length: Any = None,
    stride: Any = OWN_STRIDE,
    token_mask: bool = False,
) -> tuple[int, int | None]:
    """How much of a post is read, checked before any is.

    Args:
        tokenizer: The model's.
        config: The model's.
        max_length: Tokens of a post, special tokens included; the model's `max_post_length` when left out.
        stride: Tokens that windows of a long response share; None to cut it. Left out, it is the model's
            `window_stride`, or half of a window where that is less: windows that move on by little cost much.
        token_mask: Whether results have token masks: these are of up to `max_length` tokens, and a response is cut for
            them unless a stride is given.

    Returns:
        `max_length` and `stride` as [`encode_pairs`] takes them.

    Raises:
        ValueError: If the model can't read so many tokens, or windows that share `stride` tokens would not move on.
    """
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} is no fast tokenizer, and rationales need its character offsets."
        )
    special_tokens = tokenizer.num_special_tokens_to_add()
    longest = longest_post(config.encoder_config)
    if max_length is None:
        max_length = whole_number("max_post_length", config.max_post_length, special_tokens + 1, longest)
    else:
        # Of a tokenizer that says nothing, some 1e30.
        longest = min(longest, tokenizer.model_max_length if tokenizer.model_max_length < 1e9 else longest)
        max_length = whole_number("max_length", max_length, special_tokens + 1, longest)
    capacity = max_length - special_tokens
    if isinstance(stride, str) and stride == OWN_STRIDE:
        # Where padding is seen, a window would have another result than the same words in a short response.
        is_cut = config.window_stride is None or config.attend_to_padding or token_mask
        # Checked anew: a program may have set it since the configuration was made.
        stride = None if is_cut else min(whole_number("window_stride", config.window_stride, 0), capacity // 2)
    if stride is None:
        return max_length, None
    try:
        return max_length, whole_number("stride", stride, 0, capacity - 1)
    except ValueError:
        raise ValueError(
            f"stride={stride!r}: windows of {max_length} tokens hold {capacity} of the response, so they can share "
            f"from 0 to {capacity - 1}."
        ) from None


def encode_pairs(
    tokenizer: PreTrainedTokenizerBase, pairs: Sequence[PostPair], max_length: int, stride: int | None = None
) -> list[EncodedPair]:
    """Tokenizes pairs without padding, each post once; says once in the log when a post had to be cut.

    Threads may share a tokenizer, whatever their options. Its own truncation and padding count for nothing, and stay
    as they are.

    Args:
        tokenizer: A fast tokenizer.
        pairs: Seeker posts and responses.
        max_length: As [`checked_lengths`] gave it.
        stride: Likewise.
    """
    if not pairs:
        return []
    # Many responses share a seeker post; `fromkeys` keeps the order, which `set` would not.
    seekers = list(dict.fromkeys(pair.seeker_post for pair in pairs))
    responses = list(dict.fromkeys(pair.response_post for pair in pairs))
    tokenizing, side = _undisturbed(tokenizer), tokenizer.truncation_side
    # Each of an encoding's attributes is copied out of the tokenizer when it is read, so once for each post.
    by_seeker: dict[str, tuple[list[int], bool]] = {}
    for text, encoding in zip(seekers, tokenizing.encode_batch(seekers), strict=True):
        kept = _kept(encoding, max_length, side)
        by_seeker[text] = _at(kept, encoding.ids), kept is not None
    by_response: dict[str, tuple[list[int], list[tuple[int, int]], list[int], bool]] = {}
    for text, encoding in zip(responses, tokenizing.encode_batch(responses), strict=True):
        # Windows are made of the whole response.
        kept = _kept(encoding, max_length, side) if stride is None else None
        ids, offsets = _at(kept, encoding.ids), _at(kept, encoding.offsets)
        by_response[text] = ids, offsets, _at(kept, encoding.special_tokens_mask), kept is not None
    encoded = []
    for seeker_post, response_post, position in pairs:
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
                position=position,
            )
        )
    if any(is_cut for pair in encoded for is_cut in pair.truncated.values()):
        logger.warning_once(
            f"Some posts are longer than {max_length} tokens: they are scored without their end, and their result "
            "says so under 'truncated'. With stride=, a response is scored to its end."
        )
    return encoded


def _undisturbed(tokenizer: PreTrainedTokenizerBase) -> Any:
    """A copy of what a fast tokenizer tokenizes with, which never cuts or pads and which nothing sets anything on.

    How a fast tokenizer cuts is a state of it: a thread that tokenized with a length of its own would set it for all
    that share the tokenizer, whose users may have set one too.
    """
    size, copied = _TOKENIZING.get(tokenizer, (0, None))
    # Words may be added to a tokenizer after its first use; other steps of it are not expected to change.
    if size != len(tokenizer):
        copied = copy.deepcopy(tokenizer.backend_tokenizer)
        copied.no_truncation()
        copied.no_padding()
        copied.encode_special_tokens = tokenizer.split_special_tokens
        _TOKENIZING[tokenizer] = len(tokenizer), copied
    return copied


def _kept(encoding: Any, max_length: int, side: str) -> list[int] | None:
    """Positions of the tokens that a post is cut to, special tokens around them included; None where all fit."""
    if len(encoding) <= max_length:
        return None
    special_tokens_mask = encoding.special_tokens_mask
    before, after = special_tokens_mask.index(0), special_tokens_mask[::-1].index(0)
    words = range(before, len(encoding) - after)
    capacity = max_length - before - after
    words = words[:capacity] if side == "right" else words[len(words) - capacity :]
    return [*range(before), *words, *range(len(encoding) - after, len(encoding))]


def _at(positions: Sequence[int] | None, values: list[Any]) -> list[Any]:
    return values if positions is None else [values[position] for position in positions]


def _windows(special_tokens_mask: Sequence[int], max_length: int, stride: int) -> list[list[int]] | None:
    """Positions of the tokens of each window, each with the special tokens around it; None where all fit in one."""
    words = [position for position, is_special in enumerate(special_tokens_mask) if not is_special]
    # Every window has the special tokens again, because the level is read at the first token, which is one of them.
    capacity = max_length - (len(special_tokens_mask) - len(words))
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
