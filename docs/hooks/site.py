"""What mkdocs can't do by itself: cards of the repository as pages, generated parts, links that leave `docs/`."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

from docs.hooks.command_line import command_line_page


ROOT = Path(__file__).parents[2]

# Documents that live beside what they describe, and the pages of the site that show them.
CARDS = {
    "SECURITY.md": "explanation/security.md",
    "CHANGELOG.md": "changelog.md",
    "benchmarks/README.md": "how-to/benchmarks.md",
    "dataset_scripts/sample/README.md": "cards/sample.md",
    "dataset_scripts/contrast/README.md": "cards/contrast.md",
    "modeling_empathy/pretrained/README.md": "cards/model.md",
}
_COMMANDS = "<!-- commands -->"
_FRONT_MATTER = re.compile(r"\A---\n.*?\n---\n", re.DOTALL)
_LINK = re.compile(r"(?<!!)\[([^\]]+)\]\(([^)\s]+)\)")
_TABLE = re.compile(r"<!-- table: .+? -->\n(.*?)\n<!-- end of table -->", re.DOTALL)
_EXCUSE = re.compile(r"^<!-- not run: (.+) -->$", re.MULTILINE)


def on_files(files: Any, config: Any) -> Any:
    """Adds the cards as pages."""
    from mkdocs.structure.files import File

    for source, page in CARDS.items():
        text = _FRONT_MATTER.sub("", (ROOT / source).read_text(encoding="utf-8"))
        files.append(File.generated(config, page, content=text))
    return files


def on_page_markdown(markdown: str, page: Any, config: Any, files: Any) -> str:
    """Fills in what is generated, and shows what the repository's reader sees in its source."""
    uri = page.file.src_uri
    markdown = with_links_of_site(markdown, uri)
    if _COMMANDS in markdown:
        markdown = markdown.replace(_COMMANDS, command_line_page())
    # A class by which figures and their intervals stay on one line.
    markdown = _TABLE.sub(r'<div class="figures" markdown>\n\1\n</div>', markdown)
    return _EXCUSE.sub(r'<p class="not-run">Not run by the tests (\1).</p>', markdown)


def with_links_of_site(markdown: str, page: str) -> str:
    """Links as the site needs them: those to documents of the repository lead to their pages, others become text.

    Args:
        markdown: Of a page.
        page: Where it is in the site's sources, as `how-to/train.md`.
    """
    source = {target: source for source, target in CARDS.items()}.get(page, f"docs/{page}")

    def link(match: re.Match[str]) -> str:
        text, target = match.groups()
        path, hash_mark, anchor = target.partition("#")
        if not path or "://" in path or path.startswith("mailto:"):
            return match[0]
        named = posixpath.normpath(posixpath.join(posixpath.dirname(source), path))
        shown = CARDS.get(named) or (named.removeprefix("docs/") if named.startswith("docs/") else None)
        if shown is None:
            return f"{text} (`{named}`)" if named not in text else text
        return f"[{text}]({posixpath.relpath(shown, posixpath.dirname(page) or '.')}{hash_mark}{anchor})"

    # Code is left as it is.
    parts = re.split(r"(^```.*?^```$)", markdown, flags=re.MULTILINE | re.DOTALL)
    return "".join(part if part.startswith("```") else _LINK.sub(link, part) for part in parts)
