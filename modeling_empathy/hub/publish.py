"""Publishes a checkpoint or the corpus: puts it together, checks it as its users will load it, uploads it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from ..corpus.builder import load_epitome
from ..corpus.provenance import provenance_of_corpus
from ..errors import InputError
from .load_check import check_dataset_loads, check_model_loads
from .staging import LIMIT_GB, Publication, stage_dataset, stage_model
from .upload import Target, require_token, upload


def publish_model(
    model: str,
    target: Target,
    *,
    dataset_repo_id: str | None = None,
    card: Path | None = None,
    max_file_gb: float = LIMIT_GB,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> str | None:
    """Publishes a checkpoint: weights, code, tokenizer, metrics, plots, ONNX if there is, and the card.

    Before anything is sent it is loaded in another process without this package, and has to say what it says here.

    Args:
        model: The checkpoint's folder.
        target: Where it goes.
        dataset_repo_id: Where the corpus is that it was trained on, if it is on the Hub.
        card: A card to take instead of the one that is made.
        max_file_gb: The largest file that is published.
        dry_run: Whether to stop before anything is sent.
        say: Is told what is done.

    Returns:
        The address of the commit or the pull request; None after a dry run.

    Raises:
        InputError: Where this can't or must not be published; says what the repository holds then.
    """
    _check(target, dry_run)
    with tempfile.TemporaryDirectory(prefix="empathy-publish-") as folder:
        publication = stage_model(
            model, Path(folder), repo_id=target.repo_id, dataset_repo_id=dataset_repo_id, card=card
        )
        publication.check(max_file_gb)
        say("Loading it in a process without this package ...")
        check_model_loads(publication.folder)
        say("  it loads, and gives the same scores")
        return _send(publication, target, dry_run, say)


def publish_dataset(
    target: Target,
    *,
    source: str = "auto",
    data_dir: str | None = None,
    salt: str = "",
    has_right_to_share: bool = False,
    max_file_gb: float = LIMIT_GB,
    dry_run: bool = False,
    say: Callable[[str], None] = print,
) -> str | None:
    """Publishes the corpus as Parquet files with a card.

    Args:
        target: Where it goes.
        source: `"auto"` or `"sample"`, as of [`~modeling_empathy.corpus.builder.EpitomeConfig`].
        data_dir: Folder of the annotated files, likewise.
        salt: Of the split rule, likewise.
        has_right_to_share: Whether who publishes says that the texts may be published. The sample needs no such word.
        max_file_gb: The largest file that is published.
        dry_run: Whether to stop before anything is sent.
        say: Is told what is done.

    Returns:
        The address of the commit or the pull request; None after a dry run.

    Raises:
        InputError: Where this can't or must not be published; says what the repository holds then.
    """
    _check(target, dry_run)
    provenance = provenance_of_corpus(load_epitome(source=source, data_dir=data_dir, salt=salt))
    if provenance.needs_permission and not has_right_to_share:
        raise InputError(
            f"This is {provenance.title}: texts of people. {provenance.terms} If you may publish them, say so with "
            "--i_have_the_right_to_share. Nothing was sent."
        )
    with tempfile.TemporaryDirectory(prefix="empathy-publish-") as folder:
        publication, summary = stage_dataset(Path(folder) / "dataset", source=source, data_dir=data_dir, salt=salt)
        publication.check(max_file_gb)
        say("Loading it in a process without this package ...")
        check_dataset_loads(publication.folder, summary.rows)
        say("  it loads, with all its rows")
        return _send(publication, target, dry_run, say)


def _check(target: Target, dry_run: bool) -> None:
    """What can be known before the work."""
    target.check()
    if not dry_run:
        require_token()


def _send(publication: Publication, target: Target, dry_run: bool, say: Callable[[str], None]) -> str | None:
    for line in _listing(publication, target):
        say(line)
    if dry_run:
        say("Dry run: nothing was sent.")
        return None
    say("Uploading ...")
    address = upload(publication, target)
    say(f"Published: {address}")
    return address


def _listing(publication: Publication, target: Target) -> list[str]:
    files = publication.files
    kind = " ".join((["private"] if target.private else []) + [publication.repo_type])
    branch = f", branch {target.revision}" if target.revision else ""
    lines = [f"To the {kind} {target.repo_id}{branch}{', as a pull request' if target.create_pr else ''}:"]
    lines += [f"  {size:>14,}  {name}" for name, size in files.items()]
    lines.append(f"  {sum(files.values()):>14,}  bytes in {len(files)} files")
    if publication.left_out:
        lines.append("Left out:")
        lines += [f"  {name}: {reason}" for name, reason in publication.left_out.items()]
    return lines
