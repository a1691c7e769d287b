"""What the commands of this package have in common: how they look, and options of the corpus."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from ..errors import InputError, RowError
from ..model.mechanisms import ABBREVIATIONS
from .failures import say


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


OnBadRow = Annotated[
    Literal["stop", "skip"], typer.Option("--on_error", help="Stop at a bad row, or leave it out and count it.")
]


class SkippedRows:
    """What is done about bad rows, as `--on_error` says: the first one ends the command, or they are counted.

    Args:
        on_error: `stop` or `skip`.
    """

    def __init__(self, on_error: str) -> None:
        self._on_error, self._count = on_error, 0
        self._first: RowError | None = None

    def __call__(self, error: RowError) -> None:
        if self._on_error == "stop":
            raise error
        self._count += 1
        self._first = self._first or error

    def say_first(self) -> None:
        """Prints how many there were, and the first of them."""
        if self._count:
            say(f"  {self._count} rows that could not be used, the first of them: {self._first}")


def renamed_columns(given: Sequence[str], ours: Sequence[str], example: str) -> dict[str, str]:
    """Column of ours to the input's, of `--column OURS=THEIRS`.

    Args:
        given: What was typed.
        ours: The columns that may be called otherwise.
        example: Of what could be typed.

    Raises:
        InputError: If one can't be read as that, or a column of ours is named twice.
    """
    sources: dict[str, str] = {}
    for one in given:
        name, equals, theirs = one.partition("=")
        if not equals or not theirs or name not in ours:
            raise InputError(
                f"--column {one}: expected one of {', '.join(ours)} and the input's column for it, as in {example}."
            )
        if name in sources:
            raise InputError(f"--column {name} is given more than once.")
        sources[name] = theirs
    return sources


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
