"""From probabilities to the result of a pair: levels, and the words that show them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from typing import Any

import torch

from .configuration_empathy import EmpathyConfig
from .encoded_pairs import EncodedPair
from .option_values import names_among, probability, yes_or_no
from .rationale_decisions import unit_scores
from .rationale_spans import token_scores_to_spans


# Of one pair, or of one window of it: levels `(mechanism, level)` and rationales `(mechanism, token)`.
Probabilities = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True)
class ResultOptions:
    """What a result holds, beside the levels and their rationales.

    Attributes:
        mechanisms: The mechanisms that it holds, in this order; all of the model's when left out.
        threshold: Probability from which a token, or where the model decides by clauses a clause, belongs to a
            rationale; the model's own for each mechanism when left out.
        abstain_below: Probability of the most probable level below which the model does not say which it is.
        return_all_scores: Whether each mechanism's result has `scores` too, the probability of each label.
        token_mask: Whether each mechanism's result has a `token_mask` too, 1 for tokens in a rationale.
    """

    mechanisms: Sequence[str] | None = None
    threshold: float | None = None
    abstain_below: float = 0.0
    return_all_scores: bool = False
    token_mask: bool = False

    @classmethod
    def checked(cls, config: EmpathyConfig, options: Mapping[str, Any]) -> ResultOptions:
        """The options that were given by name; those that are None count as left out.

        Args:
            config: The model's.
            options: Name to value.

        Raises:
            ValueError: If there is no such option, or a model of that configuration can't do what it asks for.
        """
        unknown = options.keys() - {field.name for field in fields(cls)}
        if unknown:
            raise ValueError(f"Unknown option of the empathy pipeline: {', '.join(sorted(unknown))}.")
        given = {name: value for name, value in options.items() if value is not None}
        for name, value in given.items():
            if name == "mechanisms":
                given[name] = names_among(name, value, config.mechanisms)
            else:
                check = probability if name in ("threshold", "abstain_below") else yes_or_no
                given[name] = check(name, value)
        return cls(**given)


def not_finite(pairs: Iterable[EncodedPair], levels: torch.Tensor, rationales: torch.Tensor) -> str | None:
    """What is wrong with probabilities of which some are no numbers; None if all are.

    Without a look at them such a pair would have level 0: no number is larger than NaN.

    Args:
        pairs: The pair of each row.
        levels: `(row, mechanism, level)`.
        rationales: `(row, mechanism, token)`.
    """
    if levels.isfinite().all() and rationales.isfinite().all():
        return None
    finite = levels.isfinite().flatten(1).all(1) & rationales.isfinite().flatten(1).all(1)
    # A pair of several windows has several rows.
    bad = list({id(pair): pair for pair, fine in zip(pairs, finite.tolist(), strict=True) if not fine}.values())
    shown = "; ".join(
        ("" if pair.position is None else f"pair {pair.position} (counting from 0), ") + repr(pair.response_post[:40])
        for pair in bad[:5]
    )
    further = f" and {len(bad) - 5} more" if len(bad) > 5 else ""
    return (
        f"The model gives no numbers (NaN or infinite) for {shown}{further}: its weights are damaged, or half "
        "precision is too little for them; try fp32."
    )


def describe_pair(
    pair: EncodedPair, probabilities: Probabilities, config: EmpathyConfig, options: ResultOptions
) -> dict[str, Any]:
    """Makes the result of a pair.

    Args:
        pair: The tokenized pair.
        probabilities: Of all the model's mechanisms; further tokens than the pair's are padding.
        config: The model's.
        options: What the result holds.

    Returns:
        A result of [`EmpathyPipeline`].
    """
    # As lists at once, because reading a tensor number by number takes longer than the rest of this function.
    levels, rationales = (tensor.tolist() for tensor in probabilities)
    result: dict[str, Any] = {}
    for mechanism in options.mechanisms or config.mechanisms:
        index = config.mechanisms.index(mechanism)
        result[mechanism] = describe_mechanism(pair, index, levels[index], rationales[index], config, options)
    result["truncated"] = pair.truncated
    return result


def describe_mechanism(
    pair: EncodedPair,
    index: int,
    level_probabilities: Sequence[float],
    rationale_probabilities: Sequence[float],
    config: EmpathyConfig,
    options: ResultOptions,
) -> dict[str, Any]:
    """Makes the result of one mechanism.

    Args:
        pair: The tokenized pair.
        index: Of the mechanism, in the model's.
        level_probabilities: `(level,)`.
        rationale_probabilities: `(token,)` or longer, where the batch was padded.
        config: The model's.
        options: What the result holds.

    Returns:
        The mechanism's part of a result of [`EmpathyPipeline`].
    """
    # On plain numbers, of equal probabilities the first, as `argmax` has it.
    level = max(range(len(level_probabilities)), key=level_probabilities.__getitem__)
    scores, highest = unit_scores(config.rationale_unit, rationale_probabilities, pair.response_clauses)
    threshold = config.rationale_thresholds[index] if options.threshold is None else options.threshold
    # Of clauses at least the best belongs, whatever threshold is asked for.
    threshold = min(threshold, highest)
    result: dict[str, Any] = {
        "level": level,
        "label": config.id2label[level],
        "score": level_probabilities[level],
        "rationales": [],
    }
    if result["score"] < options.abstain_below:
        result |= {"level": None, "label": None}
    elif level > 0:
        offsets = pair.response_offsets
        spans = token_scores_to_spans(
            pair.response_post, offsets, pair.response_special_tokens_mask, scores[: len(offsets)], threshold
        )
        result["rationales"] = [span._asdict() for span in spans]
    if options.return_all_scores:
        result["scores"] = {config.id2label[index]: score for index, score in enumerate(level_probabilities)}
    if options.token_mask:
        marks = [int(score >= threshold) for score in scores]
        # Converted original models also mark padding, and the original's metrics count that.
        result["token_mask"] = marks if config.attend_to_padding else _word_marks(pair, marks)
    return result


def join_windows(pairs: Sequence[EncodedPair], scored: Sequence[Probabilities]) -> Iterator[Probabilities]:
    """Puts the windows of each pair together.

    Args:
        pairs: The pairs.
        scored: The probabilities of each row of each pair, as of [`EncodedPair.rows`], in their order.

    Yields:
        The probabilities of each pair. Of windows, the levels of the one that shows the mechanism most strongly (by
        its expected level), and a token's mean over the windows that it is in; a pair without windows keeps its
        padding.
    """
    rows = iter(scored)
    for pair in pairs:
        if pair.windows is None:
            yield next(rows)
        else:
            yield _joined(pair, pair.windows, list(islice(rows, len(pair.windows))))


def _joined(pair: EncodedPair, windows: Sequence[list[int]], scored: Sequence[Probabilities]) -> Probabilities:
    levels = torch.stack([level_probabilities for level_probabilities, _ in scored])
    # Not the mean: a mechanism that one sentence of a long response shows is communicated by the response.
    expected = (levels * torch.arange(levels.shape[-1], device=levels.device)).sum(-1)
    strongest = expected.argmax(0)
    summed = levels.new_zeros(levels.shape[1], len(pair.response_input_ids))
    counts = levels.new_zeros(len(pair.response_input_ids))
    for positions, (_, token_probabilities) in zip(windows, scored, strict=True):
        summed[:, positions] += token_probabilities[:, : len(positions)]  # what is behind them is padding
        counts[positions] += 1
    # A special token amid the words is in no window: its 0 is divided by 1.
    return levels[strongest, torch.arange(levels.shape[1], device=levels.device)], summed / counts.clamp_min(1)


def _word_marks(pair: EncodedPair, marks: Sequence[int]) -> list[int]:
    """The marks of the response's tokens up to `max_length`: 0 on special tokens and where there is no token."""
    word_marks = [
        int(mark and not is_special)
        for mark, is_special in zip(marks, pair.response_special_tokens_mask, strict=False)
    ]
    return word_marks + [0] * (pair.max_length - len(word_marks))
