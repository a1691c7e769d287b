"""Which tokens of a response belong to a rationale: each by itself, or all of a clause by what it has on average.

People mark clauses, not words: on the Reddit corpus nine of ten annotated spans start and end where a clause does.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence


# A clause ends with sentence punctuation, a comma, colon or semicolon, or a line break, and what stands around it.
_CLAUSE_END = re.compile(r"[.!?,;:…。！？、，；：\n]+[\"'”’)\]]*(?=\s|$)\s*|\n\s*|[。！？、，；：]+")


def unit_scores(unit: str, probabilities: Sequence[float], clauses: Sequence[int]) -> tuple[list[float], float]:
    """Scores each token by the unit that it is decided with, and says from where on at least one unit belongs.

    A rationale says which words show a mechanism if the response does; where clauses are decided, some clause must. So
    a threshold applies as `min(threshold, highest)`.

    Args:
        unit: `"token"` or `"clause"`, as `config.rationale_unit` has it.
        probabilities: `(token,)` of being in the rationale, or longer where the batch was padded.
        clauses: `(token,)`, of [`clauses_of_tokens`]; negative for special and padding tokens.

    Returns:
        `(scores, highest)`. Scores are as long as `probabilities`: of clauses the mean over the tokens of each, while
        special tokens and padding keep their own. The highest is the best clause's; infinite where tokens are decided.
    """
    if unit == "token":
        return list(probabilities), float("inf")  # where tokens are decided, there may be none
    # In plain Python: a response has some tens of tokens, for which arrays would cost more to make than to sum.
    sums: dict[int, float] = {}
    counts: dict[int, int] = {}
    # Not strict, because what follows the clauses is the padding of the batch.
    for probability, clause in zip(probabilities, clauses, strict=False):
        sums[clause] = sums.get(clause, 0.0) + probability
        counts[clause] = counts.get(clause, 0) + 1
    means = {clause: total / counts[clause] for clause, total in sums.items() if clause >= 0}
    scores = [means.get(clause, score) for clause, score in zip(clauses, probabilities, strict=False)]
    scores += probabilities[len(scores) :]
    return scores, max(means.values(), default=float("inf"))


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
        # The last character decides, because the tokenizers of RoBERTa put the space before a word into its token.
        -1 if is_special else bisect_right(ends, max(end - 1, start))
        for (start, end), is_special in zip(offsets, special_tokens_mask, strict=True)
    ]
