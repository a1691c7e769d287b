"""Which tokens of a response belong to a rationale: each by itself, or all of a clause by what it has on average.

People mark clauses, not words: on the Reddit corpus nine of ten annotated spans start and end where a clause does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence


# A clause ends with sentence punctuation, a comma, colon or semicolon, or a line break, and what stands around it.
_CLAUSE_END = re.compile(r"[.!?,;:…。！？、，；：\n]+[\"'”’)\]]*(?=\s|$)\s*|\n\s*|[。！？、，；：]+")


def decided_by_clause(
    text: str,
    offsets: Sequence[tuple[int, int]],
    special_tokens_mask: Sequence[int],
    probabilities: Sequence[float],
    threshold: float,
) -> tuple[list[float], float]:
    """Gives each token what its clause has on average, and says from where on that is in the rationale.

    Args:
        text: The response.
        offsets: `(token, 2)`, first and last-plus-one character of each token.
        special_tokens_mask: `(token,)`, 1 on special and padding tokens.
        probabilities: `(token,)`, or longer where the batch was padded.
        threshold: From which a clause belongs to the rationale.

    Returns:
        The scores, as long as `probabilities`: the mean over the tokens of the same clause; special tokens and padding
        keep their own. And the threshold: the one given, or what the best clause has where none reaches it. For a
        rationale says which words show the mechanism if the response does, and then some must.
    """
    clauses = clauses_of_tokens(text, offsets, special_tokens_mask)
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    for probability, clause in zip(probabilities, clauses, strict=False):
        sums[clause] = sums.get(clause, 0.0) + probability
        counts[clause] = counts.get(clause, 0) + 1
    means = {clause: total / counts[clause] for clause, total in sums.items() if clause >= 0}
    scores = [means.get(clause, own) for clause, own in zip(clauses, probabilities, strict=False)]
    scores += probabilities[len(scores) :]
    return scores, min(threshold, max(means.values(), default=threshold))


def clauses_of_tokens(text: str, offsets: Sequence[tuple[int, int]], special_tokens_mask: Sequence[int]) -> list[int]:
    """Numbers the clauses of a text and says which one each token is in.

    Args:
        text: The text that was tokenized.
        offsets: `(token, 2)`, first and last-plus-one character of each token.
        special_tokens_mask: `(token,)`, 1 on special and padding tokens.

    Returns:
        `(token,)`, the number of the clause that the token's last character is in, -1 for special tokens.

    Example:
        >>> offsets = [(0, 0), (0, 5), (5, 6), (7, 11), (12, 15), (15, 16), (0, 0)]
        >>> clauses_of_tokens("Sorry, what now?", offsets, [1, 0, 0, 0, 0, 0, 1])
        [-1, 0, 0, 1, 1, 1, -1]
    """
    ends = [match.end() for match in _CLAUSE_END.finditer(text)]
    return [
        -1 if is_special else bisect_right(ends, max(end - 1, start))
        for (start, end), is_special in zip(offsets, special_tokens_mask, strict=True)
    ]
