"""The report of a run, for who may publish the texts in it: a page that loads nothing and runs nothing."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

from ..errors import InputError
from ..files.pages import is_page
from .publishable import check_plain, printable


# What none of our pages has: it would run, load, or send something where the page is opened.
_TAGS = {"script", "iframe", "frame", "object", "embed", "link", "base", "form", "img", "audio", "video", "source"}
_ADDRESSES = {"src", "srcset", "href", "xlink:href", "action", "formaction", "poster", "data", "background"}
_LOADED_BY_STYLE = re.compile(r"@import|url\((?!\s*['\"]?#)", re.IGNORECASE)


def copy_report(source: Path, target: Path) -> None:
    """Copies a report to where it is published from.

    Raises:
        InputError: If it is a link or no page of this package, or somebody put into it what runs or loads something.
    """
    check_plain(source)
    if not is_page(source):
        raise InputError(f"{printable(source)} is no report of this package: remove it to publish without it.")
    found = _Found()
    found.feed(source.read_text(encoding="utf-8"))
    if found.what:
        raise InputError(
            f"{printable(source)} holds {printable(found.what[0])}, which no report of this package does: remove it "
            "to publish without it."
        )
    shutil.copyfile(source, target)


class _Found(HTMLParser):
    """What a page holds that would run or load something."""

    def __init__(self) -> None:
        super().__init__()
        self.what: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in _TAGS or (tag == "meta" and any(name == "http-equiv" for name, _ in attrs)):
            self.what.append(f"<{tag}>")
        for name, value in attrs:
            is_elsewhere = name in _ADDRESSES and not (value or "").startswith("#")
            if (
                name.startswith("on")
                or is_elsewhere
                or _LOADED_BY_STYLE.search(value or "" if name == "style" else "")
            ):
                self.what.append(f"{name}={value!r}"[:80])

    def handle_data(self, data: str) -> None:
        # Of a style sheet, and of a text that speaks of one: to refuse the latter costs little.
        if self.lasttag == "style" and _LOADED_BY_STYLE.search(data):
            self.what.append("a style that loads something")
