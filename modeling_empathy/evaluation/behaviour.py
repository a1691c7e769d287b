"""What a model says of the behaviour suite: which families it gets right, and what throws it off.

A cell is a response and a mechanism. Behavioural tests after Ribeiro et al. (CheckList, ACL 2020): minimal pairs in
families, invariance under changes that change no level, and the direction of a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import datasets
import numpy as np

from ..corpus.annotated_files import annotated_levels
from ..corpus.contrast import Family
from .perturbations import PERTURBATIONS
from .tables import markdown_table


# A wrong level with more than this probability is a confident error.
CONFIDENT = 0.8

# Rows of a suite to `(row, mechanism, level)`, probabilities in the order of the rows.
ProbabilitiesOf = Callable[[datasets.Dataset], np.ndarray]


def measure_behaviour(
    probabilities_of: ProbabilitiesOf,
    rows: datasets.Dataset,
    mechanisms: Sequence[str],
    families: Mapping[str, Family],
) -> dict[str, Any]:
    """Measures levels on rows of a suite as they are, and with each change that should change none.

    Args:
        probabilities_of: Gives the levels' probabilities; is called once and once more for each perturbation.
        rows: Of `load_epitome(source="contrast")`, with all mechanisms or a single one.
        mechanisms: Those that are measured, in the order of the probabilities.
        families: What the rows' families are.

    Returns:
        Ready for JSON:

        - `cells`, `right`, `accuracy`: over all cells; `responses`, their rows.
        - `families`: by family, in the order of `families`, its `kind`, `cells`, `right`, `accuracy` and
          `confident_errors`.
        - `needs_seeker_post`: `cells`, `right` and `accuracy` of the families in which only the seeker post decides.
        - `confident_errors`: `cells` with a wrong level of a probability above `CONFIDENT`, and their `share`.
        - `invariance`: by perturbation, the share of cells that keep their level, right or wrong.
        - `direction`: of each two responses of a minimal pair whose annotated levels differ (`pairs`), how often the
          one with the higher level has the higher expected level (`right`, `accuracy`).
    """
    annotated = annotated_levels(rows, mechanisms)
    probabilities = probabilities_of(rows)
    levels = probabilities.argmax(-1)
    is_right = levels == annotated
    is_confident_error = ~is_right & (probabilities.max(-1) > CONFIDENT)
    names = np.array(rows["family"])
    by_family = {
        name: {
            "kind": family.kind,
            **_counted(is_right[names == name]),
            "confident_errors": int(is_confident_error[names == name].sum()),
        }
        for name, family in families.items()
        if (names == name).any()
    }
    needs_seeker_post = np.array([families[name].needs_seeker_post for name in names])
    return {
        "responses": len(rows),
        **_counted(is_right),
        "families": by_family,
        "needs_seeker_post": _counted(is_right[needs_seeker_post]),
        "confident_errors": {
            "cells": int(is_confident_error.sum()),
            "share": float(is_confident_error.mean()),
        },
        "invariance": {
            name: float((probabilities_of(_with_responses(rows, change)).argmax(-1) == levels).mean())
            for name, change in PERTURBATIONS.items()
        },
        "direction": _direction(rows["contrast_id"], annotated, probabilities),
    }


def weak_families(measured: Mapping[str, Any], below: float = 0.8) -> list[str]:
    """The families of which less than a share of cells are right, the weakest first."""
    accuracies = {name: family["accuracy"] for name, family in measured["families"].items()}
    return sorted((name for name, accuracy in accuracies.items() if accuracy < below), key=accuracies.__getitem__)


def behaviour_table(measured: Mapping[str, Any]) -> str:
    """The figures of [`measure_behaviour`] over all families as a Markdown table."""
    seeker, direction, errors = (measured[name] for name in ("needs_seeker_post", "direction", "confident_errors"))
    rows: list[tuple[str, str]] = [("cells right", _share(measured["right"], measured["cells"]))]
    if seeker["cells"]:
        rows.append(("of these, where only the seeker post decides", _share(seeker["right"], seeker["cells"])))
    rows.append((f"confident errors (above {CONFIDENT})", _share(errors["cells"], measured["cells"])))
    rows += [(f"levels kept with {name}", f"{share:.3f}") for name, share in measured["invariance"].items()]
    rows.append(("minimal pairs in the right order", _share(direction["right"], direction["pairs"])))
    return markdown_table(["behaviour", "share"], rows)


def families_table(measured: Mapping[str, Any]) -> str:
    """The families of [`measure_behaviour`] as a Markdown table, the weakest first."""
    families = sorted(measured["families"].items(), key=lambda item: item[1]["accuracy"])
    rows = [
        (
            name.replace("_", " "),
            family["kind"],
            family["cells"],
            f"{family['accuracy']:.3f}",
            family["confident_errors"],
        )
        for name, family in families
    ]
    return markdown_table(["family", "kind", "cells", "right", "confident errors"], rows)


def _share(part: int, whole: int) -> str:
    return f"{part / max(whole, 1):.3f} ({part} of {whole})"


def _counted(is_right: np.ndarray) -> dict[str, Any]:
    right, cells = int(is_right.sum()), int(is_right.size)
    return {"cells": cells, "right": right, "accuracy": right / cells if cells else None}


def _with_responses(rows: datasets.Dataset, change: Callable[[str], str]) -> datasets.Dataset:
    """The rows with changed responses and without what was annotated in them, whose offsets no longer fit."""

    def changed(row: dict[str, Any]) -> dict[str, Any]:
        annotated = {name: value for name, value in row.items() if isinstance(value, dict)}
        without: dict[str, Any] = {name: {**value, "rationales": []} for name, value in annotated.items()}
        if "rationales" in row:
            without["rationales"] = []
        return {"response_post": change(row["response_post"]), **without}

    # In memory: no cache file is left of what is used once.
    return rows.map(changed, keep_in_memory=True, features=rows.features)


def _direction(contrast_ids: Sequence[str], annotated: np.ndarray, probabilities: np.ndarray) -> dict[str, Any]:
    expected = (probabilities * np.arange(probabilities.shape[-1])).sum(-1)
    members: dict[str, list[int]] = {}
    for row, contrast_id in enumerate(contrast_ids):
        members.setdefault(contrast_id, []).append(row)
    right = pairs = 0
    for group in members.values():
        for one, other in combinations(group, 2):
            difference = annotated[one] - annotated[other]
            pairs += int((difference != 0).sum())
            right += int((difference * (expected[one] - expected[other]) > 0).sum())
    return {"pairs": pairs, "right": right, "accuracy": right / pairs if pairs else None}
