"""Texts from the templates of a room."""

from __future__ import annotations

import jinja2


def templates_of(room: str, autoescape: bool = False) -> jinja2.Environment:
    """The templates in a room's folder `templates`.

    Args:
        room: Its module, as `modeling_empathy.hub`.
        autoescape: Whether values are escaped for HTML; Markdown would show that as `&amp;`.
    """
    return jinja2.Environment(
        loader=jinja2.PackageLoader(room),
        # A name that is missing is an error, and not an empty place.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=autoescape,
    )
