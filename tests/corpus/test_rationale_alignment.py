"""Alignment: quotes that were written down differently are found where they stand, and nothing else is."""

import html

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from modeling_empathy.corpus import rationale_alignment
from modeling_empathy.corpus.rationale_alignment import align_rationale, is_shortened, map_span


@pytest.mark.parametrize(
    ("rationale", "text", "expected"),
    [
        ("so sorry", "I am so sorry.", "so sorry"),
        ("  so sorry ", "I am so sorry.", "so sorry"),
        ("SO  sorry", "I am so\n sorry.", "so\n sorry"),
        ("sad & tired", "you are sad &amp; tired now", "sad &amp; tired"),
        ("sad &amp; tired", "you are sad & tired now", "sad & tired"),
        ("sad tired", "you are sad&#x200B;tired now", "sad&#x200B;tired"),
        ("> me too", "&gt; me too", "&gt; me too"),
        ("STRASSE", "die Straße dort", "Straße"),
        ("I'm here.You are", "I'm here. You are", "I'm here. You are"),
        ("me\xa0too", "me too", "me too"),
        ("AT&T", "at&t and &notanentity;", "at&t"),
        ("FRIENDS", "love&friends; here", "friends"),
        ("S", "ß s", "s"),
        ("so &#x200B; sad", "so &amp;#x200B; sad", "so &amp;#x200B; sad"),
        ("sorry &#x200B;", "so sorry &#x200B; now", "sorry"),
        ("amp", "&amp; an amp", "amp"),
        ("sad &amp", "you are sad &amp; tired", "sad &amp;"),
        ("us on this have", "All of us on this subreddit have cried", "us on this subreddit have"),
        ("browsing s Like this", "I am browsing subreddits like this", "browsing subreddits like this"),
    ],
)
def test_quotes_are_found_as_they_stand_in_the_text(rationale, text, expected):
    start, end = align_rationale(rationale, text)
    assert text[start:end] == expected


@pytest.mark.parametrize("rationale", ["", "   ", "&#x200B;", "im sorry your hurting", "sorry reddit", "amp", ";I'm"])
def test_what_is_not_in_the_text_is_not_found(rationale):
    assert align_rationale(rationale, "I'm sorry you're hurting. &amp; &#x200B;") is None


def test_the_first_free_occurrence_is_meant():
    text = "I'm sorry. Really, I'm sorry."
    first = align_rationale("I'm sorry", text)
    second = align_rationale("I'm sorry", text, [first])
    assert (first, second) == ((0, 9), (19, 28))
    assert align_rationale("I'm sorry", text, [first, second]) == first
    assert align_rationale("i'm  sorry", text, [first]) == second, "folded quotes likewise"


def test_of_a_response_with_many_rationales_each_character_is_looked_at_once(monkeypatch):
    text = " ".join(f"word{number} &amp; reddit" for number in range(1000))
    looked_at = []
    units = rationale_alignment._units
    monkeypatch.setattr(rationale_alignment, "_units", lambda part: looked_at.append(part) or units(part))
    spans = [align_rationale(f"WORD{number} & REDDIT", text) for number in range(800)]
    assert [text[slice(*span)] for span in spans] == [f"word{number} &amp; reddit" for number in range(800)]
    assert [align_rationale(f"word{number} & word{number + 1}", text) is None for number in range(800)] == [
        False
    ] * 800
    assert 0 < looked_at.count(text) <= 2, "once folded, once for its entities"


WORDS = st.lists(
    st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Zs", "Zl", "Zp", "Cc", "Cf")), min_size=1),
    min_size=3,
    max_size=8,
)


def folded(text: str) -> str:
    return "".join(html.unescape(text).casefold().split())


