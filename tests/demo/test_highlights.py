"""A response in parts: marked where the rationales are, and nothing lost between them."""

from modeling_empathy.demo.highlights import Part, parts_of


def test_the_parts_are_the_text():
    text = "Oh no. I'm so sorry, that must hurt."
    spans = [{"start": 7, "end": 20}, {"start": 21, "end": 36}]
    parts = parts_of(text, spans)
    assert "".join(part.text for part in parts) == text
    assert [part.text for part in parts if part.is_marked] == ["I'm so sorry,", "that must hurt."]
    assert parts_of(text, []) == [Part(text, False)]
    assert parts_of("Why?", [{"start": 0, "end": 4}]) == [Part("Why?", True)]
