"""The report of a training run or an evaluation as a page: what is good, what is not, and the texts that show it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import datasets
import numpy as np

from ..corpus.provenance import Provenance
from ..files.pages import rendered_page
from ..files.svg_figures import Figure, as_svg
from ..files.whole_files import write_whole
from ..model.mechanisms import IDS, LEVELS, POSTS
from .behaviour import weak_families
from .curves import length_histogram, loss_curves, points_of, reliability_curves, validation_curves
from .highlights import parts_of
from .measured_mechanism import RESAMPLES, MeasuredMechanism, measured_mechanisms
from .metrics import REPORTED
from .mistakes import most_certain_mistakes
from .post_lengths import PostLengths
from .published_results import ADDRESS, PUBLISHED, SOURCE
from .repeated_pairs import repeated_pairs
from .report import versions
from .verdicts import Finding, Verdict, findings, headline, judged


ROOM = "modeling_empathy.evaluation"
REPORT = "report.html"

_PUBLISHED_CORPUS = "epitome-reddit"
# Of each mechanism; the first are open to see.
_MISTAKES = 20

_HOW = {
    "training": {
        "predictions": "There was no test split, or --do_predict was off.",
        "diagnostics": "Train with --measured_rationales 200 to have it.",
        "original": "Train with --measured_rationales above 0, or: empathy evaluate --definition both.",
        "curves": "The Trainer noted no loss: see --logging_steps and --eval_strategy.",
    },
    "evaluation": {
        "predictions": "No pairs were predicted.",
        "diagnostics": "empathy evaluate --measured_rationales 200 measures it.",
        "original": "empathy evaluate --definition both measures it.",
        "curves": "An evaluation has none: the report of the training run does.",
    },
}


@dataclass(frozen=True)
class Run:
    """What a report is made of; what was not measured is empty.

    Attributes:
        kind: Which command it was.
        about: What was trained or evaluated, a line each.
        mechanisms: Those that are reported.
        provenance: Where the texts come from; None where it is not known.
        predictions: Of held-out pairs, as of [`~modeling_empathy.evaluation.predictions.held_out_predictions`].
        original: Metrics by the original's definitions, `{mechanism}_{metric}`.
        diagnostics: As of [`~modeling_empathy.evaluation.diagnostics.diagnostics`], or a part of it.
        log: What the Trainer noted.
        lengths: Of the posts of the predictions.
        arguments: What was asked for, by name.
        notes: What else must be known.
    """

    kind: Literal["training", "evaluation"]
    about: Mapping[str, str]
    mechanisms: Sequence[str]
    provenance: Provenance | None = None
    predictions: datasets.Dataset | None = None
    original: Mapping[str, float] = field(default_factory=dict)
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    log: Sequence[Mapping[str, Any]] = ()
    lengths: PostLengths | None = None
    arguments: Mapping[str, Any] = field(default_factory=dict)
    notes: Sequence[str] = ()

    @property
    def is_synthetic(self) -> bool:
        """Whether no text is a person's."""
        return self.provenance is not None and self.provenance.is_synthetic

    @property
    def is_published_corpus(self) -> bool:
        """Whether the pairs are of the corpus that the paper's figures are of."""
        return self.provenance is not None and self.provenance.name == _PUBLISHED_CORPUS


def write_page(path: Path, run: Run) -> Path:
    """Writes the report of a run; without matplotlib, tables stand in the place of its figures.

    Args:
        path: The file, which is replaced as a whole.
        run: What it shows.
    """
    page = page_of(run)
    return write_whole(path, lambda temporary: temporary.write_text(page, encoding="utf-8"))