@given(WORDS, st.data())
@settings(max_examples=200, deadline=None)
def test_a_disturbed_quote_is_found_again(words, data):
    words = [word for word in words if folded(word)]
    assume(words)
    first = data.draw(st.integers(0, len(words) - 1))
    last = data.draw(st.integers(first, len(words) - 1))
    quoted = words[first : last + 1]
    spaces = st.sampled_from([" ", "  ", "\n", "\t ", "\xa0"])
    text = "".join(word + data.draw(spaces) for word in words)
    if data.draw(st.booleans()):
        text = html.escape(text)
    disturbed = "".join(word + data.draw(spaces) for word in quoted)
    if data.draw(st.booleans()):
        disturbed = html.escape(disturbed)
    if data.draw(st.booleans()):
        disturbed = disturbed.casefold()
    assume("&" not in "".join(words))  # what looks like an entity may be one
    start, end = align_rationale(disturbed, text)
    assert folded(text[start:end]) == folded(disturbed)
    assert text[start:end] == text[start:end].strip()


UNITS = st.lists(st.sampled_from(["a", "A", "b", "ß", "s", "S", " ", "\n", "&amp;", "&lt;", "&LT;", "<"]), max_size=9)


def found_by_brute_force(quote: str, units: list[str]) -> str | None:
    """The first run of whole units that reads as the quote, after the first that is the quote."""
    runs = [units[start:end] for start in range(len(units)) for end in range(start + 1, len(units) + 1)]
    texts = ["".join(run) for run in runs if not (run[0] + run[-1]).isspace()]
    texts = [text for text in texts if text == text.strip()]
    alike = [text for text in texts if text == quote] or [text for text in texts if folded(text) == folded(quote)]
    return alike[0] if alike else None


@given(UNITS, UNITS)
@settings(max_examples=500, deadline=None)
def test_what_is_found_is_what_brute_force_finds(quote_units, units):
    quote, text = "".join(quote_units).strip(), "".join(units)
    assume(quote)
    span = align_rationale(quote, text)
    assert (None if span is None else text[slice(*span)]) == found_by_brute_force(quote, units)


@pytest.mark.parametrize(
    ("quote", "from_text", "to_text", "expected"),
    [
        ("so sorry", "I am so sorry.", "I  am so\nsorry.", "so\nsorry"),
        ("welcome to the", "Hi, welcome to the.", "Hi, welcome to the reddit.", "welcome to the"),
        ("to the , friend", "welcome to the , friend", "welcome to the reddit , friend", "to the reddit , friend"),
        ("friend", "welcome to , friend", "welcome to reddit, my  friend", "friend"),
        ("browsing s", "browsing s like", "browsing  subreddits like", "browsing  subreddits"),
        ("ing with us", "for ing with us", "for redditing with us", "redditing with us"),
        ("here.You", "I am here.You too", "I am here.  You reddit too", "here.  You"),
        ("the same", "the same", "the same", "the same"),
    ],
)
def test_a_span_is_carried_to_the_fuller_copy(quote, from_text, to_text, expected):
    start = from_text.index(quote)
    carried = map_span((start, start + len(quote)), from_text, to_text)
    assert to_text[carried[0] : carried[1]] == expected


def test_a_span_without_counterpart_is_not_carried():
    assert map_span((0, 3), "abc def", "xyz def") is None


@given(WORDS, st.data())
@settings(max_examples=100, deadline=None)
def test_carrying_over_white_space_keeps_the_words(words, data):
    spaces = st.sampled_from([" ", "  ", " \n"])
    from_text = "".join(word + data.draw(spaces) for word in words)
    to_text = "".join(word + data.draw(spaces) for word in words)
    start = data.draw(st.integers(0, len(words) - 1))
    begin = from_text.index(words[start])
    carried = map_span((begin, begin + len(words[start])), from_text, to_text)
    assert "".join(to_text[carried[0] : carried[1]].split()) == "".join(words[start].split())


@pytest.mark.parametrize(
    ("shorter", "fuller", "expected"),
    [
        ("a b", "a  b", True),
        ("a b", "a reddit b", True),
        ("ask r/ about it", "ask r/reddit about it", True),
        ("here.You, too", "here.  You reddit, too", True),
        ("no", "I do not know", False),
        ("a c", "a b", False),
        ("b a", "a b", False),
    ],
)
def test_what_counts_as_a_shortened_copy(shorter, fuller, expected):
    assert is_shortened(shorter, fuller) is expected
