"""What the commands of this package have in common: how they look, options of the corpus, how errors are reported."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer

from ..errors import InputError
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


def reports_errors(
    program: str, when_interrupted: str = "nothing was written"
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turns what a user can mend into one message of `program` and exit code 2, instead of a stack."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        # As typer names commands.
        name = f"{program} {command.__name__.replace('_', '-')}"

        # typer reads a command's options from its signature, which `wraps` hands on.
        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> None:
            try:
                command(*args, **kwargs)
                return
            except InputError as error:
                message = str(error)
            except OSError as error:
                # Its own text begins with its number.
                message = f"{error.filename}: {error.strerror}" if error.filename is not None else str(error)
            except KeyboardInterrupt:
                print(f"\n{name}: interrupted; {when_interrupted}", file=sys.stderr)
                # 128 and the number of the signal, as shells have it.
                raise typer.Exit(130) from None
            print(f"{name}: error: {message}", file=sys.stderr)
            raise typer.Exit(2)

        return wrapped

    return decorate


def mechanism_option(code: str, what: str) -> Any:
    """The original's option for the model of one mechanism."""
    [mechanism] = [name for name, abbreviation in ABBREVIATIONS.items() if abbreviation == code]
    return typer.Option(f"--{code}_model_path", metavar="PATH", help=f"{what} of {mechanism.replace('_', ' ')}.")


def by_mechanism(**paths: PathOrName | None) -> dict[str, PathOrName]:
    """Mechanism to path, of the mechanisms for whose abbreviation one was given."""
    given = {mechanism: paths.get(code) for mechanism, code in ABBREVIATIONS.items()}
    return {mechanism: path for mechanism, path in given.items() if path is not None}
