"""`empathy push`: publishes a trained model, the corpus or the page on the Hub."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .failures import reports_errors, say
from .options import DataDir, Salt, Source, new_app


# For types alone: `--help` does not wait for torch.
if TYPE_CHECKING:
    from ..hub.publish import Step
    from ..hub.staging import Publication
    from ..hub.upload import Target


HELP = """Publishes a trained model, the corpus or the page on the Hub.

    empathy push model output/corpus --repo_id me/empathy --dry_run
    empathy push dataset --source sample --repo_id me/empathy-sample --private
    empathy push space --repo_id me/empathy-page

The token comes from the login (`hf auth login`) or from HF_TOKEN; it is never shown. Everything goes in one commit, so
that the repository holds all of it or is as it was before.
"""

app = new_app(name="push", help=HELP)

RepoId = Annotated[str, typer.Option("--repo_id", metavar="OWNER/NAME", help="The repository; made if missing.")]
Private = Annotated[bool, typer.Option("--private", help="Only its owners may see it.")]
Revision = Annotated[str | None, typer.Option("--revision", help="Branch; made if missing (default: main).")]
CreatePr = Annotated[bool, typer.Option("--create_pr", help="Propose the commit as a pull request.")]
CommitMessage = Annotated[str | None, typer.Option("--commit_message", help="Title of the commit.")]
MaxFile = Annotated[float, typer.Option("--max_file_gb", help="The largest file that is published.")]
DryRun = Annotated[bool, typer.Option("--dry_run", help="Check and list the files; send nothing, need no network.")]

# Interrupted during the commit, it may be there or not: no message of ours can say which.
_reports_errors = reports_errors("empathy push", when_interrupted="look at the repository before you try again")

# What was checked in a process of its own, by what was loaded there.
_LOADED = {
    "model": "it loads, and gives the same scores",
    "dataset": "it loads, with all its rows",
    "space": "its page is built, and gives the same scores",
}


@app.command()
@_reports_errors
def model(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="The checkpoint, as train_hf.py or convert left it.")],
    repo_id: RepoId,
    private: Private = False,
    revision: Revision = None,
    create_pr: CreatePr = False,
    commit_message: CommitMessage = None,
    dataset_repo_id: Annotated[
        str | None,
        typer.Option("--dataset_repo_id", metavar="OWNER/NAME", help="The corpus it was trained on, if on the Hub."),
    ] = None,
    card: Annotated[
        Path | None,
        typer.Option("--card", exists=True, dir_okay=False, help="Your README.md instead of the one that is made."),
    ] = None,
    i_have_the_right_to_share: Annotated[
        bool,
        typer.Option(
            "--i_have_the_right_to_share",
            help="Take report.html along: it shows texts of people, and you may publish them.",
        ),
    ] = False,
    max_file_gb: MaxFile = 5.0,
    dry_run: DryRun = False,
) -> None:
    """Publish a checkpoint: weights, code, tokenizer, metrics, plots, ONNX if there is, and a card.

    Held-out predictions, the report, intermediate checkpoints and whatever else is in the folder stay there. Before
    anything is sent, it is loaded in a process without this package, and must give the same scores.

        empathy push model output/corpus --repo_id me/empathy --private
    """
    from ..hub.publish import publish_model
    from ..hub.upload import Target
    from ..phases import hide_other_bars

    hide_other_bars()
    target = Target(repo_id, private, revision, create_pr, commit_message)
    address = publish_model(
        folder,
        target,
        dataset_repo_id=dataset_repo_id,
        card=card,
        has_right_to_share=i_have_the_right_to_share,
        max_file_gb=max_file_gb,
        dry_run=dry_run,
        announce=partial(_print_step, target=target),
    )
    _print_end(address)


@app.command()
@_reports_errors
def dataset(
    repo_id: RepoId,
    data_dir: DataDir = None,
    source: Source = "auto",
    salt: Salt = "",
    i_have_the_right_to_share: Annotated[
        bool,
        typer.Option(
            "--i_have_the_right_to_share",
            help="The texts are people's, and you may publish them; not needed for the sample.",
        ),
    ] = False,
    private: Private = False,
    revision: Revision = None,
    create_pr: CreatePr = False,
    commit_message: CommitMessage = None,
    max_file_gb: MaxFile = 5.0,
    dry_run: DryRun = False,
) -> None:
    """Publish the corpus as Parquet files with a card, which load_dataset reads without any code.

    empathy push dataset --source sample --repo_id me/empathy-sample
    """
    from ..hub.publish import publish_dataset
    from ..hub.upload import Target

    target = Target(repo_id, private, revision, create_pr, commit_message)
    address = publish_dataset(
        target,
        source=source,
        data_dir=data_dir,
        salt=salt,
        has_right_to_share=i_have_the_right_to_share,
        max_file_gb=max_file_gb,
        dry_run=dry_run,
        announce=partial(_print_step, target=target),
    )
    _print_end(address)


@app.command()
@_reports_errors
def space(
    repo_id: RepoId,
    model: Annotated[
        str | None,
        typer.Option("--model", metavar="REPO", help="On the Hub (default: the model that is part of the package)."),
    ] = None,
    private: Private = False,
    revision: Revision = None,
    create_pr: CreatePr = False,
    commit_message: CommitMessage = None,
    dry_run: DryRun = False,
) -> None:
    """Publish the page of `empathy demo` as a Space: this package as a wheel, what runs it, and a card.

    Before anything is sent, the page is built from the wheel in a process of its own, and must give the same scores.

        empathy push space --repo_id me/empathy-page --model me/empathy
    """
    from ..hub.publish import publish_space
    from ..hub.upload import Target
    from ..phases import hide_other_bars

    hide_other_bars()
    target = Target(repo_id, private, revision, create_pr, commit_message)
    address = publish_space(target, model=model, dry_run=dry_run, announce=partial(_print_step, target=target))
    _print_end(address)


def _print_step(step: Step, publication: Publication, target: Target) -> None:
    if step == "loading":
        how = "from its wheel" if publication.repo_type == "space" else "without this package"
        say(f"Loading it in a process {how} ...")
    elif step == "loaded":
        # Listed before the upload and in a dry run alike, so that what is about to be published can be read.
        say(f"  {_LOADED[publication.repo_type]}")
        _print_listing(publication, target)
    else:
        say("Uploading ...")


def _print_listing(publication: Publication, target: Target) -> None:
    from ..hub.publishable import printable

    files = publication.files
    kind = " ".join((["private"] if target.private else []) + [publication.repo_type])
    branch = f", branch {target.revision}" if target.revision else ""
    say(f"To the {kind} {target.repo_id}{branch}{', as a pull request' if target.create_pr else ''}:")
    for name, size in files.items():
        say(f"  {size:>14,}  {printable(name)}")
    say(f"  {sum(files.values()):>14,}  bytes in {len(files)} files")
    if publication.left_out:
        say("Left out:")
        for name, reason in publication.left_out.items():
            say(f"  {printable(name)}: {reason}")


def _print_end(address: str | None) -> None:
    say("Dry run: nothing was sent." if address is None else f"Published: {address}")
