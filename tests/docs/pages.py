"""The pages of the documentation as tests read them: blocks of code, headings and links."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
# Beside the pages, what else is written for readers in Markdown.
DOCUMENTS = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", ROOT / "benchmarks" / "README.md"]
_FENCE = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+?) -->\n)?"
    r"^(?P<indent> *)```(?P<language>\w*)(?: title=\"(?P<title>[^\"]+)\")?\n"
    r"(?P<code>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    Attributes:
        page: Whose it is.
        line: Of the page, from 1.
        language: What stands behind the fence.
        code: Without the fences.
        title: The name of the file that it is; None where it is none.
        reason: Why it is not run; None where it is.
        follows: Whether nothing but an empty line is between the block before and this one.
    """

    page: Path
    line: int
    language: str
    code: str
    title: str | None
    reason: str | None
    follows: bool


def blocks(page: Path) -> list[Block]:
    """The fenced blocks of a page, in order."""
    text, found, end = page.read_text(encoding="utf-8"), [], 0
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("indent")) + 1
        follows = bool(found) and not text[end : match.start()].strip()
        code = re.sub(rf"(?m)^{match['indent']}", "", match["code"])
        found.append(Block(page, line, match["language"], code, match["title"], match["reason"], follows))
        end = match.end()
    return found


def links(page: Path) -> Iterator[str]:
    """The targets of a page's links and pictures, those in code left out."""
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))
    yield from re.findall(r"\]\(([^)\s]+)\)", re.sub(r"`[^`\n]+`", "", text))


def anchors(page: Path) -> set[str]:
    """What the headings of a page are called in a link, as mkdocs and GitHub make them."""
    text = re.sub(r"(?ms)^ *```.*?^ *```$", "", page.read_text(encoding="utf-8"))
    return {_anchor(heading) for heading in re.findall(r"(?m)^#+ (.+)$", text)}


def _anchor(heading: str) -> str:
    plain = unicodedata.normalize("NFKD", heading).encode("ascii", "ignore").decode()
    return re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", plain).strip().lower())
