"""A response in parts: marked where the rationales are, and nothing lost between them."""

from hypothesis import given
from hypothesis import strategies as st

from modeling_empathy.evaluation.highlights import Part, parts_of


def test_the_parts_are_the_text():
    text = "Oh no. I'm so sorry, that must hurt."
    spans = [{"start": 7, "end": 20}, {"start": 21, "end": 36}]
    parts = parts_of(text, spans)
    assert "".join(part.text for part in parts) == text
    assert [part.text for part in parts if part.is_marked] == ["I'm so sorry,", "that must hurt."]
    assert parts_of(text, []) == [Part(text, False)]
    assert parts_of("Why?", [{"start": 0, "end": 4}]) == [Part("Why?", True)]


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_parts_are_the_text_and_marked_where_a_span_is(text, ends):
    spans = [{"start": min(pair), "end": min(max(pair), len(text))} for pair in ends if min(pair) < len(text)]
    found = parts_of(text, spans)
    assert "".join(part.text for part in found) == text
    marks = [part.is_marked for part in found for _ in part.text]
    expected = [any(span["start"] <= place < span["end"] for span in spans) for place in range(len(text))]
    assert marks == expected
