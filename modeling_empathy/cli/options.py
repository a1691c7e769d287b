"""What the commands of this package have in common: how they look, and options of the corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from ..model.mechanisms import ABBREVIATIONS


DataDir = Annotated[
    str | None, typer.Option("--data_dir", help="Folder of the corpus (default: EMPATHY_CORPUS_DIR, or the download).")
]
Source = Annotated[
    Literal["auto", "sample"], typer.Option("--source", help="'sample' is the sample corpus that comes along.")
]
Salt = Annotated[str, typer.Option("--salt", help="Of the split rule: another salt gives other splits.")]


PathOrName = TypeVar("PathOrName", Path, str)
# Spelt out although MECHANISMS holds them: typer takes choices from a type, and a type checker needs a literal.
Mechanism = Literal["emotional_reactions", "interpretations", "explorations"]
_MODEL = typer.Option("--model", metavar="DIR_OR_REPO", help="Checkpoint: a folder, or a repository on the Hub.")
ModelPath = Annotated[str, _MODEL]
OptionalModelPath = Annotated[str | None, _MODEL]
Device = Annotated[
    str | None, typer.Option("--device", help="Where it is computed (cpu, cuda:0) (default: a GPU if there is).")
]


def new_app(**settings: Any) -> typer.Typer:
    """A command line with subcommands, whose `--help` teaches and whose errors are no stacks."""
    return typer.Typer(
        no_args_is_help=True,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
        **settings,
    )


def mechanism_option(code: str, what: str) -> Any:
    """The original's option for the model of one mechanism."""
    [mechanism] = [name for name, abbreviation in ABBREVIATIONS.items() if abbreviation == code]
    return typer.Option(f"--{code}_model_path", metavar="PATH", help=f"{what} of {mechanism.replace('_', ' ')}.")


def by_mechanism(**paths: PathOrName | None) -> dict[str, PathOrName]:
    """Mechanism to path, of the mechanisms for whose abbreviation one was given."""
    given = {mechanism: paths.get(code) for mechanism, code in ABBREVIATIONS.items()}
    return {mechanism: path for mechanism, path in given.items() if path is not None}
