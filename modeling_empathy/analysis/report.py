"""Writes what was found: a page, tables, figures, and the methods."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__
from ..errors import check_installed
from ..files.pages import rendered_page
from ..files.svg_figures import as_svg, drawn
from ..files.templates import templates_of
from .estimates import COLUMNS, UNDECIDED, Estimate
from .figures import NAMES
from .section import Section
from .summary import summary


ROOM = "modeling_empathy.analysis"


@dataclass
class Findings:
    """All that an analysis found.

    Attributes:
        about: What was analysed: `inputs`, `rows`, `responders`, `mechanisms`, `first` and `last` day, `model`,
            `left_out` by reason, `notes`, and the classifier's `errors` by mechanism's code.
        sections: Of the report.
    """

    about: dict[str, Any]
    sections: list[Section]

    @property
    def estimates(self) -> list[Estimate]:
        """Those of all sections."""
        return [estimate for section in self.sections for estimate in section.estimates]

    @property
    def summary(self) -> list[tuple[Section, list[str]]]:
        """What the sections say, in sentences; without those that say nothing."""
        return [(section, said) for section in self.sections if (said := summary(section))]

    def has(self, outcome: str = "", contrast: str = "") -> bool:
        """Whether there is an estimate in whose outcome and contrast these words stand."""
        return any(outcome in one.outcome and contrast in one.contrast for one in self.estimates)

    def to_json(self) -> dict[str, Any]:
        """The content of `numbers.json`."""
        return {
            "about": self.about,
            "summary": {section.name: said for section, said in self.summary},
            "estimates": [one.to_row() for one in self.estimates],
            "left_out": {section.name: section.left_out for section in self.sections if section.left_out},
            "labels_needed": {code: needed for section in self.sections for code, needed in section.planned.items()},
            "package_version": __version__,
        }


def check_tools() -> None:
    """Raises an `InputError` if a package is missing that draws the figures: before the work and not behind it."""
    check_installed("matplotlib", "analysis", "The figures need")


def write_findings(findings: Findings, folder: Path) -> None:
    """Writes `report.html`, `numbers.json`, `estimates.csv`, `methods.md` and `figures/` into a folder.

    The page needs no network. Its figures are text that a screen reader reads, and stand as PNG and SVG beside it.
    """
    figures = [figure for section in findings.sections for figure in section.figures]
    svgs = {figure.name: as_svg(figure) for figure in figures}
    (folder / "figures").mkdir()
    for figure in figures:
        (folder / "figures" / f"{figure.name}.svg").write_text(svgs[figure.name], encoding="utf-8")
        drawn(figure).savefig(folder / "figures" / f"{figure.name}.png", dpi=150)
    numbers = json.dumps(findings.to_json(), ensure_ascii=False, indent=1, allow_nan=False)
    (folder / "numbers.json").write_text(f"{numbers}\n", encoding="utf-8")
    with (folder / "estimates.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(one.to_row() for one in findings.estimates)
    values = {"findings": findings, "names": NAMES, "version": __version__}
    (folder / "methods.md").write_text(
        templates_of(ROOM).get_template("methods.md").render(**values), encoding="utf-8"
    )
    page = rendered_page(ROOM, "report.html", svgs=svgs, UNDECIDED=UNDECIDED, tables=tables_of, **values)
    (folder / "report.html").write_text(page, encoding="utf-8")


def tables_of(section: Section) -> list[tuple[str, Sequence[Estimate], bool]]:
    """A section's estimates by what is estimated, and whether a table is a figure's numbers, which few will read."""
    found: dict[str, list[Estimate]] = {}
    for one in section.estimates:
        found.setdefault(one.outcome, []).append(one)
    return [(outcome, rows, " by " in outcome) for outcome, rows in found.items()]
