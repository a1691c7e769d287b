"""Texts in pieces, marked where rationales are."""

from hypothesis import given
from hypothesis import strategies as st

from modeling_empathy.evaluation.mistakes import pieces


@given(st.text(max_size=30), st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), max_size=5))
def test_pieces_are_the_text_and_marked_where_a_span_is(text, ends):
    spans = [{"start": min(pair), "end": min(max(pair), len(text))} for pair in ends if min(pair) < len(text)]
    found = pieces(text, spans)
    assert "".join(piece.text for piece in found) == text
    marks = [piece.is_marked for piece in found for _ in piece.text]
    expected = [any(span["start"] <= place < span["end"] for span in spans) for place in range(len(text))]
    assert marks == expected
