"""An analysis from scored rows to a folder with a report."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import RowError, raise_error
from ..files.data_base import data_base
from ..files.input_files import find_files
from ..files.whole_files import whole_folder
from ..phases import phase
from .change import change
from .classifier_error import ErrorRates
from .contagion import contagion
from .gold import add_gold, gold_section
from .groups import groups
from .levels import levels
from .outcomes import outcomes
from .report import Findings, check_tools, write_findings
from .scored_rows import AnalysisColumns, ReadSummary, write_scored_rows
from .scored_table import ScoredTable, scored_table
from .scoring_manifest import rates_of_inputs, read_rates
from .section import Section
from .settings import Settings


_MEMORY = "1GB"  # of DuckDB
_SECTIONS: tuple[Callable[[ScoredTable, Settings], Section], ...] = (levels, change, outcomes, groups, contagion)


def analyze(
    inputs: Sequence[str],
    output_path: Path,
    columns: AnalysisColumns,
    settings: Settings,
    *,
    gold: Path | None = None,
    errors: Path | None = None,
    on_error: Callable[[RowError], None] = raise_error,
    now: float | None = None,
) -> Findings:
    """Analyses scored rows and writes a report, its numbers, figures and methods into a folder.

    Args:
        inputs: Folders, files and patterns of scored rows, as [`~modeling_empathy.files.input_files.find_files`]
            understands them.
        output_path: The folder, which appears whole or not at all.
        columns: What is read.
        settings: How it is analysed; the classifier's errors among them are found here.
        gold: Annotated levels of some of the rows, from which the errors are counted.
        errors: A manifest of scores or `metrics.json` of a model that has counted them; by default that of the inputs.
        on_error: Called with a row that can't be used; if it returns, the row is left out.
        now: Seconds since 1970, after which no response can have been written.

    Raises:
        InputError: If an input can't be used, nothing is left of it, or a package is missing.
    """
    check_tools()
    files = find_files(inputs)
    # Also where other errors are named: scores that are not whole are refused.
    rates = rates_of_inputs(inputs)
    if errors is not None:
        rates = read_rates(errors)
    with (
        whole_folder(output_path) as folder,
        data_base(folder, _MEMORY, extra="analysis") as (connection, own),
    ):
        rows = own / "rows.parquet"
        with phase("Reading", unit="rows") as bar:
            summary = write_scored_rows(files, columns, rows, on_error=on_error, on_rows=bar.update, now=now)
        table = scored_table(connection, rows, summary, len(columns.outcomes), len(columns.groups))
        gold_codes: Sequence[str] = ()
        if gold is not None:
            annotated = add_gold(table, gold)
            gold_codes = list(annotated)
            rates |= {code: one for code, one in annotated.items() if one is not None}
            summary.notes += [
                f"{gold.name}: of a level of {code} there are too few to count the classifier's errors in."
                for code, one in annotated.items()
                if one is None
            ]
        known = {code: rates[code] for code in summary.mechanisms if code in rates}
        settings = replace(settings, rates=known, outcomes=tuple(columns.outcomes), groups=tuple(columns.groups))
        sections = []
        with phase("Analysing", len(_SECTIONS), "sections") as line:
            for make in _SECTIONS:
                line.set_postfix_str(make.__name__)
                sections.append(make(table, settings))
                line.update()
        sections.append(gold_section(table, settings, gold_codes))
        findings = Findings(_about(table, summary, [file.name for file in files], known), sections)
        write_findings(findings, folder)
    return findings


def _about(
    table: ScoredTable, summary: ReadSummary, names: Sequence[str], rates: Mapping[str, ErrorRates]
) -> dict[str, Any]:
    first, last = table.connection.execute("SELECT min(created), max(created) FROM scored").fetchone()
    return {
        "inputs": list(names),
        "rows": table.rows,
        "responders": table.responders,
        "mechanisms": [name.replace("_", " ") for name in summary.mechanisms.values()],
        "first": datetime.fromtimestamp(first, UTC).date().isoformat(),
        "last": datetime.fromtimestamp(last, UTC).date().isoformat(),
        "model": next(iter(summary.models), None),
        "left_out": dict(summary.left_out),
        "notes": summary.notes,
        "errors": {code: {"source": one.source, "counts": one.counts} for code, one in rates.items()},
    }
