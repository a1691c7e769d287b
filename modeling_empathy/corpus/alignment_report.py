"""How many rationales were found in their responses, and which were not: nothing is dropped in silence."""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, field

from ..model.mechanisms import LEVELS
from .pairs import AnnotatedPair


logger = logging.getLogger(__name__)


@dataclass
class FileCounts:
    """What one file holds.

    Attributes:
        rows: Its rows.
        levels: Rows by level.
        annotated_rows: Rows with a rationale.
        rationales: Rationales of all rows.
        aligned_exactly: Rationales that stand in their response as they are.
        aligned_by_folding: Rationales found with case and white space folded and entities unescaped.
    """

    rows: int = 0
    levels: list[int] = field(default_factory=lambda: [0] * len(LEVELS))
    annotated_rows: int = 0
    rationales: int = 0
    aligned_exactly: int = 0
    aligned_by_folding: int = 0


@dataclass
class AlignmentReport:
    """What became of the rationales of a corpus.

    Attributes:
        files: Counts by file name.
        unaligned: Each rationale that is not in its response: file, row, line, ids and the rationale.
        without_rationale: Each row with a level above 0 and no rationale.
        rationale_at_level_0: Each row with a rationale although its level is 0.
        truncated: With a tokenizer: its name, the length of the cut, and how many rationales the cut shortened or
            lost, by mechanism.
    """

    files: dict[str, FileCounts] = field(default_factory=dict)
    unaligned: list[dict[str, str | int]] = field(default_factory=list)
    without_rationale: list[dict[str, str | int]] = field(default_factory=list)
    rationale_at_level_0: list[dict[str, str | int]] = field(default_factory=list)
    truncated: dict[str, str | int | dict[str, int]] | None = None

    def add_rationale(self, file: str, pair: AnnotatedPair, rationale: str, span: tuple[int, int] | None) -> None:
        """Counts a rationale and, where `span` is None, lists it."""
        counts = self.files.setdefault(file, FileCounts())
        counts.rationales += 1
        if span is None:
            self.unaligned.append({**_place(file, pair), "rationale": rationale})
        elif pair.response_post[span[0] : span[1]] == rationale.strip():
            counts.aligned_exactly += 1
        else:
            counts.aligned_by_folding += 1

    def add_row(self, file: str, pair: AnnotatedPair) -> None:
        """Counts a row, and lists it where level and rationales contradict each other."""
        # Neither contradiction is an error: 13 rows of the published files have a level above 0 and no rationale.
        counts = self.files.setdefault(file, FileCounts())
        counts.rows += 1
        counts.levels[pair.level] += 1
        counts.annotated_rows += bool(pair.rationales)
        if pair.level > 0 and not pair.rationales:
            self.without_rationale.append({**_place(file, pair), "level": pair.level})
        if pair.level == 0 and pair.rationales:
            self.rationale_at_level_0.append({**_place(file, pair), "rationales": len(pair.rationales)})

    @property
    def rationales(self) -> int:
        """Rationales of all files."""
        return sum(counts.rationales for counts in self.files.values())

    def to_json(self) -> str:
        """The whole report, counts first."""
        return json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n"


def log_alignment(report: AlignmentReport, listed: str) -> None:
    """Warns of rationales that are not in their response; that all are there is no more than information.

    Args:
        report: What became of the rationales.
        listed: Where those that are not there are listed.
    """
    level = logging.WARNING if report.unaligned else logging.INFO
    counts = f"{len(report.unaligned)} of {report.rationales}"
    logger.log(level, f"{counts} rationales are not in their response: {listed}")


def _place(file: str, pair: AnnotatedPair) -> dict[str, str | int]:
    return {"file": file, "row": pair.row, "line": pair.line, "sp_id": pair.sp_id, "rp_id": pair.rp_id}
