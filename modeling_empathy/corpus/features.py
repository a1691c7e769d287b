"""From annotated pairs to what the model reads: tokens of both posts, level labels, rationale labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import datasets
import torch
from transformers import PreTrainedTokenizerBase

from ..model.encoded_pairs import pad_posts
from ..model.rationale_decisions import clauses_of_tokens
from ..model.rationale_spans import IGNORE_INDEX
from .token_labels import label_responses


def build_features(
    dataset: datasets.Dataset,
    tokenizer: PreTrainedTokenizerBase,
    mechanisms: Sequence[str],
    *,
    max_length: int,
    unannotated: str = "none",
) -> datasets.Dataset:
    """Tokenizes pairs and derives the labels; the annotated columns stay beside them.

    Args:
        dataset: Rows of the builder's configuration `all`, or of a single mechanism's configuration.
        tokenizer: A fast tokenizer.
        mechanisms: The mechanisms to label, in the order of the model's logits.
        max_length: Tokens of a post, special tokens included; the rest is cut.
        unannotated: As in [`~modeling_empathy.corpus.token_labels.rationale_labels`]; with `"original"`, the labels
            of a prepared file are taken as they are.

    Returns:
        The rows with `seeker_input_ids`, `response_input_ids`, `response_offsets` `(token, 2)`,
        `response_special_tokens_mask`, `response_clauses` `(token,)`, `empathy_labels` `(mechanism,)`,
        `rationale_labels` `(mechanism, token)`, `truncated_rationales` (the number of its spans that the cut shortened
        or lost) and `length`, the tokens of both posts.
    """

    def featurize(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
        seekers = tokenizer(rows["seeker_post"], truncation=True, max_length=max_length)["input_ids"]
        single = [{name: rows[name][index] for name in rows} for index in range(len(seekers))]
        annotations = [[annotation_of_row(row, mechanism) for mechanism in mechanisms] for row in single]
        encoded, labels, cut = label_responses(
            tokenizer, rows["response_post"], annotations, max_length=max_length, unannotated=unannotated
        )
        responses, offsets, special = (
            encoded[name] for name in ("input_ids", "offset_mapping", "special_tokens_mask")
        )
        return {
            "seeker_input_ids": seekers,
            "response_input_ids": responses,
            "response_offsets": offsets,
            "response_special_tokens_mask": special,
            # Once for each response here, so that metrics and the choice of thresholds need no text.
            "response_clauses": list(map(clauses_of_tokens, rows["response_post"], offsets, special)),
            "empathy_labels": [[annotation["level"] for annotation in by_mechanism] for by_mechanism in annotations],
            "rationale_labels": labels,
            "truncated_rationales": list(map(sum, cut)),
            # By it the trainer batches pairs of about equal length, with little padding.
            "length": [len(seeker) + len(response) for seeker, response in zip(seekers, responses, strict=True)],
        }

    return dataset.map(featurize, batched=True, desc="Tokenizing")


def annotation_of_row(row: Mapping[str, Any], mechanism: str) -> dict[str, Any]:
    """What is annotated in a row for a mechanism: its `level`, its `rationales`, and the labels of a prepared file."""
    if mechanism in row:
        return dict(row[mechanism])
    # A data set of a single mechanism has its annotation in columns of the row itself.
    return {name: row[name] for name in ("level", "rationales", "prepared_labels") if name in row}


@dataclass
class EmpathyDataCollator:
    """Pads both posts of a batch, each to its own longest, and the rationale labels with the response.

    Args:
        pad_token_id: The tokenizer's.
        pad_to_multiple_of: Rounds the padded lengths up, which tensor cores like.
        pad_to_length: Pads every batch to at least this many tokens (for `attend_to_padding`).
        with_clauses: Whether the batch has `response_clauses` too, which metrics read and the model does not.

    Returns:
        From a list of rows of [`build_features`]: `seeker_input_ids`, `seeker_attention_mask` `(batch, seeker_token)`,
        `response_input_ids`, `response_attention_mask` `(batch, token)`, `empathy_labels` `(batch, mechanism)` and
        `rationale_labels` `(batch, mechanism, token)`; with clauses `response_clauses` `(batch, token)`, the number of
        the clause that each token of the response is in, -1 for special and padding tokens.
    """

    pad_token_id: int
    pad_to_multiple_of: int = 1
    pad_to_length: int = 0
    with_clauses: bool = False

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, torch.Tensor]:
        batch = pad_posts(rows, self.pad_token_id, self.pad_to_multiple_of, self.pad_to_length)
        # Not a collator of transformers: those know one text and one label a row.
        batch["empathy_labels"] = torch.tensor([row["empathy_labels"] for row in rows])
        mechanisms, tokens = batch["empathy_labels"].shape[1], batch["response_input_ids"].shape[1]
        batch["rationale_labels"] = torch.full((len(rows), mechanisms, tokens), IGNORE_INDEX)
        for index, row in enumerate(rows):
            labels = torch.tensor(row["rationale_labels"])
            batch["rationale_labels"][index, :, : labels.shape[1]] = labels
        if self.with_clauses:
            # -1, because 0 is the number of the first clause.
            batch["response_clauses"] = torch.full((len(rows), tokens), -1)
            for index, row in enumerate(rows):
                clauses = torch.tensor(row["response_clauses"])
                batch["response_clauses"][index, : len(clauses)] = clauses
        return batch
