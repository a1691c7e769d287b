"""What an annotation says of each token of a response, and where it says nothing."""

from __future__ import annotations

from collections.abc import Sequence

from .rationale_spans import IGNORE_INDEX, spans_to_token_labels


UNANNOTATED = ("none", "all")


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
        unannotated: Whether a response at level 0 without rationales is `"none"` rationale, or `"all"` of it as the
            original code has it.

    Returns:
        `(token,)`: 1 in a rationale, 0 outside, -100 on special tokens, and on all tokens where the level is above 0
        but no rationale is given: which words show it is then not known.

    Raises:
        ValueError: If `unannotated` is neither.
    """
    if unannotated not in UNANNOTATED:
        raise ValueError(f"unannotated={unannotated!r}: use one of {', '.join(UNANNOTATED)}.")
    if spans:
        return spans_to_token_labels(text, offsets, special_tokens_mask, spans)
    known = IGNORE_INDEX if level > 0 else int(unannotated == "all")
    return [IGNORE_INDEX if special else known for special in special_tokens_mask]
