"""Pages that need no network: one look for all of them, whatever stands in them escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2

from .. import __version__
from .templates import templates_of


# What a page says that it was made by.
GENERATOR = "modeling-empathy"


def rendered_page(room: str, template: str, **values: Any) -> str:
    """A page of a room: its template extends `page.html` and takes parts of `parts.html`, which stand in this room.

    Args:
        room: The room's module, as `modeling_empathy.analysis`.
        template: The name of its template.
        **values: What the template names. They are escaped, but for what it marks as safe.
    """
    environment = templates_of(room, autoescape=True)
    shared = jinja2.PackageLoader("modeling_empathy.files")
    environment.loader = jinja2.ChoiceLoader([jinja2.PackageLoader(room), shared])
    environment.globals.update(generator=GENERATOR, version=__version__)
    return environment.get_template(template).render(**values)


def is_page(path: Path) -> bool:
    """Whether a file says of itself that this package wrote it as a page."""
    try:
        with path.open(encoding="utf-8") as file:
            return f'<meta name="generator" content="{GENERATOR} ' in file.read(1000)
    except (OSError, UnicodeDecodeError):
        return False
