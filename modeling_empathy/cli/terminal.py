"""How results look: tables and highlighted words on a terminal, the same as plain text elsewhere."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from ..files.input_files import find_files
from ..files.rows import read_rows
from ..model.mechanisms import ABBREVIATIONS, LEVELS
from .failures import say


# Of the terminal's own, in which black letters can be read; the words are quoted for those who tell few apart.
_STYLES = {"ER": "black on yellow", "IP": "black on bright_blue", "EX": "black on green"}
# Of a post that is shown; the file has all of it.
_LONGEST = 400


def is_terminal() -> bool:
    """Whether somebody looks at what is printed, and not a file or a program."""
    return sys.stdout is not None and sys.stdout.isatty()


def say_markdown(text: str, *, is_result: bool = False) -> None:
    """Prints Markdown of ours, as of tables: drawn on a terminal, as it is elsewhere.

    Args:
        text: Without anything that people wrote, which would be read as Markdown.
        is_result: As of [`~modeling_empathy.cli.failures.say`].
    """
    if is_terminal():
        from rich.markdown import Markdown

        text = _drawn(Markdown(text))
    say(text, is_result=is_result)


def say_scored_pairs(output_path: str, count: int, is_folder: bool) -> None:
    """Prints the first pairs of what `empathy score` wrote, with their levels and the words that show them.

    Args:
        output_path: The file, or the folder of shards.
        count: How many.
        is_folder: Which of the two it is.
    """
    [first, *_] = find_files([f"{output_path}/part-*.parquet" if is_folder else output_path])
    for row in islice(read_rows(first, lambda header, name: header), count):
        say(f"\n{_on_terminal(row.values) if is_terminal() else _as_text(row.values)}")


def _as_text(row: Mapping[str, Any]) -> str:
    lines = [str(row["id"]), f"  seeker:   {_cut(row['seeker_post'])}", f"  response: {_cut(row['response_post'])}"]
    for name, level, words in _mechanisms(row):
        lines.append(f"  {name}: {level}{''.join(f' “{word}”' for word in words)}")
    return "\n".join(lines)


def _on_terminal(row: Mapping[str, Any]) -> str:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    posts = Table(box=None, show_header=False, padding=(0, 1, 0, 0))
    posts.add_row(Text("seeker", "dim"), Text(_cut(row["seeker_post"])))
    response = Text(_cut(row["response_post"]))
    levels = Table(box=None, show_header=False, padding=(0, 2, 0, 0))
    for (code, style), (name, level, words) in zip(_styles(row), _mechanisms(row), strict=True):
        # Of what overlaps, the later colour is seen; the words stand in the table in any case.
        for span in _spans(row, code):
            response.stylize(style, span["start"], min(span["end"], len(response)))
        levels.add_row(Text(name, style), Text(level), Text("  ".join(f"“{word}”" for word in words)))
    posts.add_row(Text("response", "dim"), response)
    return _drawn(Group(Text(str(row["id"]), "bold"), posts, levels))


def _drawn(renderable: Any) -> str:
    from rich.console import Console

    # Kept and not printed, so that a closed pipe and a full disk are treated as everywhere.
    console = Console(file=sys.stdout, highlight=False)
    with console.capture() as drawn:
        console.print(renderable)
    return "\n".join(line.rstrip() for line in drawn.get().strip("\n").splitlines())


def _mechanisms(row: Mapping[str, Any]) -> list[tuple[str, str, list[str]]]:
    """Of each mechanism its name, its level with the probability, and the words."""
    names = {code: mechanism.replace("_", " ") for mechanism, code in ABBREVIATIONS.items()}
    found = []
    for code, _ in _styles(row):
        level = int(row[f"{code}_label"])
        probability = float(row[f"{code}_probability_{level}"])
        words = [_cut(span["text"]) for span in _spans(row, code)] if level else []
        found.append((names[code], f"{LEVELS[level]} ({probability:.2f})", words))
    return found


def _styles(row: Mapping[str, Any]) -> list[tuple[str, str]]:
    return [(code, style) for code, style in _STYLES.items() if f"{code}_label" in row]


def _spans(row: Mapping[str, Any], code: str) -> Sequence[Mapping[str, Any]]:
    """The rationale; nothing where it is a mask, and at level 0, where none is shown."""
    rationale = row[f"{code}_rationale"]
    spans = json.loads(rationale) if isinstance(rationale, str) else rationale
    return [span for span in spans if isinstance(span, dict)] if int(row[f"{code}_label"]) else []


def _cut(post: str) -> str:
    """A post as long as it is shown; its places stay those of the post."""
    # What moves the cursor or writes over what stands there is no part of what somebody says.
    shown = "".join(char if char.isprintable() else " " for char in post[:_LONGEST])
    return shown if len(post) <= _LONGEST else f"{shown} …"
