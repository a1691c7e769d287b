"""What came of a training run, of one model or of separate ones that were joined, and its report as a page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import datasets

from ..evaluation.evaluated_run import when
from ..evaluation.post_lengths import PostLengths
from ..evaluation.run_page import REPORT, Run, write_page
from ..hub.run_record import read_record
from ..model.mechanisms import IDS, POSTS


@dataclass(frozen=True)
class RunReport:
    """What came of a training run; of the processes that trained together, only the first has all of it.

    Attributes:
        folder: Where it was written.
        mechanisms: What the model scores.
        is_saved: Whether the model is in the folder.
        test: The test split's metrics, `{mechanism}_{metric}`; none without a test split.
        predictions: Of the test split, as of [`~modeling_empathy.evaluation.predictions.held_out_predictions`].
        diagnostics: As of [`~modeling_empathy.evaluation.diagnostics.diagnostics`].
        original: The test split's metrics by the original's definitions, where diagnostics were asked for.
        lengths: Of the test split's posts.
    """

    folder: Path
    mechanisms: list[str]
    is_saved: bool
    test: dict[str, float] = field(default_factory=dict)
    predictions: datasets.Dataset | None = None
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    original: Mapping[str, float] = field(default_factory=dict)
    lengths: PostLengths | None = None


def write_report(report: RunReport, log: Sequence[Mapping[str, Any]]) -> None:
    """Writes the report of a model into its folder, where its record is already.

    Args:
        report: What came of the run.
        log: What the Trainer noted.
    """
    _write(report, log, [] if report.is_saved else ["The model was not saved."])


def write_joined_report(joined: RunReport, reports: Sequence[RunReport]) -> None:
    """Writes the report of separate models that were joined in one checkpoint.

    Args:
        joined: Of all of them; its predictions and what was measured are put together from theirs.
        reports: Theirs.
    """
    folders = ", ".join(f"{report.folder.name}/{REPORT}" for report in reports)
    notes = [
        f"Each mechanism has a model of its own. Their losses, and what each says of the behaviour suite: {folders}."
    ]
    _write(joined, [], notes)


def joined_predictions(reports: Sequence[RunReport]) -> datasets.Dataset | None:
    """What separate models predict for the same pairs, side by side; None where one of them has no test split."""
    parts = [report.predictions for report in reports if report.predictions is not None]
    if len(parts) < len(reports):
        return None
    own = [part.select_columns(report.mechanisms) for part, report in zip(parts, reports, strict=True)]
    return datasets.concatenate_datasets([parts[0].select_columns([*IDS, *POSTS]), *own], axis=1)


def joined_diagnostics(reports: Sequence[RunReport]) -> dict[str, Any]:
    """What was measured of separate models, by mechanism; the suite's figures are of each by itself."""
    parts = ("calibration", "faithfulness", "context_use")
    return {
        part: {name: value for report in reports for name, value in report.diagnostics[part].items()}
        for part in parts
        if all(part in report.diagnostics for report in reports)
    }


def _write(report: RunReport, log: Sequence[Mapping[str, Any]], notes: Sequence[str]) -> None:
    # Of the record what may be published: a page that is, with its owner's word, says nothing of their machine.
    record = read_record(report.folder, report.mechanisms)
    if record.twin is not None:
        notes = [
            *notes,
            "It was trained on all pairs: the report of its twin, the run that held some out, is its own.",
        ]
    about = {"model": report.folder.resolve().name, "encoder": record.encoder or "of a local folder"}
    if record.provenance is not None:
        about["data"] = record.provenance.title
    about["pairs"] = ", ".join(f"{split} {count:,}" for split, count in record.pairs.items())
    about["when"] = when()
    run = Run(
        kind="training",
        about=about,
        mechanisms=report.mechanisms,
        provenance=record.provenance,
        predictions=report.predictions,
        original=report.original,
        diagnostics=report.diagnostics,
        log=log,
        lengths=report.lengths,
        arguments=record.arguments,
        notes=notes,
    )
    write_page(report.folder / REPORT, run)
