"""Cross-references of docstrings, as in [`~modeling_empathy.errors.InputError`], as links of the site."""

from __future__ import annotations

import re
from typing import Any

import griffe


_REFERENCE = re.compile(r"\[`(~?)([A-Za-z_][\w.]*)`\](?![\[(])")


class DocstringLinks(griffe.Extension):
    """Turns references into links where the site documents what they name, and into code where it does not."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Is called by griffe for every module, class, function and attribute."""
        if obj.docstring is not None:
            obj.docstring.value = linked(obj.docstring.value, obj)


def linked(text: str, obj: griffe.Object) -> str:
    """A docstring whose references are links that may lead nowhere, as mkdocs-autorefs knows them."""

    def link(match: re.Match[str]) -> str:
        is_short, name = bool(match[1]), match[2]
        shown = name.rpartition(".")[2] if is_short else name
        # A name without its module is one of the same module.
        path = name if "." in name else f"{obj.module.path}.{name}"
        return f'<autoref optional identifier="{path}"><code>{shown}</code></autoref>'

    return _REFERENCE.sub(link, text)
