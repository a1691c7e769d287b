"""Cards for the Hub from templates of this package: metadata on top, then Markdown."""

from __future__ import annotations

from typing import Any

import jinja2
from huggingface_hub import CardData


CARD = "README.md"

_TEMPLATES = jinja2.Environment(
    loader=jinja2.PackageLoader("modeling_empathy.hub"),
    # A name that is missing is an error, and not an empty place in a card.
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
    # It is Markdown: escaping for HTML would show as `&amp;`.
    autoescape=False,
)


def render_card(template: str, metadata: CardData, **values: Any) -> str:
    """Fills in a template of `templates/`.

    Args:
        template: Its name.
        metadata: What the Hub reads.
        **values: What the template names.
    """
    body = _TEMPLATES.get_template(template).render(**values)
    return f"---\n{metadata.to_yaml()}\n---\n\n{body.lstrip()}"


def _code(text: object) -> str:
    """Text that means itself in a table of Markdown, whatever stands in it."""
    shown = " ".join(str(text).split()).replace("`", "'").replace("|", "\\|")
    return f"`{shown}`" if shown else "none"


_TEMPLATES.filters.update(words=lambda name: name.replace("_", " "), code=_code)