def page_of(run: Run) -> str:
    """The report as HTML that loads nothing, its texts escaped."""
    rows = None if run.predictions is None else run.predictions.select_columns([*IDS, *POSTS, *run.mechanisms])
    measured = [] if rows is None else measured_mechanisms(rows, run.mechanisms)
    found = findings(measured, run.diagnostics, run.original, run.lengths, is_published_corpus=run.is_published_corpus)
    texts = [] if rows is None else list(rows)
    figures = _figures(run, texts)
    return rendered_page(
        ROOM,
        "run.html",
        run=run,
        how=_HOW[run.kind],
        measured=measured,
        headline=headline(measured, found),
        judged={mechanism.name: judged(mechanism).verdict for mechanism in measured},
        findings={verdict: _of(found, verdict) for verdict in (Verdict.BAD, Verdict.DOUBTFUL, Verdict.GOOD)},
        figures={figure.name: figure for figure in figures},
        svgs={figure.name: as_svg(figure) for figure in figures} if find_spec("matplotlib") else {},
        curves=_curves(run),
        levels=LEVELS,
        reported=[metric for metric in REPORTED if not metric.name.startswith("f1_")],
        definitions=_definitions(run, measured),
        source=SOURCE,
        address=ADDRESS,
        resamples=RESAMPLES,
        posts=len(set(rows["sp_id"])) if rows is not None else 0,
        weak=weak_families(run.diagnostics["behaviour"]) if run.diagnostics.get("behaviour") else [],
        mistakes={name: most_certain_mistakes(texts, name, _MISTAKES) for name in run.mechanisms} if texts else {},
        repeated=repeated_pairs(texts, run.mechanisms) if texts else [],
        parts_of=parts_of,
        versions=versions(),
        arguments=json.dumps(run.arguments, indent=1, ensure_ascii=False, default=str) if run.arguments else "",
    )


def _of(found: Sequence[Finding], verdict: Verdict) -> list[Finding]:
    return [finding for finding in found if finding.verdict is verdict]


def _figures(run: Run, rows: Sequence[Mapping[str, Any]]) -> list[Figure]:
    figures = []
    if points_of(run.log, "loss") or points_of(run.log, "eval_loss"):
        figures.append(loss_curves(run.log))
    if any(points_of(run.log, f"eval_{mechanism}_macro_f1") for mechanism in run.mechanisms):
        figures.append(validation_curves(run.log, run.mechanisms))
    calibration = run.diagnostics.get("calibration", {})
    if rows and all(mechanism in calibration for mechanism in run.mechanisms):
        after, levels = (
            np.array([[row[mechanism][name] for mechanism in run.mechanisms] for row in rows])
            for name in ("level_probabilities", "annotated_level")
        )
        temperatures = np.array([calibration[mechanism]["temperature"] for mechanism in run.mechanisms])
        figures.append(reliability_curves(_undone(after, temperatures), after, levels, run.mechanisms))
    if run.lengths is not None:
        figures.append(length_histogram(run.lengths))
    return figures


def _undone(probabilities: np.ndarray, temperatures: np.ndarray) -> np.ndarray:
    """Probabilities as they were before logits were divided by temperatures: their powers, to a sum of 1."""
    # The largest is 1, so that powers of small ones are small and not all 0.
    relative = (probabilities / probabilities.max(-1, keepdims=True)) ** temperatures[:, None]
    return np.asarray(relative / relative.sum(-1, keepdims=True))


def _curves(run: Run) -> list[tuple[str, list[Any]]]:
    """What was noted at each evaluation, and the mean loss of training until then: a row an epoch."""
    rows: list[tuple[str, list[Any]]] = []
    losses: list[float] = []
    for entry in run.log:
        if "loss" in entry:
            losses.append(entry["loss"])
        if "eval_loss" in entry:
            scores = [entry.get(f"eval_{mechanism}_macro_f1") for mechanism in run.mechanisms]
            rows.append((f"{entry['epoch']:.3g}", [np.mean(losses) if losses else None, entry["eval_loss"], *scores]))
            losses = []
    if losses:
        last = points_of(run.log, "loss")[-1][0]
        rows.append((f"{last:.3g}", [np.mean(losses), None, *[None] * len(run.mechanisms)]))
    return rows


def _definitions(run: Run, measured: Sequence[MeasuredMechanism]) -> list[tuple[str, str, dict[str, float]]]:
    """Title of a mechanism, whose definition, and the figures: ours by both, and the paper's."""
    in_both = {metric.original_name: metric.name for metric in REPORTED if metric.original_name}
    rows = []
    for mechanism in measured:
        corrected = {name: mechanism.estimates[ours].value for name, ours in in_both.items()}
        rows.append((mechanism.title, "corrected", corrected))
        if f"{mechanism.name}_macro_f1" in run.original:
            original = {name: run.original[f"{mechanism.name}_{name}"] for name in in_both}
            rows.append((mechanism.title, "the original's", original))
        if run.is_published_corpus:
            rows.append((mechanism.title, "the paper (original's)", PUBLISHED[mechanism.name]))
    return rows
