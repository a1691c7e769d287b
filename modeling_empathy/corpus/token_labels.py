"""What an annotation says of each token of a response, and where it says nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..model.rationale_spans import IGNORE_INDEX, spans_to_token_labels, truncated_spans


if TYPE_CHECKING:
    from transformers import BatchEncoding, PreTrainedTokenizerBase


UNANNOTATED = ("none", "ignore", "all", "original")


def rationale_labels(
    text: str,
    offsets: Sequence[tuple[int, int]],
    special_tokens_mask: Sequence[int],
    spans: Sequence[tuple[int, int]],
    level: int,
    unannotated: str = "none",
) -> list[int]:
    """Labels the tokens of a response for one mechanism.

    Args:
        text: The response.
        offsets: `(token, 2)`, characters of each token.
        special_tokens_mask: `(token,)`, 1 on special tokens.
        spans: `(span, 2)`, the annotated rationales.
        level: The annotated level.
        unannotated: Whether a response at level 0 without rationales is `"none"` rationale or `"all"` of it.
            `"ignore"` says nothing about its tokens: what is learned is which words show a mechanism where it is
            shown, and the level says whether it is. `"original"` is `"all"` as the original code has it: whatever the
            level, and with labels on the special tokens too, on the last one that of the response if it is all
            rationale.

    Returns:
        `(token,)`: 1 in a rationale, 0 outside, -100 on special tokens, and on all tokens where the level is above 0
        but no rationale is given: which words show it is then not known. With `"original"` nothing is -100.

    Raises:
        ValueError: If `unannotated` is none of these.
    """
    if unannotated not in UNANNOTATED:
        raise ValueError(f"unannotated={unannotated!r}: use one of {', '.join(UNANNOTATED)}.")
    if spans:
        labels = spans_to_token_labels(text, offsets, special_tokens_mask, spans)
        return [max(label, 0) for label in labels] if unannotated == "original" else labels
    if unannotated == "original":
        # Its code marks everything behind the first token, the closing special token included.
        return [0] + [1] * (len(offsets) - 1)
    says_nothing = level > 0 or unannotated == "ignore"
    known = IGNORE_INDEX if says_nothing else int(unannotated == "all")
    return [IGNORE_INDEX if special else known for special in special_tokens_mask]


def label_responses(
    tokenizer: PreTrainedTokenizerBase,
    responses: Sequence[str],
    annotations: Sequence[Sequence[Mapping[str, Any]]],
    *,
    max_length: int,
    unannotated: str = "none",
) -> tuple[BatchEncoding, list[list[list[int]]], list[list[int]]]:
    """Tokenizes responses and labels their tokens for each mechanism.

    Args:
        tokenizer: A fast tokenizer.
        responses: The texts.
        annotations: `(response, mechanism)`, each with a `level` and `rationales` of `start` and `end`, and perhaps
            the `prepared_labels` of a prepared file, which with `unannotated="original"` are taken as they are.
        max_length: Tokens of a response, special tokens included; the rest is cut.
        unannotated: As in [`rationale_labels`].

    Returns:
        The encoding with `offset_mapping` and `special_tokens_mask`; the labels `(response, mechanism, token)`; and
        `(response, mechanism)`, how many rationales the cut shortened or lost.
    """
    encoded = tokenizer(
        list(responses),
        truncation=True,
        max_length=max_length,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
        # Not used here, and every list that is made takes time.
        return_attention_mask=False,
        return_token_type_ids=False,
    )
    labels, cut = [], []
    for index, (text, by_mechanism) in enumerate(zip(responses, annotations, strict=True)):
        offsets, special = encoded["offset_mapping"][index], encoded["special_tokens_mask"][index]
        # Offsets alone don't tell: a normalizer may drop the last characters of a text that is not cut.
        was_cut = bool(encoded.encodings[index].overflowing)
        response_labels, lost = [], []
        for annotation in by_mechanism:
            spans = [(span["start"], span["end"]) for span in annotation["rationales"]]
            lost.append(len(truncated_spans(offsets, special, spans)) if was_cut else 0)
            if unannotated == "original" and "prepared_labels" in annotation:
                response_labels.append(list(annotation["prepared_labels"][: len(offsets)]))
            else:
                level = annotation["level"]
                response_labels.append(rationale_labels(text, offsets, special, spans, level, unannotated))
        labels.append(response_labels)
        cut.append(lost)
    return encoded, labels, cut
