"""Reads the arguments of a training run from the command line, from a YAML or JSON file and from a recipe."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from types import UnionType
from typing import Any, Union, cast, get_args, get_origin, get_type_hints

import yaml
from transformers import HfArgumentParser
from transformers.utils import logging

from .arguments import BESIDE_A_CORPUS, DataArguments, EmpathyTrainingArguments, ModelArguments
from .original_arguments import add_original_arguments, implied_values, names_of_ours


RECIPES = Path(__file__).parents[1] / "recipes"

Arguments = tuple[ModelArguments, DataArguments, EmpathyTrainingArguments]
_DATACLASSES = get_args(Arguments)

logger = logging.get_logger(__name__)


def parse_arguments(
    argv: Sequence[str] | None = None, description: str | None = None, program: str | None = None
) -> Arguments:
    """Reads the arguments of a training run.

    Args:
        argv: The command line; `sys.argv` when left out. `--config FILE` names a YAML or JSON file with some of the
            arguments by their names, `--recipe NAME` one of the package's `recipes/`. The command line wins over what
            it implies, that over the file, the file over the recipe.
        description: What `--help` says first.
        program: What `--help` and messages call the command; the script's name when left out.

    Raises:
        SystemExit: With a message that names the argument, as argparse does.
    """
    parser = training_parser(description, program)
    given = _given(parser, sys.argv[1:] if argv is None else argv)
    config, recipe = given.pop("config", None), given.pop("recipe", None)
    if recipe is None and config is None and given.get("train_path") is not None:
        recipe = "original"
        logger.warning("--train_path without --recipe: --recipe original, the published recipe.")
    values: dict[str, Any] = {}
    try:
        if recipe is not None:
            values |= _values_of_file(RECIPES / f"{recipe}.yaml")
        in_file = {} if config is None else _values_of_file(Path(config))
        if (in_file | given).get("train_path") is not None:
            # A file of one's own is learned by itself, unless something is put beside it outright.
            values = {name: value for name, value in values.items() if name not in BESIDE_A_CORPUS}
        values |= in_file
        # Each layer over the one before: what is implied is no default, but what another argument means.
        values |= implied_values(values | given) | given
        parsed = parser.parse_dict(values, allow_extra_keys=False)
    # Of transformers, which also looks for packages and devices that an argument asks for.
    except (ValueError, ImportError, NotImplementedError, RuntimeError) as error:
        parser.error(str(error))
    return cast("Arguments", parsed)


def training_parser(description: str | None = None, program: str | None = None) -> HfArgumentParser:
    """What reads the command line of a training run, with every option that it has.

    Args:
        description: As of [`parse_arguments`].
        program: As of [`parse_arguments`].
    """
    # No abbreviations: a mistyped option would pass as the beginning of another.
    parser = HfArgumentParser(
        _DATACLASSES, prog=program, description=description, formatter_class=_HelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--config", metavar="FILE", help="YAML or JSON file with arguments; the command line wins.")
    recipes = sorted(path.stem for path in RECIPES.glob("*.yaml"))
    help_text = "A recipe that comes with the package; 'original' is the published one."
    parser.add_argument("--recipe", choices=recipes, help=help_text)
    add_original_arguments(parser)
    return parser


class _HelpFormatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, and the description as it was written."""


def _given(parser: HfArgumentParser, argv: Sequence[str]) -> dict[str, Any]:
    """What the command line says, by our names, without any default."""
    # Its own object, because None is a value that can be given.
    absent = object()
    names = ["config", "recipe", *(field.name for dataclass in _DATACLASSES for field in fields(dataclass))]
    # argparse sets a default only where the namespace has no value yet, so what was not given stays `absent`.
    namespace = parser.parse_args(list(argv), argparse.Namespace(**dict.fromkeys(names, absent)))
    return {name: value for name, value in vars(namespace).items() if value is not absent}


def _values_of_file(path: Path) -> dict[str, Any]:
    """The arguments in a file, by our names and as their fields have them."""
    try:
        # JSON is YAML, so one reader serves both.
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ValueError(f"--config {path}: {error}") from None
    if not isinstance(content, dict):
        raise ValueError(f"--config {path}: expected names and values, as in 'learning_rate: 1.0e-4'.")
    known = {field.name: field for dataclass in _DATACLASSES for field in fields(dataclass)}
    types = {name: hint for dataclass in _DATACLASSES for name, hint in get_type_hints(dataclass).items()}
    values = {}
    for name, value in content.items():
        for target in names_of_ours(str(name).replace("-", "_")):
            if target not in known:
                raise ValueError(f"--config {path}: unknown argument {name!r}; --help lists them.")
            try:
                values[target] = _checked(value, types[target], known[target].metadata.get("choices"))
            except ValueError as error:
                raise ValueError(f"--config {path}: {name}: {error}") from None
    return values


_EXPECTED: dict[Any, str] = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "text (yes and no in quotes)",
    list: "a list of texts",
    dict: "names and values",
    type(None): "null",
}


def _checked(value: Any, annotation: Any, choices: Sequence[str] | None) -> Any:
    """A value from a file as a field of that type and with those choices has it."""
    alternatives = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kinds = {get_origin(alternative) or alternative for alternative in alternatives}
    if not kinds <= _EXPECTED.keys():
        return value  # An enumeration of transformers', whose TrainingArguments names what it may be.
    if float in kinds and type(value) in (int, str):
        with suppress(ValueError):  # YAML reads 1e-4, which has no point, as text.
            value = float(value)
    if kinds <= {str, type(None)} and type(value) in (int, float):
        value = str(value)  # a salt, for example, is often a number
    if list in kinds and str not in kinds and isinstance(value, str):
        value = [value]
    is_wrong_list = isinstance(value, list) and not all(isinstance(item, str) for item in value)
    # Not isinstance: True is an int.
    if type(value) not in kinds or is_wrong_list:
        expected = " or ".join(words for kind, words in _EXPECTED.items() if kind in kinds)
        raise ValueError(f"expected {expected}, got {value!r}.")
    if choices is not None and value is not None:
        items = value if isinstance(value, list) else [value]
        if not items or not set(items) <= set(choices):
            raise ValueError(f"choose from {', '.join(choices)}; got {value!r}.")
    return value
