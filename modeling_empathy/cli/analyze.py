"""`empathy analyze`: from scored rows to a finding, with its uncertainty."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .failures import reports_errors, say
from .options import OnBadRow, SkippedRows, renamed_columns


@reports_errors("empathy")
def analyze(
    scored: Annotated[
        list[str],
        typer.Argument(
            metavar="SCORED...",
            help="What `empathy score` wrote: its folder, or files and patterns, as of its own --input_path.",
        ),
    ],
    output_path: Annotated[Path, typer.Option("--output_path", metavar="DIR", help="The folder of the report.")],
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column",
            metavar="OURS=THEIRS",
            help="What id, responder_id, created_at, seeker_id, conversation_id or response_post is called, as in "
            "responder_id=author.",
        ),
    ] = None,
    outcome: Annotated[
        list[str] | None,
        typer.Option(
            "--outcome",
            metavar="COLUMN",
            help="What became of a response: yes or no, or a number, which counts as yes above its median; given once "
            "or more often, as seeker_replied, upvotes.",
        ),
    ] = None,
    group: Annotated[
        list[str] | None,
        typer.Option("--group", metavar="COLUMN", help="By what responses are compared, as gender or subreddit."),
    ] = None,
    gold: Annotated[
        Path | None,
        typer.Option(
            "--gold",
            metavar="FILE",
            help="Annotated levels of responses drawn at random: id and ER_label, IP_label or EX_label. The "
            "classifier's errors are counted in it, and means lean on it.",
        ),
    ] = None,
    errors: Annotated[
        Path | None,
        typer.Option(
            "--errors",
            metavar="FILE",
            help="How often the classifier errs: metrics.json of a training run, or the manifest.json of scores "
            "(default: that of the scored folder).",
        ),
    ] = None,
    wanted_interval: Annotated[
        float,
        typer.Option(
            "--wanted_interval", min=0.001, help="Plan labels for a mean level known up to plus and minus this."
        ),
    ] = 0.05,
    fewest_responders: Annotated[
        int, typer.Option("--fewest_responders", min=2, help="Of fewer people nothing is said.")
    ] = 20,
    replicates: Annotated[
        int, typer.Option("--replicates", min=100, help="How often people are drawn anew for an interval.")
    ] = 1000,
    modelled_rows: Annotated[
        int,
        typer.Option(
            "--modelled_rows",
            min=0,
            help="Mixed models and odds ratios are slow: they get so many rows, all of some people; 0 omits them.",
        ),
    ] = 20_000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of what is drawn.")] = 0,
    on_error: OnBadRow = "stop",
) -> None:
    """Analyse scored responses: levels, change over time, what they bring, groups, and how sure all of it is.

    Each row needs ER_label, IP_label or EX_label, responder_id and created_at; response_post opens what is by length
    and questions, seeker_id whether empathy is passed on. The folder gets report.html, which needs no network,
    numbers.json, estimates.csv, methods.md for a paper, and the figures.

        empathy interactions --input_path my-corpus/ --output_path interactions.parquet

        empathy score --input_path interactions.parquet --keep all --output_path scored

        empathy analyze scored --outcome seeker_replied --outcome upvotes --group subreddit --output_path report
    """
    from ..analysis.run import analyze as run
    from ..analysis.scored_rows import COLUMN_EXAMPLE, OURS, AnalysisColumns
    from ..analysis.settings import Settings

    for name, values in {"outcome": outcome, "group": group, "SCORED": scored}.items():
        if any(not value.strip() for value in values or []):
            raise InputError(f"{name} is empty: leave it out, or name what it stands for.")
    columns = AnalysisColumns(
        renamed_columns(column or [], OURS, COLUMN_EXAMPLE),
        tuple(dict.fromkeys(outcome or [])),
        tuple(dict.fromkeys(group or [])),
    )
    settings = Settings(
        replicates=replicates,
        seed=seed,
        fewest=fewest_responders,
        wanted=wanted_interval,
        modelled_rows=modelled_rows,
    )
    skipped = SkippedRows(on_error)
    findings = run(scored, output_path, columns, settings, gold=gold, errors=errors, on_error=skipped)
    about = findings.about
    say(f"{about['rows']:,} responses of {about['responders']:,} people: {output_path / 'report.html'}")
    for section, said in findings.summary:
        say(f"{section.title}: {section.question}")
        for sentence in said:
            say(f"  {sentence}")
    for reason, count in about["left_out"].items():
        say(f"  {count:,} {reason}: left out")
    skipped.say_first()
