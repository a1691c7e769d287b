"""The report of a training run: metrics as a table and as JSON, and a few pairs to read."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

from ..files.whole_files import write_whole
from ..model.mechanisms import LEVELS
from .highlights import parts_of
from .metrics import REPORTED
from .tables import table_by_mechanism


_LIBRARIES = ("torch", "transformers", "datasets", "accelerate", "tokenizers", "safetensors")


def metrics_table(metrics: dict[str, float], mechanisms: Sequence[str]) -> str:
    """The metrics of each mechanism as a Markdown table.

    Args:
        metrics: `{mechanism}_{metric}` to value, without a split's prefix.
        mechanisms: The rows.
    """
    results = {
        mechanism: {metric.name: metrics[f"{mechanism}_{metric.name}"] for metric in REPORTED}
        for mechanism in mechanisms
    }
    return table_by_mechanism(results, {metric.column: metric.name for metric in REPORTED})


def save_metrics(path: Path, splits: dict[str, dict[str, float]], arguments: dict[str, Any], **more: Any) -> Path:
    """Writes every split's metrics as JSON, with the arguments and library versions they came from.

    Args:
        path: The file.
        splits: Split, or definition, to `{mechanism}_{metric}`.
        arguments: What was asked for.
        **more: Further parts: `confusion` as of [`confusion_counts`], `data` about the pairs, `behaviour` as of
            [`~modeling_empathy.evaluation.behaviour.measure_behaviour`].
    """
    content = {
        "metrics": splits,
        "definitions": "those of modeling_empathy/evaluation/metrics.py; rationales as ERASER (DeYoung et al. 2020)",
        **more,
        "arguments": arguments,
        "versions": versions(),
    }
    text = json.dumps(content, indent=2, ensure_ascii=False, default=str) + "\n"
    return write_whole(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))


def versions() -> dict[str, str]:
    """Those of Python and of the libraries that figures may depend on."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def is_evaluation(path: Path) -> bool:
    """Whether a file holds what [`save_metrics`] writes of an evaluation, and not the record of a training run."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    # The record of a training run has further parts.
    parts = {"metrics", "definitions", "arguments", "versions"}
    diagnosed = {"behaviour", "calibration", "faithfulness", "context_use"}
    return isinstance(content, dict) and content.keys() - diagnosed == parts


def readable_pairs(predictions: Iterable[dict[str, Any]], mechanisms: Sequence[str], colour: bool) -> str:
    """A few pairs as text: for each mechanism the most certain one that shows it, its rationale highlighted.

    Args:
        predictions: Rows of [`held_out_predictions`].
        mechanisms: Those that are shown.
        colour: Whether to highlight with terminal colours or with brackets.
    """
    rows = list(predictions)
    blocks = []
    for mechanism in mechanisms:
        shown = [row for row in rows if row[mechanism]["rationales"]]
        if not shown:
            blocks.append(f"{mechanism.replace('_', ' ')}: shown in no held-out response")
            continue
        # By the id where several are equally certain, so that the order of the rows plays no part.
        best = max(shown, key=lambda row: (row[mechanism]["score"], row["rp_id"]))
        result = best[mechanism]
        blocks.append(
            f"{mechanism.replace('_', ' ')}: {result['label']} ({result['score']:.2f}), "
            f"annotated {LEVELS[result['annotated_level']]}\n"
            f"  seeker:   {best['seeker_post']}\n"
            f"  response: {highlight(best['response_post'], result['rationales'], colour)}"
        )
    return "\n\n".join(blocks)


def highlight(text: str, rationales: Iterable[dict[str, Any]], colour: bool) -> str:
    """Marks the rationales in a text, with terminal colours or with brackets."""
    before, after = ("\033[1;30;43m", "\033[0m") if colour else ("[[", "]]")
    parts = parts_of(text, rationales)
    return "".join(f"{before}{part.text}{after}" if part.is_marked else part.text for part in parts)
