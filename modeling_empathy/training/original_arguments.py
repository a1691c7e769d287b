"""The original's training arguments, with the meaning they have there.

Most are other names of arguments of ours. `--train_path` brings the original's way of running with it: its recipe
unless another is named, training on the whole file, evaluation only where `--do_validation` and `--do_test` ask for
it, a model only where `--save_model` does.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from transformers.hf_argparser import string_to_bool

from ..model.mechanisms import MECHANISMS
from ..original_names import checkpoint_folder, mechanism_of


# The original's name -> ours, the type, and its default there.
_RENAMED: dict[str, tuple[tuple[str, ...], Callable[[str], Any], Any]] = {
    "lr": (("learning_rate", "head_learning_rate"), float, 2e-5),
    "dropout": (("head_dropout",), float, 0.1),
    "max_len": (("max_length",), int, 64),
    "batch_size": (("per_device_train_batch_size", "per_device_eval_batch_size"), int, 32),
    "epochs": (("num_train_epochs",), float, 4),
    "seed_val": (("seed",), int, 12),
    "do_validation": (("do_eval",), string_to_bool, False),
    "do_test": (("do_predict",), string_to_bool, False),
}


class _SetAll(argparse.Action):
    """Stores a value under the names of ours that it stands for."""

    def __init__(self, *args: Any, targets: Sequence[str], **kwargs: Any) -> None:
        self.targets = targets
        super().__init__(*args, **kwargs)

    def __call__(self, parser: Any, namespace: Any, values: Any, option_string: str | None = None) -> None:
        for target in self.targets:
            setattr(namespace, target, values)


def add_original_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the original's names for arguments of ours."""
    group = parser.add_argument_group(
        "names of the original",
        "For users of the original scripts. Their defaults hold with --recipe original, which --train_path implies.",
    )
    for name, (targets, kind, default) in _RENAMED.items():
        # As HfArgumentParser's own: a flag that may be followed by true or false.
        flag: dict[str, Any] = {"nargs": "?", "const": True} if kind is string_to_bool else {}
        group.add_argument(
            f"--{name}",
            action=_SetAll,
            targets=targets,
            type=kind,
            # Any other default would be stored under the original's name, which no field has.
            default=argparse.SUPPRESS,
            metavar=name.upper(),
            help=f"Sets {' and '.join(f'--{target}' for target in targets)}. The original's default: {default}.",
            **flag,
        )


def names_of_ours(name: str) -> tuple[str, ...]:
    """The arguments that a name sets: those that one of the original's stands for, or the one of that name."""
    return _RENAMED[name][0] if name in _RENAMED else (name,)


def implied_values(given: Mapping[str, Any]) -> dict[str, Any]:
    """What `--train_path`, `--save_model_path` and `--train_on_everything` imply.

    Args:
        given: What the command line, its file and its recipe say, by our names.

    Returns:
        Values by our names. They take the place of a file's, and of none on the command line.

    Raises:
        ValueError: If something is missing that can't be guessed; the message says what to add.
    """
    train_path, save_model_path = given.get("train_path"), given.get("save_model_path")
    values: dict[str, Any] = {}
    if save_model_path and "output_dir" not in given:
        values["output_dir"] = str(checkpoint_folder(save_model_path))
    if train_path is None:
        for name in ("dev_path", "test_path"):
            if given.get(name) is not None:
                raise ValueError(f"--{name} needs --train_path: the three name files of one mechanism.")
        # The Trainer refuses to look for the best of what is not evaluated.
        if given.get("train_on_everything"):
            values |= {"eval_strategy": "no", "load_best_model_at_end": False}
        return values
    for flag, called, name in (("do_eval", "--do_validation", "dev_path"), ("do_predict", "--do_test", "test_path")):
        if given.get(flag) and given.get(name) is None:
            raise ValueError(f"{called} needs --{name}: the file to evaluate on.")
    # As there: without its flag nothing is saved.
    if "save_model" not in given:
        values["save_model"] = False
    if not given.get("do_eval"):
        values |= {"eval_strategy": "no", "save_strategy": "no", "load_best_model_at_end": False}
    if "mechanisms" not in given:
        values["mechanisms"] = [_mechanism_of(train_path, save_model_path)]
    return values


def _mechanism_of(train_path: str, save_model_path: str | None) -> str:
    """The mechanism that the names of the files speak of."""
    named = {mechanism for path in (train_path, save_model_path) if (mechanism := mechanism_of(path)) is not None}
    if len(named) != 1:
        raise ValueError(
            f"--train_path {train_path}: which mechanism is it about? Its name and --save_model_path "
            f"{'disagree' if named else 'do not say'}; add --mechanisms with one of {', '.join(MECHANISMS)}."
        )
    [mechanism] = named
    return mechanism
