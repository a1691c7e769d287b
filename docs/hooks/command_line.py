"""The page of commands, made of what `--help` is made of, so that it says what the commands say."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

import typer
from transformers import TrainingArguments

from modeling_empathy.cli.app import TRAINING, app
from modeling_empathy.evaluation.tables import markdown_table
from modeling_empathy.training.arguments import EmpathyTrainingArguments
from modeling_empathy.training.parsing import training_parser


# Options that every command has, and those of the shell.
_OF_ALL = {"help", "install_completion", "show_completion"}


@dataclass(frozen=True)
class Option:
    """What can be typed behind a command.

    Attributes:
        names: `--dtype`, or what an argument without a name is called.
        values: What it takes: the choices, or a word for it; empty for a flag.
        default: As it is typed; empty where there is none.
        help: What it does.
        is_required: Whether the command wants it.
    """

    names: tuple[str, ...]
    values: str
    default: str
    help: str
    is_required: bool = False


def commands() -> dict[str, tuple[str, list[Option]]]:
    """Every command by what is typed (`push model`), with what it does and its options."""
    found: dict[str, tuple[str, list[Option]]] = {}
    for words, command in _leaves(typer.main.get_command(app), ()):
        if words == "train":
            found[words] = (TRAINING, list(_training_options()))
        else:
            options = [_option(parameter) for parameter in command.params if parameter.name not in _OF_ALL]
            found[words] = (command.help or "", options)
    return found


def command_line_page() -> str:
    """The commands as Markdown: a heading, the help and a table of options for each."""
    parts = []
    for words, (description, options) in commands().items():
        parts += [f"## empathy {words}", _as_markdown(description)]
        if options:
            parts.append(f'<div class="options" markdown>\n\n{_table(options)}\n\n</div>')
    return "\n\n".join(parts) + "\n"


def _leaves(command: Any, words: tuple[str, ...]) -> Iterator[tuple[str, Any]]:
    """The commands that do something, below those that only hold others."""
    below = getattr(command, "commands", None)
    if below is None:
        yield " ".join(words), command
        return
    for name, one in below.items():
        yield from _leaves(one, (*words, name))


def _option(parameter: Any) -> Option:
    annotation = parameter.type_descriptor.annotation
    default = "" if parameter.default in (None, False, ()) else str(parameter.default)
    return Option(
        tuple(parameter.opts),
        "" if getattr(parameter, "is_flag", False) else parameter.metavar or _values(annotation),
        default,
        parameter.help or "",
        parameter.required,
    )


def _values(annotation: Any) -> str:
    """What an option takes: the choices of a literal, else the name of the type."""
    if get_origin(annotation) is Literal:
        return ", ".join(map(str, get_args(annotation)))
    inner = [one for one in get_args(annotation) if one is not type(None)]
    return (
        _values(inner[0]) if inner else {"str": "text", "Path": "path"}.get(annotation.__name__, annotation.__name__)
    )


def _training_options() -> Iterator[Option]:
    """Those that this package defines; transformers documents its own."""
    theirs = {field.name for field in fields(TrainingArguments)}
    actions = [action for action in training_parser()._actions if action.dest != "help" and _is_ours(action, theirs)]
    # What is on by default is switched off by an option of its own, with the same destination.
    switches = {action.dest: action.option_strings[0] for action in actions if _switches_off(action)}
    for action in actions:
        if not _switches_off(action):
            # argparse takes each with hyphens too.
            names = [name for name in action.option_strings if "-" not in name.lstrip("-")]
            names += [switches[action.dest]] if action.dest in switches else []
            values = ", ".join(map(str, action.choices)) if action.choices else action.metavar or _kind(action)
            shown = "" if action.default in (None, argparse.SUPPRESS) else _typed(action.default)
            yield Option(tuple(names), values, shown, (action.help or "") % vars(action))


def _switches_off(action: argparse.Action) -> bool:
    return action.const is False and action.nargs == 0


def _is_ours(action: argparse.Action, theirs: set[str]) -> bool:
    """Whether the option is no field of transformers' own arguments, or one that this package describes anew."""
    redefined = set(EmpathyTrainingArguments.__annotations__)
    return action.dest.removeprefix("no_") not in theirs - redefined


def _kind(action: argparse.Action) -> str:
    name = getattr(action.type, "__name__", "") or ""
    return {"string_to_bool": "true, false", "str": "text", "int": "int", "float": "float"}.get(name, "")


def _typed(value: Any) -> str:
    """A default as somebody would type it."""
    if isinstance(value, bool):
        return str(value).lower()
    return " ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _table(options: list[Option]) -> str:
    rows = []
    for option in options:
        name = "<br>".join(f"`{one}`" for one in option.names) + (" (required)" if option.is_required else "")
        rows.append((name, _cell(option.values), _code(option.default), _cell(option.help)))
    return markdown_table(["option", "takes", "default", "what it does"], rows)


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def _cell(text: str) -> str:
    """Text of a help as a cell: what Markdown and HTML would read as theirs stands for itself."""
    return re.sub(r"([*_<>|\[\]])", r"\\\1", " ".join(text.split())) if "`" not in text else " ".join(text.split())


def _as_markdown(text: str) -> str:
    """A help as Markdown, whose indented lines are commands."""
    return re.sub(r"(?m)(?:^    .*\n?)+", lambda match: f"```text\n{_dedented(match[0])}\n```\n", text.strip())


def _dedented(block: str) -> str:
    return re.sub(r"(?m)^    ", "", block).strip("\n")
