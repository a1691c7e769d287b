#!/usr/bin/env python
"""Whether an analysis finds what is true: interactions of known truth, drawn and analysed many times.

    python -m benchmarks.simulation --simulations 200 --output_path simulation.json --figures figures

A row of the table says, of one kind of estimate in one world, how often its intervals hold the truth (they should in
95 of 100), how far it is from it in the mean, and how often it is called up or down. `--figures` draws the naive curve
of a world in which nobody changes, and how often a change is found by its size and the number of responders.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from tqdm.auto import tqdm

from benchmarks.simulated_interactions import ERRORS, GROUP, OUTCOME, World, simulated, write_table
from modeling_empathy.analysis.change import ADJUSTED, COURSES, NAIVE, PER_YEAR, WITHIN, change
from modeling_empathy.analysis.classifier_error import ErrorRates
from modeling_empathy.analysis.clustered import Moments, least_squares
from modeling_empathy.analysis.contagion import contagion
from modeling_empathy.analysis.estimates import UNDECIDED, Estimate
from modeling_empathy.analysis.gold import add_gold, gold_section
from modeling_empathy.analysis.groups import FIXED, groups
from modeling_empathy.analysis.levels import ALL, levels
from modeling_empathy.analysis.mixed_models import MIXED
from modeling_empathy.analysis.outcomes import outcomes
from modeling_empathy.analysis.scored_rows import AnalysisColumns, write_scored_rows
from modeling_empathy.analysis.scored_table import ScoredTable, scored_table
from modeling_empathy.analysis.section import Section
from modeling_empathy.analysis.settings import Settings
from modeling_empathy.evaluation.tables import markdown_table
from modeling_empathy.files.data_base import data_base
from modeling_empathy.files.input_files import find_files
from modeling_empathy.files.whole_files import write_whole


_CODE = "EX"
_COUNTED = 300  # annotated pairs of each level, from which the classifier's errors are known
_GOLD = 400
_RATIO, _RISK, _ODDS = (f"{name} of {OUTCOME}" for name in ("risk ratio", "risk difference", "odds ratio"))
_DIFFERENCE = f"{GROUP}: second, less first"


@dataclass(frozen=True)
class Check:
    """What is looked at in a world.

    Attributes:
        name: In the table.
        section: Where the estimate is found.
        outcome: Of the estimate.
        contrast: Of the estimate, its beginning.
        truth: Of the world; None for the mean annotated level.
        corrected: Whether the estimate without the classifier's errors is looked at.
    """

    name: str
    section: Callable[[ScoredTable, Settings], Section]
    outcome: str
    contrast: str
    truth: float | None
    corrected: bool = False

    @property
    def is_modelled(self) -> bool:
        """Whether statsmodels makes the estimate."""
        return self.contrast == MIXED or self.outcome == _ODDS


def slope(truth: float, *contrasts: str, corrected: bool = False) -> list[Check]:
    """Checks of the change per year."""
    checks = [Check(contrast, change, PER_YEAR, contrast, truth) for contrast in contrasts]
    if corrected:
        checks.append(Check(f"{WITHIN}, corrected", change, PER_YEAR, WITHIN, truth, True))
    return checks


def with_gold(table: ScoredTable, settings: Settings) -> Section:
    """The section of labels; those of some rows are beside the table."""
    return gold_section(table, settings, [_CODE])


WORLDS: dict[str, tuple[World, Sequence[Check]]] = {
    "nobody changes": (World(), slope(0.0, NAIVE, WITHIN, ADJUSTED)),
    "nobody changes, who shows little leaves": (World(dropout=1.0), slope(0.0, NAIVE, WITHIN, ADJUSTED)),
    "all rise by .1 a year, who shows little leaves": (
        World(dropout=1.0, drift=0.1),
        slope(0.1, NAIVE, WITHIN, ADJUSTED),
    ),
    # Of fewer people: mixed models take most of the time.
    "150 people do not change, who shows little leaves": (World(responders=150, dropout=1.0), slope(0.0, MIXED)),
    "150 people rise by .1 a year, who shows little leaves": (
        World(responders=150, dropout=1.0, drift=0.1),
        slope(0.1, MIXED),
    ),
    "the same, and the classifier errs": (
        World(dropout=1.0, drift=0.1, errors=ERRORS),
        slope(0.1, WITHIN, corrected=True),
    ),
    "a level brings .1 more replies, and the classifier errs": (
        World(responders=1000, effect=0.1, errors=ERRORS),
        [
            Check("mean level", levels, "mean level", ALL, None),
            Check("mean level, corrected", levels, "mean level", ALL, None, True),
            Check(f"mean level, {_GOLD} annotated alone", with_gold, "mean level", "annotated", None),
            Check(f"mean level, prediction-powered by {_GOLD}", with_gold, "mean level", "prediction", None),
            Check("risk ratio, strong against none", outcomes, _RATIO, "strong", 2.0),
            Check("risk ratio, strong against none, corrected", outcomes, _RATIO, "strong", 2.0, True),
            Check("risk difference, strong against none, adjusted", outcomes, _RISK, "level 2", 0.2),
            Check("risk difference, strong against none, adjusted, corrected", outcomes, _RISK, "level 2", 0.2, True),
        ],
    ),
    "levels bring nothing, and the classifier errs": (
        World(responders=1000, effect=0.0, errors=ERRORS),
        [
            Check("risk ratio, strong against none, corrected", outcomes, _RATIO, "strong", 1.0, True),
            Check("odds ratio, adjusted", outcomes, _ODDS, "weak or strong", 1.0),
        ],
    ),
    "groups differ by .1, one writes twice as long, and length brings levels": (
        World(group=0.1, longer=2.0, by_length=0.2),
        [
            Check("difference", groups, "difference of mean levels", _DIFFERENCE, 0.1),
            Check("difference, length fixed", groups, "difference of mean levels", _DIFFERENCE + FIXED, 0.1),
        ],
    ),
    "groups do not differ, and one has 25 people of 500": (
        World(responders=500, second=0.05, unequal=True),
        [Check("difference", groups, "difference of mean levels", _DIFFERENCE, 0.0)],
    ),
    "groups differ by .2, and the classifier errs": (
        World(group=0.2, errors=ERRORS),
        [
            Check("difference", groups, "difference of mean levels", _DIFFERENCE, 0.2),
            Check("difference, corrected", groups, "difference of mean levels", _DIFFERENCE, 0.2, True),
        ],
    ),
    "nothing is passed on": (
        World(responders=3000, members=0.5),
        [Check("difference", contagion, "difference of later mean levels", "received", 0.0)],
    ),
    "who was shown it shows .3 more": (
        World(responders=3000, members=0.5, passed_on=0.3),
        [Check("difference", contagion, "difference of later mean levels", "received", 0.3)],
    ),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--simulations", type=int, default=200, help="of each world")
    parser.add_argument("--worlds", nargs="+", choices=list(WORLDS), default=list(WORLDS), metavar="WORLD")
    parser.add_argument("--output_path", type=Path, help="JSON, rewritten after each world")
    parser.add_argument("--figures", type=Path, help="folder for the figures; none are drawn when left out")
    args = parser.parse_args()
    rows: list[dict[str, Any]] = []
    print(simulation_table([]), flush=True)
    for name in args.worlds:
        world, checks = WORLDS[name]
        for row in checked(world, checks, args.simulations):
            rows.append({"world": name, **row})
            print(simulation_table(rows[-1:]).splitlines()[-1], flush=True)
        if args.output_path:
            text = json.dumps({"simulations": args.simulations, "rows": rows}, indent=1) + "\n"
            write_whole(args.output_path, lambda path, text=text: path.write_text(text))  # type: ignore[misc]
    if args.figures:
        draw_figures(args.figures, args.simulations)


def simulation_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """What was [`checked`], as a table; the world stands in the first of its rows."""
    cells = []
    for row, before in zip(rows, [None, *rows], strict=False):
        is_first = before is None or before["world"] != row["world"]
        decided = "" if row["decided"] is None else f"{row['decided']:.1%}"
        # Without the sign of what is rounded to nothing.
        figures = [f"{round(row[name], 3) + 0.0:.3f}" for name in ("truth", "mean", "median")]
        cells.append(
            [
                row["world"] if is_first else "",
                row["estimate"],
                row["simulations"],
                *figures,
                f"{row['coverage']:.1%}",
                decided,
            ]
        )
    header = ["world", "estimate", "of", "truth", "mean", "median", "in the interval", "called up or down"]
    return markdown_table(header, cells)


def checked(world: World, checks: Sequence[Check], simulations: int) -> list[dict[str, Any]]:
    """What many analyses of a world come to: a row for each check.

    Args:
        world: What is true.
        checks: What is looked at.
        simulations: How many are drawn.

    Returns:
        Dicts of `estimate` (the check's name), `truth`, `mean` and `median` of the estimates, `coverage`, `decided`
        (None of what is compared with nothing) and `simulations` (those in which there was such an estimate).
    """
    found: dict[str, list[Estimate]] = {check.name: [] for check in checks}
    levels_sum = levels_count = 0
    for seed in tqdm(range(simulations), leave=False):
        rows = simulated(world, seed)
        levels_sum, levels_count = levels_sum + int(rows[f"{_CODE}_true"].sum()), levels_count + len(rows["id"])
        estimates = estimated(rows, checks, world.errors == ERRORS, np.random.default_rng(10**6 + seed))
        for check in checks:
            found[check.name] += [one for one in estimates[check.section] if matches(one, check)][:1]
    return [_row(check, found[check.name], levels_sum / levels_count) for check in checks]


def matches(one: Estimate, check: Check) -> bool:
    """Whether an estimate is what a check looks at."""
    if not one.outcome.startswith(check.outcome) or one.mechanism != _CODE:
        return False
    # Names of which one begins with another: what is said behind a comma is another row.
    return one.contrast == check.contrast or (
        one.contrast.startswith(check.contrast) and not one.contrast.startswith(f"{check.contrast},")
    )


def estimated(
    rows: dict[str, np.ndarray], checks: Sequence[Check], has_errors: bool, draw: np.random.Generator
) -> dict[Callable[[ScoredTable, Settings], Section], list[Estimate]]:
    """The estimates of the sections that checks look at, each computed once."""
    sections = [check.section for check in checks]
    # The models of statsmodels take most of the time.
    modelled = 20_000 if any(check.is_modelled for check in checks) else 0
    counts = [draw.multinomial(_COUNTED, row).tolist() for row in ERRORS]
    rates = {_CODE: ErrorRates(counts, "what is known")} if has_errors else {}
    settings = Settings(rates=rates, outcomes=(OUTCOME,), groups=(GROUP,), modelled_rows=modelled)
    with tempfile.TemporaryDirectory() as folder, data_base(Path(folder), "1GB", "analysis") as (connection, own):
        write_table(rows, own / "scored.parquet")
        columns = AnalysisColumns(outcomes=settings.outcomes, groups=settings.groups)
        summary = write_scored_rows(find_files([str(own / "scored.parquet")]), columns, own / "rows.parquet")
        table = scored_table(connection, own / "rows.parquet", summary, 1, 1)
        if with_gold in sections:
            add_gold(table, _gold(rows, own / "gold.csv"))
        return {section: section(table, settings).estimates for section in dict.fromkeys(sections)}


def _gold(rows: dict[str, np.ndarray], path: Path) -> Path:
    drawn = np.random.default_rng(len(rows["id"])).choice(len(rows["id"]), _GOLD, replace=False)
    lines = [f"{rows['id'][place]},{rows[f'{_CODE}_true'][place]}" for place in drawn]
    path.write_text("\n".join([f"id,{_CODE}_label", *lines, ""]))
    return path


def _row(check: Check, found: Sequence[Estimate], mean_level: float) -> dict[str, Any]:
    truth = mean_level if check.truth is None else check.truth
    names = ("corrected", "corrected_low", "corrected_high") if check.corrected else ("estimate", "low", "high")
    if not found:
        raise SystemExit(f"{check.name}: there is no such estimate")
    there = [one for one in found if getattr(one, names[0]) is not None]
    values = np.array([[getattr(one, name) for name in names] for one in there])
    compared = [one.conclusion != UNDECIDED for one in found if one.null is not None]
    return {
        "estimate": check.name,
        "truth": truth,
        "mean": float(values[:, 0].mean()),
        "median": float(np.median(values[:, 0])),
        "coverage": float(((values[:, 1] <= truth) & (truth <= values[:, 2])).mean()),
        "decided": float(np.mean(compared)) if compared else None,
        "simulations": len(there),
    }


def draw_figures(folder: Path, simulations: int) -> None:
    """Draws `naive.svg` and `power.svg`."""
    from matplotlib import rcParams
    from matplotlib.figure import Figure

    rcParams["svg.fonttype"] = "none"  # letters stay letters

    folder.mkdir(parents=True, exist_ok=True)
    naive, within = courses(World(dropout=1.0), simulations)
    canvas = Figure((6.4, 3.6), layout="constrained")
    panel = canvas.subplots()
    bins = list(COURSES[0].named)[: len(naive)]
    panel.plot(bins, naive, "o-", color="#0072B2", label="all responses (naive)")
    panel.plot(bins, within, "s-", color="#D55E00", label="the same responders")
    panel.set(xlabel="number of the response", ylabel="mean level", title="Nobody changes, who shows little leaves")
    panel.set_ylim(bottom=0)
    panel.legend(frameon=False)
    canvas.savefig(folder / "naive.svg", metadata={"Date": None})
    canvas = Figure((6.4, 3.6), layout="constrained")
    panel = canvas.subplots()
    drifts = [0.0, 0.02, 0.05, 0.1, 0.15, 0.2]
    for responders, mark in ((100, "o"), (400, "s"), (1600, "^")):
        shares = [power(World(responders=responders, drift=drift, dropout=1.0), simulations) for drift in drifts]
        print(f"{responders} responders, found of a change of {drifts}: {[round(share, 3) for share in shares]}")
        panel.plot(drifts, shares, marker=mark, label=f"{responders} responders")
    panel.axhline(0.05, color="grey", linewidth=0.8, linestyle="--")
    panel.set(xlabel="true change of the mean level in a year", ylabel="how often a change is found")
    panel.legend(frameon=False)
    canvas.savefig(folder / "power.svg", metadata={"Date": None})


def courses(world: World, simulations: int) -> tuple[np.ndarray, np.ndarray]:
    """The mean level by number of the response, of all responses, and of the same responders from the first one on."""
    naive, within = [], []
    for seed in range(simulations):
        estimates = estimated(simulated(world, seed), slope(0.0, WITHIN), False, np.random.default_rng(seed))[change]
        of_all = {one.contrast: one.estimate for one in estimates if one.outcome == f"mean level by {COURSES[0].name}"}
        outcome = f"change since the first response by {COURSES[0].name}"
        moved = {one.contrast: one.estimate for one in estimates if one.outcome == outcome}
        first = of_all[COURSES[0].named[0]]
        naive.append([of_all.get(name, np.nan) for name in COURSES[0].named])
        within.append([first, *(first + moved.get(name, np.nan) for name in COURSES[0].named[1:])])
    # In the last bins there may be too few responders.
    there = ~np.isnan(within).all(axis=0)
    return np.nanmean(np.array(naive)[:, there], axis=0), np.nanmean(np.array(within)[:, there], axis=0)


def power(world: World, simulations: int) -> float:
    """How often the interval of the change within responders leaves out 0."""
    decided = 0
    for seed in range(simulations):
        rows = simulated(world, seed)
        first = np.full(world.responders, np.inf)
        np.minimum.at(first, rows["responder_id"], rows["created_at"])
        years = (rows["created_at"] - first[rows["responder_id"]]) / (365.25 * 86400)
        columns = np.column_stack([rows[f"{_CODE}_label"], years]).astype(float)
        moments = Moments.of_rows(["level", "years"], rows["responder_id"], columns, within=True)
        fitted = least_squares(moments, ["level"], ["years"])
        if fitted is not None:
            low, high = fitted.of("years", np.ones(1)).interval()
            decided += low > 0 or high < 0
    return decided / simulations


if __name__ == "__main__":
    main()
