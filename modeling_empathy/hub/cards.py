"""Cards for the Hub from templates of this package: metadata on top, then Markdown."""

from __future__ import annotations

import re
from typing import Any

from huggingface_hub import CardData
from huggingface_hub.errors import HFValidationError
from huggingface_hub.utils import validate_repo_id

from ..errors import InputError, first_line
from ..files.templates import templates_of


CARD = "README.md"

_TEMPLATES = templates_of("modeling_empathy.hub")


def render_card(template: str, metadata: CardData, **values: Any) -> str:
    """Fills in a template of `templates/`.

    Args:
        template: Its name.
        metadata: What the Hub reads.
        **values: What the template names.
    """
    body = _TEMPLATES.get_template(template).render(**values)
    return f"---\n{metadata.to_yaml()}\n---\n\n{body.lstrip()}"


def check_repo_id(repo_id: str, option: str) -> None:
    """Raises an `InputError` where this is no name on the Hub; `option` is what it was given as."""
    try:
        validate_repo_id(repo_id)
    except HFValidationError as error:
        raise InputError(f"{option} {_line(repo_id)}: {first_line(error)}") from None


def _code(text: object) -> str:
    """Text that means itself in a table of Markdown, whatever stands in it."""
    shown = _line(text).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else "none"


def _plain(text: object) -> str:
    """Text that means itself in a line of Markdown: no link, no markup, no HTML."""
    return _MARKUP.sub(lambda match: f"&#{ord(match[0])};", _line(text))


def _line(text: object) -> str:
    """In one line, without what moves a terminal's cursor or turns the direction of writing."""
    return " ".join("".join(character if character.isprintable() else " " for character in str(text)).split())


# An underscore within a word is one, and a colon or a point that makes no link.
_MARKUP = re.compile(r"[\\`*\[\]<>|#!~&]|(?<!\w)_|_(?!\w)|:(?=//)|(?<=www)\.|@")

_TEMPLATES.filters.update(words=lambda name: name.replace("_", " "), code=_code, plain=_plain)
