"""Publishes a checkpoint, the corpus or the page: puts it together, checks it as users will load it, uploads it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from ..corpus.builder import load_epitome
from ..corpus.provenance import provenance_of_corpus
from ..errors import InputError
from .dataset_export import export_dataset
from .load_check import check_dataset_loads, check_model_loads, check_space_loads
from .space import stage_space
from .staging import LIMIT_GB, Publication, stage_model
from .upload import Target, require_token, upload


# In this order. What takes long is announced before it begins; a dry run ends with "loaded".
Step = Literal["loading", "loaded", "uploading"]
Announce = Callable[[Step, Publication], None]


def publish_model(
    model: str,
    target: Target,
    *,
    dataset_repo_id: str | None = None,
    card: Path | None = None,
    has_right_to_share: bool = False,
    max_file_gb: float = LIMIT_GB,
    dry_run: bool = False,
    announce: Announce = lambda step, publication: None,
) -> str | None:
    """Publishes a checkpoint: weights, code, tokenizer, metrics, plots, ONNX if there is, and the card.

    Before anything is sent it is loaded in another process without this package, and has to say what it says here.

    Args:
        model: The checkpoint's folder.
        target: Where it goes.
        dataset_repo_id: As in [`~modeling_empathy.hub.staging.stage_model`].
        card: Likewise.
        has_right_to_share: Likewise.
        max_file_gb: The largest file that is published.
        dry_run: Whether to stop before anything is sent.
        announce: Called at each step, with what is published.

    Returns:
        The address of the commit or the pull request; None after a dry run.

    Raises:
        InputError: Where this can't or must not be published; says what the repository holds then.
    """
    _check_target(target, dry_run)
    with tempfile.TemporaryDirectory(prefix="empathy-publish-") as folder:
        publication = stage_model(
            model,
            Path(folder),
            repo_id=target.repo_id,
            dataset_repo_id=dataset_repo_id,
            card=card,
            has_right_to_share=has_right_to_share,
        )
        publication.check(max_file_gb)
        announce("loading", publication)
        check_model_loads(publication.folder)
        return _send(publication, target, dry_run, announce)


def publish_dataset(
    target: Target,
    *,
    source: str = "auto",
    data_dir: str | None = None,
    salt: str = "",
    has_right_to_share: bool = False,
    max_file_gb: float = LIMIT_GB,
    dry_run: bool = False,
    announce: Announce = lambda step, publication: None,
) -> str | None:
    """Publishes the corpus as Parquet files with a card.

    Args:
        target: Where it goes.
        source: `"auto"` or `"sample"`, as of [`~modeling_empathy.corpus.builder.EpitomeConfig`].
        data_dir: Folder of the annotated files, likewise.
        salt: Of the split rule, likewise.
        has_right_to_share: Whether who publishes says that the texts may be published. The sample needs no such word.
        max_file_gb: As in [`publish_model`].
        dry_run: Likewise.
        announce: Likewise.

    Returns:
        The address of the commit or the pull request; None after a dry run.

    Raises:
        InputError: Where this can't or must not be published; says what the repository holds then.
    """
    _check_target(target, dry_run)
    # Before the export, so that a refusal comes at once; by the files' checksums, so that renaming changes nothing.
    provenance = provenance_of_corpus(load_epitome(source=source, data_dir=data_dir, salt=salt))
    if provenance.needs_permission and not has_right_to_share:
        raise InputError(
            f"This is {provenance.title}: texts of people. {provenance.terms} If you may publish them, say so with "
            "--i_have_the_right_to_share. Nothing was sent."
        )
    with tempfile.TemporaryDirectory(prefix="empathy-publish-") as folder:
        exported = Path(folder, "dataset")
        summary = export_dataset(exported, source=source, data_dir=data_dir, salt=salt, show_progress=False)
        publication = Publication("dataset", exported)
        publication.check(max_file_gb)
        announce("loading", publication)
        check_dataset_loads(exported, summary.rows)
        return _send(publication, target, dry_run, announce)


def publish_space(
    target: Target,
    *,
    model: str | None = None,
    dry_run: bool = False,
    announce: Announce = lambda step, publication: None,
) -> str | None:
    """Publishes the page as a Space, with this package as a wheel.

    Args:
        target: Where it goes.
        model: A repository on the Hub; the model that comes with the package when left out.
        dry_run: As in [`publish_model`].
        announce: Likewise.

    Returns:
        The address of the commit or the pull request; None after a dry run.

    Raises:
        InputError: Where this can't be published; says what the repository holds then.
    """
    _check_target(target, dry_run)
    with tempfile.TemporaryDirectory(prefix="empathy-publish-") as folder:
        publication = stage_space(Path(folder), target.repo_id, model=model, is_private=target.private)
        publication.check()
        announce("loading", publication)
        check_space_loads(publication.folder, model)
        return _send(publication, target, dry_run, announce)


def _check_target(target: Target, dry_run: bool) -> None:
    # What can be known before the work is said before it; `upload` asks again, for who calls it alone.
    target.check()
    if not dry_run:
        require_token()


def _send(publication: Publication, target: Target, dry_run: bool, announce: Announce) -> str | None:
    announce("loaded", publication)
    if dry_run:
        return None
    announce("uploading", publication)
    return upload(publication, target)
