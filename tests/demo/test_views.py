"""What the page shows: every text escaped, the words as text, what changed, what the model is unsure of."""

import re
from html.parser import HTMLParser

from modeling_empathy.demo.explanations import meaning_of
from modeling_empathy.demo.limits import Limits
from modeling_empathy.demo.views import ROWS_SHOWN, foot_html, head_html, result_html, table_html
from modeling_empathy.model.mechanisms import LEVELS, MECHANISMS


HOSTILE = "<script>alert(1)</script><img src=x onerror=alert(2)> ${alert(3)} {{ 7 * 7 }} \"'&amp;"


class _Read(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)

    def handle_data(self, data):
        self.text += data


def result(response: str, level: int | None = 1, score: float = 0.7) -> dict:
    """A result whose rationale is the whole response."""
    span = {"start": 0, "end": len(response), "text": response, "score": 0.9}
    of_each = {
        "level": level,
        "label": None if level is None else LEVELS[level],
        "score": score,
        "rationales": [span] if level else [],
        "scores": {"no": 0.1, "weak": score, "strong": 0.2},
    }
    return {**dict.fromkeys(MECHANISMS, of_each), "truncated": {"seeker_post": False, "response_post": True}}


def test_a_response_is_shown_and_never_run():
    read = _Read(result_html([HOSTILE], [result(HOSTILE)], MECHANISMS))
    assert not {"script", "img"} & set(read.tags) and read.tags.count("mark") == len(MECHANISMS)
    # Highlighted, and once more in words, for who does not see colours.
    assert read.text.count(HOSTILE) == 2 * len(MECHANISMS)
    assert read.text.count("weak") >= 3 and "0.70" in read.text
    assert "The response is longer than the model reads" in read.text
    assert meaning_of("explorations", "weak") in read.text


def test_a_table_shows_and_never_runs_what_is_in_a_file():
    html = table_html(f"{HOSTILE}.csv", [(HOSTILE,) * 3] * 60, [result(HOSTILE, score=0.4)] * 60, MECHANISMS, 0.5)
    read = _Read(html)
    assert not {"script", "img"} & set(read.tags)
    assert read.tags.count("tr") == 1 + ROWS_SHOWN and "60 pairs of" in read.text and "first 50" in read.text
    assert read.text.count("unsure") == 3 * ROWS_SHOWN


def test_what_changed_is_said():
    html = result_html(["Why?", "How?"], [result("Why?", 1), result("How?", 2)], MECHANISMS)
    text = re.sub(r"\s+", " ", _Read(html).text)
    assert "Explorations: weak → strong" in text and "Before" in text and "After" in text
    html = result_html(["Why?", "How?"], [result("Why?"), result("How?", None)], MECHANISMS)
    assert "weak → unsure" in _Read(html).text
    assert "still weak" in _Read(result_html(["a", "b"], [result("a"), result("b")], MECHANISMS)).text


def test_what_the_model_is_unsure_of_it_says():
    text = re.sub(r"\s+", " ", _Read(result_html(["Why?"], [result("Why?", None, 0.45)], MECHANISMS)).text)
    assert "unsure most probable: weak 0.45" in text and "No words are marked" in text


def test_the_page_says_what_it_is_not_and_what_is_kept():
    head, foot = _Read(head_html()).text, _Read(foot_html("<b>model</b>", True, Limits())).text
    assert "no diagnosis" in head and "no crisis service" in head and "findahelpline.com" in head
    assert "emergency number" in head
    assert "stored or logged" in foot and "10 minutes" in foot and "non-profit academic" in foot
    assert "<b>model</b>" in foot and "its card says" in _Read(foot_html("me/model", False, Limits())).text
