"""An evaluation as its report shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import datasets
from transformers import PreTrainedTokenizerBase

from ..corpus.provenance import provenance_of_corpus
from ..model.modeling_empathy import EmpathyModel
from .diagnostics import diagnostics
from .evaluate import Evaluated
from .post_lengths import post_lengths
from .predictions import held_out_predictions
from .run_page import Run


def run_of_evaluation(
    model: EmpathyModel,
    tokenizer: PreTrainedTokenizerBase,
    evaluated: Evaluated,
    mechanisms: Sequence[str],
    arguments: Mapping[str, Any],
    *,
    measured_rationales: int = 0,
    suite: datasets.Dataset | None = None,
    behaviour: Mapping[str, Any] | None = None,
) -> Run:
    """Puts together what a report shows of an evaluation.

    Args:
        model: In evaluation mode.
        tokenizer: The model's.
        evaluated: As of [`~modeling_empathy.evaluation.evaluate.evaluate_checkpoint`].
        mechanisms: Those that it is of.
        arguments: What was asked for; `model` and `data` say what was evaluated.
        measured_rationales: As in [`~modeling_empathy.evaluation.diagnostics.diagnostics`], `max_responses`.
        suite: Likewise.
        behaviour: What was measured of a suite already.
    """
    config, features = model.config, evaluated.features
    rows = held_out_predictions(features, evaluated.predicted, config, mechanisms)
    measures = diagnostics(
        model,
        tokenizer,
        features,
        evaluated.predicted,
        rows,
        max_responses=measured_rationales,
        suite=suite,
        mechanisms=mechanisms,
    )
    provenance = provenance_of_corpus(features)
    return Run(
        kind="evaluation",
        about={
            "model": Path(arguments["model"]).name,
            "from": str(arguments["model"]),
            "data": provenance.title,
            **_data(arguments["data"]),
            "pairs": f"{len(features):,}",
            "when": when(),
        },
        mechanisms=mechanisms,
        provenance=provenance,
        predictions=rows,
        original=evaluated.metrics.get("original", {}),
        diagnostics=measures | ({"behaviour": behaviour} if behaviour else {}),
        lengths=post_lengths(features, tokenizer, config.max_post_length),
        arguments=arguments,
    )


def when() -> str:
    """The day and minute, with the zone: a report is read elsewhere too."""
    return datetime.now().astimezone().strftime("%Y-%m-%d %H:%M %Z")


def _data(data: str | Mapping[str, Any]) -> dict[str, str]:
    if isinstance(data, str):
        return {"file": Path(data).name}
    return {name: str(value) for name, value in data.items() if name in ("split", "salt", "suite") and value}
