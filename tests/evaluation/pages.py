"""Predictions made up by hand, and a page as its readers have it."""

from html.parser import HTMLParser
from typing import Any

import datasets

from modeling_empathy.evaluation.post_lengths import PostLengths
from modeling_empathy.evaluation.run_page import Run


MECHANISM = "explorations"
_VOID = {"meta", "br", "path", "use", "rect", "line", "polygon", "clippath", "stop"}


class Page(HTMLParser):
    """The tags of a page with their attributes, and its text without that of figures and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.text += " "
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag, f"</{tag}> closes something else"

    def handle_data(self, data: str) -> None:
        if not {"svg", "style"} & set(self.open):
            self.text += data

    @property
    def words(self) -> str:
        """The text with single blanks."""
        return " ".join(self.text.split())


def row(number: int, annotated: int, level: int, score: float = 0.6, **more: Any) -> dict[str, Any]:
    """A pair of one mechanism; its response has three tokens, of which the first is annotated where a level is."""
    rest = (1 - score) / 2
    probabilities = [rest] * 3
    probabilities[level] = score
    response = more.pop("response_post", f"What happened to you then? ({number})")
    spans, marked = more.pop("spans", [(0, 13)] if annotated else []), more.pop("marked", [(0, 13)] if level else [])
    result = {
        "annotated_level": annotated,
        "annotated_rationales": [{"start": start, "end": end} for start, end in spans],
        "level": level,
        "label": ("no", "weak", "strong")[level],
        "score": score,
        "level_probabilities": probabilities,
        "rationales": [{"start": s, "end": e, "text": response[s:e], "score": 0.9} for s, e in marked],
        "token_mask": [int(bool(marked)), 0, 0],
        "token_scores": [0.9, 0.2, 0.1],
        "unit_scores": [0.9, 0.2, 0.1],
        "token_labels": [int(bool(spans)), 0, 0],
    }
    texts = {"sp_id": f"s{number // 2}", "rp_id": f"r{number}", "seeker_post": f"I feel lost ({number}).", **more}
    return {**texts, "response_post": response, MECHANISM: result}


def good_rows(pairs: int = 240) -> list[dict[str, Any]]:
    """Of ten levels nine are right."""
    return [row(n, n % 3, n % 3 if n % 10 else (n + 1) % 3, score=0.85) for n in range(pairs)]


def run_of(rows: list[dict[str, Any]], **more: Any) -> Run:
    """An evaluation of these rows."""
    counts = [20] * len(rows)
    values = {
        "kind": "evaluation",
        "about": {"model": "a model", "data": "made-up pairs"},
        "mechanisms": [MECHANISM],
        "predictions": datasets.Dataset.from_list(rows),
        "lengths": PostLengths({"seeker_post": counts, "response_post": counts}, 64, 0),
    }
    return Run(**{**values, **more})
