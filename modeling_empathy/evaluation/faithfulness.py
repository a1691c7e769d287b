"""Whether rationales are faithful: how far a level's probability depends on the words that are shown for it.

ERASER (DeYoung et al., "ERASER: A Benchmark to Evaluate Rationalized NLP Models", ACL 2020, section 4.2). A rationale
is comprehensive when the level loses its probability without the rationale's tokens, and sufficient when it keeps its
probability with nothing else. Either says little by itself, so the same number of tokens is also chosen at random and
by gradient.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import datasets
import numpy as np
import torch
from numpy.typing import NDArray

from ..model.encoded_pairs import pad
from ..model.modeling_empathy import EmpathyModel
from .tables import table_by_mechanism


# The shares of a response's tokens that AOPC averages over, in percent; ERASER's.
AOPC_BINS = (1, 5, 10, 20, 50)

_CHOICES = ("", "_random", "_gradient")
MEASURES = tuple(
    f"{measure}{choice}"
    for measure in ("comprehensiveness", "sufficiency", "aopc_comprehensiveness", "aopc_sufficiency")
    for choice in _CHOICES
)
_COUNTS = ("faithfulness_responses", "unmarked")
# Column of the table -> measure.
_TABLE = {
    "responses": "faithfulness_responses",
    "unmarked": "unmarked",
    "marked tokens": "marked_share",
    **{
        f"{header}{choice.replace('_', ', ')}": f"{measure}{choice}"
        for header, measure in {
            "compr.": "comprehensiveness",
            "suff.": "sufficiency",
            "AOPC compr.": "aopc_comprehensiveness",
            "AOPC suff.": "aopc_sufficiency",
        }.items()
        for choice in _CHOICES
    },
}


def rationale_faithfulness(
    model: EmpathyModel,
    features: datasets.Dataset,
    levels: NDArray[np.integer[Any]],
    token_scores: Sequence[NDArray[Any]],
    token_marks: Sequence[NDArray[Any]],
    *,
    pad_token_id: int,
    max_responses: int | None = 200,
    draws: int = 5,
    seed: int = 12,
    batch_size: int = 32,
) -> dict[str, dict[str, float]]:
    """Measures how the probability of predicted levels above 0 moves when tokens of the response are deleted.

    Deleted tokens are taken out of the ids, as in ERASER, and what follows moves up; special tokens stay, and are all
    that is left where every token is deleted. The model is left as it was: its mode, its gradients, what requires one.

    Args:
        model: In any mode; it is measured without dropout and, whatever training is in, in its own precision.
        features: Rows of [`~modeling_empathy.corpus.features.build_features`].
        levels: `(pair, mechanism)`, the predicted ones; the mechanisms are the model's.
        token_scores: For each pair `(mechanism, token)`, the probability of each token of the response to be in the
            rationale; those of special tokens are not read.
        token_marks: For each pair `(mechanism, token)`, 1 on the tokens of the predicted rationale.
        pad_token_id: The tokenizer's.
        max_responses: How many responses of each mechanism are measured, the first in a random order; without it, all.
        draws: How often tokens are chosen at random; the mean counts.
        seed: Of the order and of the draws, which for a response do not depend on the other responses.
        batch_size: Responses computed at once.

    Returns:
        For each mechanism the following, which are 0 where no response can be measured. With `p` the probability of
        the level that is predicted for the whole response, values lie in -1..1:

        - `faithfulness_responses`: how many responses are measured.
        - `unmarked`: how many responses have a level above 0 and no marked token; they are not measured.
        - `marked_share`: the mean share of a measured response's tokens that are marked. Near 1 a rationale is
          comprehensive and sufficient whatever the model does, and so is any other choice of as many tokens.
        - `comprehensiveness`: mean `p(response) - p(response without the rationale)`; the higher the better.
        - `sufficiency`: mean `p(response) - p(rationale alone)`; the lower the better.
        - `aopc_comprehensiveness`, `aopc_sufficiency`: the same for the tokens with the highest scores in place of the
          rationale, averaged over the top 1, 5, 10, 20 and 50 % (rounded up, so at least one token; of equal scores
          the first). The mean is over these five, as in ERASER's scorer; the paper's formula divides by six, for a
          bin without tokens that adds 0.
        - each of the four with `_random`: for spans as many and as long as the rationale's, in random order and at
          random places, with at least a token between them; in AOPC for tokens ranked at random.
        - each of the four with `_gradient`: for the tokens, as many, with the highest `|gradient x input|`: the
          gradient of the predicted level's logit at the response encoder's word embeddings, multiplied with them and
          summed over the hidden size.

    Raises:
        ValueError: If scores or marks of a pair have not the shape `(mechanism, token)`.
    """
    special_tokens_masks = features["response_special_tokens_mask"]
    mechanisms = model.config.mechanisms
    for index, mask in enumerate(special_tokens_masks):
        for name, values in (("token_scores", token_scores), ("token_marks", token_marks)):
            if np.shape(values[index]) != (len(mechanisms), len(mask)):
                raise ValueError(
                    f"{name}[{index}] has shape {np.shape(values[index])}; expected {(len(mechanisms), len(mask))}, "
                    "(mechanism, token of the response)."
                )
    words = [np.flatnonzero(np.asarray(mask) == 0) for mask in special_tokens_masks]
    results = {}
    with _evaluating(model):
        for position, mechanism in enumerate(mechanisms):
            marks = [np.asarray(pair)[position, kept] == 1 for pair, kept in zip(token_marks, words, strict=True)]
            shown = np.flatnonzero(np.asarray(levels)[:, position] > 0)
            marked = np.array([index for index in shown if marks[index].any()], dtype=int)
            # Generators of several numbers, so that a response is drawn for alike whichever others are measured.
            measured = np.random.default_rng([seed, position]).permutation(marked)[:max_responses]
            measures = [
                _measures(
                    _Probabilities(model, features[int(index)], position, int(levels[index, position]), pad_token_id),
                    marks[index],
                    np.asarray(token_scores[index])[position, words[index]],
                    draws,
                    np.random.default_rng([seed, position, index]),
                    batch_size,
                )
                for index in measured
            ]
            results[mechanism] = {
                "faithfulness_responses": float(len(measures)),
                "unmarked": float(len(shown) - len(marked)),
                "marked_share": float(np.mean([marks[index].mean() for index in measured])) if measures else 0.0,
                **{
                    name: float(np.mean([values[name] for values in measures])) if measures else 0.0
                    for name in MEASURES
                },
            }
    return results


def faithfulness_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """The results of [`rationale_faithfulness`] as a Markdown table with a row for each mechanism."""
    return table_by_mechanism(results, _TABLE, counts=_COUNTS)


class _Probabilities:
    """The probability of one level of one mechanism, for parts of one response; the seeker post is encoded once.

    Args:
        model: In evaluation mode.
        row: Of the features.
        position: The mechanism's.
        level: The level.
        pad_token_id: The tokenizer's.
    """

    def __init__(
        self, model: EmpathyModel, row: Mapping[str, Any], position: int, level: int, pad_token_id: int
    ) -> None:
        self.model, self.position, self.level, self.pad_token_id = model, position, level, pad_token_id
        self.ids = np.array(row["response_input_ids"])
        self.is_word = np.array(row["response_special_tokens_mask"]) == 0
        ids, self.seeker_mask = self._padded([row["seeker_input_ids"]])
        with torch.no_grad():
            self.seeker_states = model.seeker_states(ids, self.seeker_mask)

    @torch.no_grad()
    def of_kept(self, kept: Sequence[NDArray[np.bool_]], batch_size: int) -> list[float]:
        """The probability with some tokens alone; each of `kept` is `(token,)` without special tokens, which stay."""
        parts = []
        for words in kept:
            stays = ~self.is_word
            stays[self.is_word] = words
            parts.append(self.ids[stays].tolist())
        # Those of a length together, so that little of a batch is padding.
        order = sorted(range(len(parts)), key=lambda number: len(parts[number]))
        levels = [0.0] * len(parts)
        for start in range(0, len(order), batch_size):
            batch = order[start : start + batch_size]
            probabilities, _ = self.model.probabilities(*self._logits([parts[number] for number in batch]))
            for number, probability in zip(batch, probabilities[:, self.position, self.level].tolist(), strict=True):
                levels[number] = probability
        return levels

    def attribution(self) -> NDArray[np.float32]:
        """`|gradient x input|` of the level's logit, `(token,)` without special tokens."""
        config = self.model.config
        encoder = self.model.responder_encoders[config.responder_index(config.mechanisms[self.position])]
        embedded: list[torch.Tensor] = []

        def cut_here(module: torch.nn.Module, inputs: Any, output: torch.Tensor) -> torch.Tensor:
            # A leaf of the graph, so that the gradient exists and goes no further, whatever weights require one.
            embedded.append(output.detach().requires_grad_())
            return embedded[-1]

        hook = encoder.get_input_embeddings().register_forward_hook(cut_here)  # type: ignore[operator]
        try:
            with torch.enable_grad():
                logit = self._logits([self.ids.tolist()])[0][0, self.position, self.level]
        finally:
            hook.remove()
        # Unlike `backward`, this adds to no parameter's gradient.
        (gradient,) = torch.autograd.grad(logit, embedded)
        attributed = (gradient * embedded[0].detach()).float().sum(-1).abs()[0, : len(self.ids)]
        return attributed.cpu().numpy()[self.is_word]

    def _logits(self, responses: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        """`(response, mechanism, level)` and `(response, mechanism, token, 2)`."""
        ids, mask = self._padded(responses)
        # Not by the model's `forward`, which a Trainer replaces by one in mixed precision.
        return self.model.logits(
            self.model.response_states(ids, mask),
            mask,
            self.seeker_states.expand(len(responses), -1, -1),
            self.seeker_mask.expand(len(responses), -1),
        )

    def _padded(self, posts: Sequence[Sequence[int]]) -> tuple[torch.Tensor, torch.Tensor]:
        ids, mask = pad(posts, self.pad_token_id, at_least=self.model.config.padded_length)
        return ids.to(self.model.device), mask.to(self.model.device)


def _measures(
    probabilities: _Probabilities,
    marks: NDArray[np.bool_],
    scores: NDArray[Any],
    draws: int,
    generator: np.random.Generator,
    batch_size: int,
) -> dict[str, float]:
    """Each of `MEASURES` for one response; marks and scores are `(token,)` without special tokens."""
    attribution = probabilities.attribution()
    chosen = {
        "": [marks],
        "_random": [_random_spans(marks, generator) for _ in range(draws)],
        "_gradient": [_top(attribution, int(marks.sum()))],
    }
    rankings = {"": [scores], "_random": list(generator.random((draws, len(marks)))), "_gradient": [attribution]}
    kept = {}
    for choice in _CHOICES:
        in_bins = [
            _top(ranking, -(-len(marks) * percent // 100)) for ranking in rankings[choice] for percent in AOPC_BINS
        ]
        for prefix, tokens in (("", chosen[choice]), ("aopc_", in_bins)):
            kept[f"{prefix}comprehensiveness{choice}"] = [~chosen_tokens for chosen_tokens in tokens]
            kept[f"{prefix}sufficiency{choice}"] = tokens
    # Each part once: in a short response many bins hold the same tokens.
    parts = {part.tobytes(): part for tokens in kept.values() for part in tokens}
    whole = np.ones_like(marks)
    parts[whole.tobytes()] = whole
    probability = dict(zip(parts, probabilities.of_kept(list(parts.values()), batch_size), strict=True))
    return {
        name: probability[whole.tobytes()] - float(np.mean([probability[part.tobytes()] for part in tokens]))
        for name, tokens in kept.items()
    }


def _top(scores: NDArray[Any], count: int) -> NDArray[np.bool_]:
    chosen = np.zeros(len(scores), dtype=bool)
    # Stable, so that of equal scores the first is taken.
    chosen[np.argsort(-scores, kind="stable")[:count]] = True
    return chosen


def _random_spans(marks: NDArray[np.bool_], generator: np.random.Generator) -> NDArray[np.bool_]:
    """Runs of the lengths of those in `marks`, at places of which each is as likely as any other."""
    # Where a run begins and where it ends, in turn.
    edges = np.flatnonzero(np.diff(marks, prepend=False, append=False))
    lengths = generator.permutation(edges[1::2] - edges[::2])
    # The tokens outside leave a slot before, between and after them; a slot takes one run, or two would become one.
    outside = len(marks) - int(lengths.sum())
    slots = np.sort(generator.choice(outside + 1, size=len(lengths), replace=False))
    starts = slots + np.cumsum(lengths) - lengths
    chosen = np.zeros_like(marks)
    for start, length in zip(starts, lengths, strict=True):
        chosen[start : start + length] = True
    return chosen


@contextmanager
def _evaluating(model: EmpathyModel) -> Iterator[None]:
    """Within it, no part of the model has dropout; afterwards each part's mode is what it was."""
    # Not by `eval`, which also freezes the seeker encoder.
    modes = [(module, module.training) for module in model.modules()]
    for module, _ in modes:
        module.training = False
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode
