"""Small corpus files in the published format."""

import csv
from collections.abc import Iterable
from pathlib import Path


HEADER = ("sp_id", "rp_id", "seeker_post", "response_post", "level", "rationales")


def write_csv(path: Path, rows: Iterable[Iterable[object]], header: Iterable[str] = HEADER) -> Path:
    """Writes rows under a header, quoted where needed, with the published files' line endings."""
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])
    return path


def write_corpus(folder: Path, pairs: int = 40) -> Path:
    """Writes the three files with the same pairs; the wording shows the level, and a part of it is the rationale."""
    for mechanism, quote in (
        ("emotional-reactions", "I am so sorry"),
        ("interpretations", "that sounds hard"),
        ("explorations", "What happened?"),
    ):
        rows = []
        for index in range(pairs):
            level = index % 3
            shown = f"I am so sorry, that sounds hard. What happened? ({index})"
            response = (f"Drink some water and go to bed ({index})", shown, f"{shown} Tell me, tell me!")[level]
            rows.append(
                (f"s{index}", f"r{index}", f"I feel low {index}", response, level, f"{quote}|" if level else "")
            )
        write_csv(folder / f"{mechanism}-test.csv", rows)
    return folder
