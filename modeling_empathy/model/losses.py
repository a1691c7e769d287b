"""What training lowers: losses of levels, of rationales, and of which seeker post a response answers."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch.nn import functional as F

from .rationale_spans import IGNORE_INDEX


# What similarities are divided by, from -1 to 1: small, so that the nearest posts count.
_MATCHING_TEMPERATURE = 0.05


def identification_loss(
    logits: torch.Tensor,
    labels: torch.Tensor,
    level_weights: Sequence[Sequence[float]] | None = None,
    smoothing: float = 0.0,
) -> torch.Tensor:
    """Mean cross-entropy of levels (Sharma et al. 2020, section 4.2).

    Args:
        logits: `(pair, mechanism, level)`.
        labels: `(pair, mechanism)`, -100 where no level is known.
        level_weights: `(mechanism, level)`; all 1 when left out.
        smoothing: Share of a label that is spread over all levels.

    Returns:
        A scalar; 0 where no level is known.
    """
    weights = None
    if level_weights is not None:
        # `cross_entropy` takes the same weights for all labels, while each mechanism has its own. A label of -100 can
        # be no index; its loss is 0 whatever its weight.
        table = torch.tensor(level_weights, dtype=torch.float32, device=labels.device)
        weights = table.expand(len(labels), -1, -1).gather(-1, labels.clamp_min(0).unsqueeze(-1)).squeeze(-1)
    return _mean_over_known(_cross_entropy(logits, labels, smoothing), labels, weights)


def rationale_loss(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Mean cross-entropy of response tokens.

    Args:
        logits: `(pair, mechanism, token, 2)`.
        labels: `(pair, mechanism, token)`, -100 where nothing is known.

    Returns:
        A scalar; 0 where nothing is known.
    """
    return _mean_over_known(_cross_entropy(logits, labels), labels)


def matching_loss(responses: torch.Tensor, seekers: torch.Tensor, shows: torch.Tensor) -> torch.Tensor:
    """How hard it is to tell, of the seeker posts of a batch, which one a response answers (van den Oord et al. 2018).

    Args:
        responses: `(pair, hidden)`.
        seekers: `(pair, hidden)`.
        shows: `(pair,)`, whether the response shows a mechanism. The others may answer nothing of the post, and are
            asked for none.

    Returns:
        The mean over the pairs that show one, a scalar; 0 where none does.
    """
    # In fp32, because half precision is too coarse for similarities that are divided by so little.
    responses, seekers = F.normalize(responses.float(), dim=-1), F.normalize(seekers.float(), dim=-1)
    similarities = responses @ seekers.T / _MATCHING_TEMPERATURE
    # The same post in another row of the batch is as good an answer.
    is_same = torch.cdist(seekers, seekers) < 1e-3
    is_same.fill_diagonal_(False)
    rows = torch.arange(len(responses), device=responses.device)
    losses = F.cross_entropy(similarities.masked_fill(is_same, -torch.inf), rows, reduction="none")
    return (losses * shows).sum() / shows.sum().clamp_min(1)


def _cross_entropy(logits: torch.Tensor, labels: torch.Tensor, smoothing: float = 0.0) -> torch.Tensor:
    """Cross-entropy of each label, in its shape; 0 where the label is -100."""
    losses = F.cross_entropy(
        logits.float().flatten(end_dim=-2),
        labels.flatten(),
        ignore_index=IGNORE_INDEX,
        reduction="none",
        label_smoothing=smoothing,
    )
    return losses.view_as(labels)


def _mean_over_known(losses: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor | None = None) -> torch.Tensor:
    """Mean over the labels that are not -100; 0, not NaN, where a batch has none."""
    known = (labels != IGNORE_INDEX).to(losses.dtype)
    weights = known if weights is None else weights * known
    # The floor is the smallest normal number: it changes no sum of weights but that of nothing.
    return (losses * weights).sum() / weights.sum().clamp_min(torch.finfo(losses.dtype).tiny)
