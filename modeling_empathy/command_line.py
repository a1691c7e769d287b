"""What the commands of this package have in common: how an error that a user can mend is told."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any, NoReturn

import typer

from .errors import InputError


def told(program: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Turns what a user can mend into one message of `program` and exit code 2, instead of a stack."""

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        name = f"{program} {command.__name__.replace('_', '-')}"

        def refuse(message: object) -> NoReturn:
            print(f"{name}: error: {message}", file=sys.stderr)
            raise typer.Exit(2) from None

        @functools.wraps(command)
        def wrapped(*args: Any, **kwargs: Any) -> None:
            try:
                command(*args, **kwargs)
            except InputError as error:
                refuse(error)
            except OSError as error:
                refuse(f"{error.filename}: {error.strerror}" if error.filename is not None else error)
            except KeyboardInterrupt:
                print(f"\n{name}: interrupted; nothing was written", file=sys.stderr)
                raise typer.Exit(130) from None

        return wrapped

    return decorate
