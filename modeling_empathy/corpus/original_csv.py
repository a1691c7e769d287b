"""The original's prepared files: pairs with a 0/1 label for each token, padded to a fixed length.

Each row holds what `PREPARED_COLUMNS` name: the id (`sp_id`, an underscore, `rp_id`), both posts without white space
at their ends, the level, the labels separated by commas, the length of that string without its padding (2n - 1 for n
tokens behind the first: what the original takes for their number), and the response with its rationales removed. An
unannotated response is labelled 1 from its second token to its last, the closing special token included; nothing else
is. Written here, the labels stand on the tokens that the rationales' characters belong to.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..files.row import Row
from ..files.rows import check_columns, read_rows
from ..model.rationale_spans import token_scores_to_spans
from .annotated_csv import checked_level
from .pairs import AnnotatedPair
from .token_labels import label_responses


if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


PREPARED_COLUMNS = (
    "id",
    "seeker_post",
    "response_post",
    "level",
    "rationale_labels",
    "rationale_labels_trimmed",
    "response_post_masked",
)
# The last two follow from the others.
_REQUIRED = PREPARED_COLUMNS[:5]
_BATCH_SIZE = 512


def write_prepared_csv(
    path: Path, pairs: Iterable[AnnotatedPair], tokenizer: PreTrainedTokenizerBase, max_length: int
) -> None:
    """Writes pairs of one mechanism as the original's preparation does, with correct labels.

    Args:
        path: Where it is written.
        pairs: Rows of [`~modeling_empathy.corpus.annotated_csv.read_mechanism`].
        tokenizer: A fast tokenizer; the original's is `load_tokenizer("roberta-base", as_original=True)`.
        max_length: Tokens that the labels are padded and cut to; the original has 64.
    """
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(PREPARED_COLUMNS)
        remaining = iter(pairs)
        while batch := list(islice(remaining, _BATCH_SIZE)):
            stripped = [_stripped(pair) for pair in batch]
            annotations = [
                [_annotation(pair, spans, max_length)] for pair, (_, spans) in zip(batch, stripped, strict=True)
            ]
            _, labels, _ = label_responses(
                tokenizer,
                [response for response, _ in stripped],
                annotations,
                max_length=max_length,
                unannotated="original",
            )
            for pair, (response, spans), [token_labels] in zip(batch, stripped, labels, strict=True):
                writer.writerow(
                    [
                        f"{pair.sp_id}_{pair.rp_id}",
                        pair.seeker_post.strip(),
                        response,
                        pair.level,
                        _comma_separated(token_labels + [0] * (max_length - len(token_labels))),
                        len(_comma_separated(token_labels[1:])),
                        _masked(response, spans) if pair.rationales else "",
                    ]
                )


def _annotation(pair: AnnotatedPair, spans: Sequence[tuple[int, int]], max_length: int) -> dict[str, Any]:
    rationales = [{"start": start, "end": end} for start, end in spans]
    annotation: dict[str, Any] = {"level": pair.level, "rationales": rationales}
    # A quote that could not be aligned is a rationale all the same, so the response is not unannotated.
    if pair.rationales and not spans:
        annotation["prepared_labels"] = [0] * max_length
    return annotation


def read_prepared_csv(path: Path, tokenizer: PreTrainedTokenizerBase, max_length: int) -> Iterator[dict[str, Any]]:
    """Reads a prepared file, written by the original or here.

    Args:
        path: The file.
        tokenizer: The one that it was prepared with.
        max_length: Tokens that it was prepared with.

    Yields:
        `sp_id`, `rp_id`, the posts, `level`, `rationales` (`start`, `end`, `text`; whole words around the tokens that
        are labelled; none of an unannotated response) and `prepared_labels`, the labels as they are.

    Raises:
        RowError: If a cell is not what it should be, or the labels were made with another tokenizer or length.
    """
    for row in read_rows(path, partial(check_columns, _REQUIRED), "csv"):
        for column in _REQUIRED:
            row.text(column, "expected a value")
        yield _read_row(row, tokenizer, max_length)


def _read_row(row: Row, tokenizer: PreTrainedTokenizerBase, max_length: int) -> dict[str, Any]:
    labels = _checked_labels(row, max_length)
    response = row.values["response_post"]
    encoded = tokenizer(
        response,
        truncation=True,
        max_length=max_length,
        return_offsets_mapping=True,
        return_special_tokens_mask=True,
    )
    tokens = len(encoded["input_ids"])
    # This length betrays another tokenizer, whose labels would otherwise land on other words without an error.
    trimmed = row.values.get("rationale_labels_trimmed", "").strip()
    if trimmed and trimmed != str(2 * (tokens - 1) - 1):
        expected = f"expected {2 * (tokens - 1) - 1} for the {tokens} tokens of this response; was the file prepared "
        raise row.error("rationale_labels_trimmed", expected + "for another --encoder? Give that one, or the raw file")
    if any(labels[tokens:]):
        raise row.error("rationale_labels", f"expected no 1 behind the {tokens} tokens of this response")
    # A response that is marked to its closing special token was not annotated: so the original says it.
    spans = []
    if not (tokens > 2 and all(labels[1:tokens])):
        spans = token_scores_to_spans(
            response, encoded["offset_mapping"], encoded["special_tokens_mask"], labels[:tokens]
        )
    # An id without an underscore stands for both posts.
    sp_id, _, rp_id = row.values["id"].partition("_")
    return {
        "sp_id": sp_id,
        "rp_id": rp_id or sp_id,
        "seeker_post": row.values["seeker_post"],
        "response_post": response,
        "level": checked_level(row),
        "rationales": [{"start": span.start, "end": span.end, "text": span.text} for span in spans],
        "prepared_labels": labels,
    }


def _checked_labels(row: Row, max_length: int) -> list[int]:
    parts = row.values["rationale_labels"].split(",")
    if any(part not in ("0", "1") for part in parts):
        raise row.error("rationale_labels", "expected 0 and 1 with commas between them")
    if len(parts) != max_length:
        expected = f"expected {max_length} labels, the maximum length here, found {len(parts)}"
        raise row.error("rationale_labels", expected)
    return [int(part) for part in parts]


def _stripped(pair: AnnotatedPair) -> tuple[str, list[tuple[int, int]]]:
    """The response without white space at its ends, and its spans there."""
    response = pair.response_post.strip()
    left_out = len(pair.response_post) - len(pair.response_post.lstrip())
    return response, sorted((start - left_out, end - left_out) for start, end in pair.spans)


def _masked(response: str, spans: Sequence[tuple[int, int]]) -> str:
    # From the end, so that the offsets of what is still to come stay right.
    for start, end in reversed(spans):
        response = f"{response[:start]} {response[end:]}"
    return re.sub(" +", " ", response)


def _comma_separated(labels: Iterable[int]) -> str:
    return ",".join(map(str, labels))
