"""What levels owe to the seeker post: how much worse they become with another seeker post, or with none.

Lee et al. ("Empathy Identification Systems are not Accurately Accounting for Context", EACL 2023) found that a system
that never sees the seeker post does as well as published ones, and that those keep their verdict where another seeker
post makes the same response unfitting.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import datasets
import numpy as np
from transformers import PreTrainedTokenizerBase

from .metrics import identification_metrics
from .tables import table_by_mechanism


_METRICS = ("accuracy", "macro_f1")
# Column of the table -> name in the results.
_TABLE = {
    "accuracy": "accuracy",
    "accuracy lost, shuffled": "accuracy_lost_shuffled",
    "accuracy lost, emptied": "accuracy_lost_emptied",
    "macro-F1": "macro_f1",
    "macro-F1 lost, shuffled": "macro_f1_lost_shuffled",
    "macro-F1 lost, emptied": "macro_f1_lost_emptied",
    "levels changed, shuffled": "levels_changed_shuffled",
    "levels changed, emptied": "levels_changed_emptied",
}


def context_use(
    level_logits_of: Callable[[datasets.Dataset], np.ndarray],
    features: datasets.Dataset,
    tokenizer: PreTrainedTokenizerBase,
    mechanisms: Sequence[str],
    *,
    seed: int = 12,
) -> dict[str, dict[str, float]]:
    """Measures levels with the seeker posts as they are, shuffled and emptied.

    Args:
        level_logits_of: Features to `(pair, mechanism, level)`, in their order; is called three times.
        features: Annotated rows of [`~modeling_empathy.corpus.features.build_features`].
        tokenizer: The one they were built with.
        mechanisms: Those of the logits and of the features' `empathy_labels`, in this order.
        seed: Of the shuffling.

    Returns:
        For each mechanism, over the pairs with an annotated level:

        - `accuracy`, `macro_f1`: of [`~modeling_empathy.evaluation.metrics.identification_metrics`], seeker posts as
          they are.
        - `{metric}_shuffled`, `{metric}_emptied`: with the features of [`with_shuffled_seeker_posts`] and of
          [`with_emptied_seeker_posts`].
        - `{metric}_lost_shuffled`, `{metric}_lost_emptied`: as it is minus that; about 0 where the seeker post plays
          no part.

        And over all pairs, annotated or not:

        - `levels_changed_shuffled`, `levels_changed_emptied`: the share of pairs whose predicted level becomes another
          one. It also shows a use of the seeker post that makes levels neither better nor worse.
    """
    changed = {
        "shuffled": with_shuffled_seeker_posts(features, seed),
        "emptied": with_emptied_seeker_posts(features, tokenizer),
    }
    levels = level_logits_of(features).argmax(-1)
    levels_with = {change: level_logits_of(rows).argmax(-1) for change, rows in changed.items()}
    annotated = np.array(features["empathy_labels"])
    results = {}
    for position, mechanism in enumerate(mechanisms):
        references = annotated[:, position]
        as_they_are = identification_metrics(levels[:, position], references)
        measured = {name: as_they_are[name] for name in _METRICS}
        for change, changed_levels in levels_with.items():
            metrics = identification_metrics(changed_levels[:, position], references)
            for name in _METRICS:
                measured[f"{name}_{change}"] = metrics[name]
                measured[f"{name}_lost_{change}"] = as_they_are[name] - metrics[name]
            measured[f"levels_changed_{change}"] = float((changed_levels != levels)[:, position].mean())
        results[mechanism] = measured
    return results


def with_shuffled_seeker_posts(features: datasets.Dataset, seed: int = 12) -> datasets.Dataset:
    """Gives every response another seeker post of the features; responses to one post get the same one.

    Posts with the same `sp_id`, which stays as it is, are the same. They are put in random order and each is replaced
    by the next, so none keeps its place. With a single one in the features, nothing changes.
    """
    # Backwards, so that the first row of each post is what remains.
    rows_of = {sp_id: row for row, sp_id in reversed(list(enumerate(features["sp_id"])))}
    # In the order of the rows again, on which the numbers of a seed depend.
    order = np.random.default_rng(seed).permutation(sorted(rows_of.values())).tolist()
    # One circle through all of them; independent draws could leave a post where it was.
    replaced_by = dict(zip(order, order[1:] + order[:1], strict=True))
    rows = [replaced_by[rows_of[sp_id]] for sp_id in features["sp_id"]]
    posts, ids = list(features["seeker_post"]), list(features["seeker_input_ids"])
    return _with_seeker_posts(features, [posts[row] for row in rows], [ids[row] for row in rows])


def with_emptied_seeker_posts(features: datasets.Dataset, tokenizer: PreTrainedTokenizerBase) -> datasets.Dataset:
    """Gives every response the empty seeker post, whose only tokens are special ones.

    Raises:
        ValueError: If the tokenizer adds no special tokens, so that nothing is left to read.
    """
    # Encoders need at least a token.
    ids = list(tokenizer("")["input_ids"])
    if not ids:
        raise ValueError("The tokenizer adds no special tokens to a post, so an empty one has no token to encode.")
    return _with_seeker_posts(features, [""] * len(features), [ids] * len(features))


def context_use_table(results: Mapping[str, Mapping[str, float]]) -> str:
    """The results of [`context_use`] as a Markdown table with a row for each mechanism."""
    return table_by_mechanism(results, _TABLE)


def _with_seeker_posts(
    features: datasets.Dataset, posts: Sequence[str], ids: Sequence[Sequence[int]]
) -> datasets.Dataset:
    def replaced(response_input_ids: Sequence[int], index: int) -> dict[str, object]:
        return {
            "seeker_post": posts[index],
            "seeker_input_ids": ids[index],
            # By which a sampler groups rows: it goes with the ids.
            "length": len(ids[index]) + len(response_input_ids),
        }

    # In memory: no cache file is left of what is used once.
    return features.map(replaced, input_columns="response_input_ids", with_indices=True, keep_in_memory=True)
