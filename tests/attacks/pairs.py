"""Attacks on the pipeline and the engine by what is no pair, no option or no result; each on both of them."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pandas as pd
import pytest
import torch

from modeling_empathy import EmpathyPipeline, ScoringEngine
from modeling_empathy.model.modeling_empathy import EmpathyModel
from tests.attacks.attempts import Attack
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


PAIR = ("I feel alone.", "I am so sorry. What happened?")
OTHER = ("I failed.", "Why?")
PAIRS = [PAIR, OTHER]
ROWS = [dict(zip(("seeker_post", "response_post"), pair, strict=True)) for pair in PAIRS]
COLUMNS = {name: [row[name] for row in ROWS] for name in ROWS[0]}
TABLE = pd.DataFrame(COLUMNS)


@cache
def scorers() -> dict[str, Callable[..., Any]]:
    """The pipeline and the engine of one model."""
    pipeline = EmpathyPipeline(model=tiny_model("bert", max_post_length=24), tokenizer=wordpiece_tokenizer())
    return {"pipeline": pipeline, "engine": ScoringEngine.of_model(pipeline.model, pipeline.tokenizer)}


def same(name: str, pairs: Callable[[], Any]) -> Attack:
    """Both interfaces give for `pairs`, which means the two of `PAIRS`, what they give for these."""

    def attempt(folder: Path) -> None:
        for scorer in scorers().values():
            expected = list(scorer(PAIRS))
            assert len(expected) == 2 and expected[0] != expected[1]
            assert list(scorer(pairs())) == expected

    return Attack(name, attempt)


def no_pair(name: str, pairs: Callable[[], Any], says: str) -> Attack:
    """Both interfaces refuse `pairs`; the message matches."""

    def attempt(folder: Path) -> None:
        for which, scorer in scorers().items():
            with pytest.raises(ValueError, match=says):
                results = scorer(pairs())
                # A generator's results come one by one; of all else the call itself must refuse.
                assert which == "engine" or isinstance(results, Iterator), "scored"
                list(results)

    return Attack(name, attempt)


def no_option(says: str, **options: Any) -> Attack:
    """Both interfaces refuse the options at the call, before they read a pair of a generator."""

    def attempt(folder: Path) -> None:
        for scorer in scorers().values():
            read: list[Any] = []
            with pytest.raises(ValueError, match=re.escape(says)):
                scorer((read.append(pair) or pair for pair in PAIRS), **options)
            assert not read

    shown = ", ".join(f"{name}={value!r}" for name, value in options.items())
    return Attack(f"{shown}, a {' and a '.join(type(value).__name__ for value in options.values())}", attempt)


def as_good(expected: dict[str, Any], **options: Any) -> Attack:
    """Both interfaces take the options as they take others."""

    def attempt(folder: Path) -> None:
        for scorer in scorers().values():
            assert list(scorer(PAIRS, **options)) == list(scorer(PAIRS, **expected))

    return Attack(f"{options!r}, as good as {expected!r}", attempt)


def not_a_number(name: str, damage: Callable[[EmpathyModel], object], pairs: Any, says: str) -> Attack:
    """Both interfaces refuse to score with a model to which something was done."""

    def attempt(folder: Path) -> None:
        model, tokenizer = tiny_model("bert", max_post_length=24), wordpiece_tokenizer()
        with torch.no_grad():
            damage(model)
        for scorer in (EmpathyPipeline(model=model, tokenizer=tokenizer), ScoringEngine.of_model(model, tokenizer)):
            with pytest.raises(ValueError, match=f"no numbers.*{says}.*half precision"):
                list(scorer(pairs))

    return Attack(name, attempt)


def first_word_is_nan(model: EmpathyModel) -> None:
    """Damages what only a response with the word "Why" reads."""
    word = wordpiece_tokenizer().convert_tokens_to_ids("why")
    assert word != wordpiece_tokenizer().unk_token_id
    model.responder_encoders[0].get_input_embeddings().weight[word] = math.nan


def rationales_are_nan(model: EmpathyModel) -> None:
    """Has a mechanism give rationales that are NaN, and levels that are numbers."""
    head = model.mechanism_heads["emotional_reactions"]
    head.rationale.bias.fill_(math.nan)
    head.register_forward_hook(lambda module, inputs, output: (output[0].nan_to_num(), output[1]))


def one_before_an_error() -> Iterator[tuple[str, str]]:
    yield PAIR
    raise OSError("the line went dead")


def an_error_behind_a_pair(folder: Path) -> None:
    for scorer in scorers().values():
        results = scorer(one_before_an_error())
        assert next(results) == next(iter(scorer([PAIR])))
        with pytest.raises(OSError, match=r"^the line went dead$"):
            next(results)


def a_bad_pair_behind_good_ones(folder: Path) -> None:
    for scorer in scorers().values():
        results = scorer(iter([*PAIRS, ("a", None), PAIR]))
        assert [next(results), next(results)] == list(scorer(PAIRS))
        with pytest.raises(ValueError, match="Pair 2 "):
            next(results)


def a_generator_that_is_given_up(folder: Path) -> None:
    for scorer in scorers().values():
        results = scorer(pair for pair in PAIRS * 3)
        first = next(results)
        results.close()
        assert first == next(scorer(pair for pair in PAIRS * 3))
        assert torch.is_grad_enabled() and not torch.is_inference_mode_enabled()


def a_list_changed_while_it_is_scored(folder: Path) -> None:
    for scorer in scorers().values():
        given = list(PAIRS)
        results = scorer(given)
        given.clear()
        assert list(results) == list(scorer(PAIRS))


def a_tokenizer_of_somebody(folder: Path) -> None:
    """What a user has set on a tokenizer counts for nothing here, and stays."""
    tokenizer = wordpiece_tokenizer()
    tokenizer.backend_tokenizer.enable_truncation(4)
    tokenizer.backend_tokenizer.enable_padding(length=9)
    before = tokenizer.backend_tokenizer.to_str()
    pipeline = EmpathyPipeline(model=scorers()["pipeline"].model, tokenizer=tokenizer)
    engine = ScoringEngine.of_model(pipeline.model, tokenizer)
    for scorer, plain in zip((pipeline, engine), scorers().values(), strict=True):
        for options in ({}, {"stride": 2}, {"max_length": 9}):
            assert list(scorer(PAIRS, **options)) == list(plain(PAIRS, **options))
        assert tokenizer.backend_tokenizer.to_str() == before


def tokens_per_batch_of(value: Any) -> Attack:
    """An engine is not built with it."""

    def attempt(folder: Path) -> None:
        pipeline = scorers()["pipeline"]
        with pytest.raises(ValueError, match="tokens_per_batch="):
            ScoringEngine.of_model(pipeline.model, pipeline.tokenizer, tokens_per_batch=value)

    return Attack(f"tokens_per_batch={value!r}", attempt)


def batch_size_of(value: Any) -> Attack:
    """The pipeline is not called with it."""

    def attempt(folder: Path) -> None:
        for pairs in (PAIRS, iter(PAIRS)):
            with pytest.raises(ValueError, match="batch_size="):
                scorers()["pipeline"](pairs, batch_size=value)

    return Attack(f"batch_size={value!r}", attempt)


ATTACKS: list[Attack] = [
    same("dicts", lambda: ROWS),
    same("dicts with further keys, the posts last", lambda: [{"id": 1, "text": "x", **row} for row in ROWS]),
    same("records of a data frame", lambda: TABLE.to_dict("records")),
    same("a data frame", lambda: TABLE.assign(id=[1, 2])),
    same("a data frame whose index begins elsewhere", lambda: TABLE.set_index(pd.Index([7, 3]))),
    same("columns in a dict", lambda: {**COLUMNS, "id": [1, 2]}),
    same("columns that are tuples", lambda: {name: tuple(column) for name, column in COLUMNS.items()}),
    same("columns that are generators", lambda: {name: iter(column) for name, column in COLUMNS.items()}),
    same("columns of a data frame", lambda: {name: TABLE[name] for name in COLUMNS}),
    same("columns of a data set", lambda: {name: datasets.Dataset.from_dict(COLUMNS)[name] for name in COLUMNS}),
    same("a data set", lambda: datasets.Dataset.from_dict(COLUMNS)),
    same("a data set that streams", lambda: datasets.Dataset.from_dict(COLUMNS).to_iterable_dataset()),
    same("a data set of torch", lambda: torch.utils.data.Subset(ROWS, [0, 1])),
    same("a tuple of pairs", lambda: tuple(PAIRS)),
    same("lists for pairs", lambda: [list(pair) for pair in PAIRS]),
    same("texts of numpy", lambda: [tuple(map(np.str_, pair)) for pair in PAIRS]),
    same("a generator of dicts", lambda: (row for row in ROWS)),
    same("a generator of every form", lambda: iter([PAIR, ROWS[1]])),
    no_pair("a lone text", lambda: "I am so sorry.", "A pair is a dict.*got str: 'I am so sorry.'"),
    no_pair("a text of two characters", lambda: "ab", "got str: 'ab'"),
    no_pair("two texts of two characters, as pairs", lambda: iter(["ab", "cd"]), r"Pair 0 .counting.*str: 'ab'"),
    no_pair("bytes", lambda: b"ab", "got bytes"),
    no_pair("nothing", lambda: None, "got NoneType"),
    no_pair("a number", lambda: 3, "got int: '3'"),
    no_pair("a pair of three", lambda: [PAIR, (*PAIR, "c")], "Pair 1 .*got tuple"),
    no_pair("three texts", lambda: ("a", "b", "c"), "got tuple"),
    no_pair("a list with a text among pairs", lambda: [PAIR, OTHER, "oops"], "Pair 2 .*got str: 'oops'"),
    no_pair("an id and a pair, as itertuples gives", lambda: TABLE.itertuples(), "Pair 0 .*got Pandas"),
    no_pair("numbers and rows, as iterrows gives", lambda: TABLE.iterrows(), "Pair 0 .*not a string but int: '0'"),
    no_pair("a row that is missing in a data frame", lambda: TABLE.shift(1), "Pair 0 .*seeker_post.*float: 'nan'"),
    no_pair("a row without a response", lambda: [ROWS[0], {"seeker_post": "a"}], "Pair 1 .*lacks response_post"),
    no_pair("a data frame without responses", lambda: TABLE[["seeker_post"]], "has .'seeker_post'"),
    no_pair("a data frame with responses twice", lambda: pd.concat([TABLE, TABLE], axis=1), "one column for each"),
    no_pair("a dict of splits", lambda: {"train": datasets.Dataset.from_dict(COLUMNS)}, "lacks seeker_post.*'train'"),
    no_pair("columns of two lengths", lambda: {**COLUMNS, "response_post": ["a"]}, "2 seeker posts and 1 responses"),
    no_pair(
        "generators of two lengths",
        lambda: {"seeker_post": iter("ab"), "response_post": iter("c")},
        "Pair 1 .*no response_post",
    ),
    no_pair("a column with None", lambda: {**COLUMNS, "response_post": ["a", None]}, "Pair 1 .*response.*NoneType"),
    no_pair("a text and a column", lambda: {"seeker_post": "a", "response_post": ["b"]}, "not a string but list"),
    no_pair("an empty response", lambda: [PAIR, ("a", "")], "Pair 1 .*response_post of a pair is blank"),
    no_pair("a seeker post of white space", lambda: [(" \n\u00a0", "b")], "Pair 0 .*seeker_post of a pair is blank"),
    no_pair("half of a surrogate pair", lambda: [PAIR, ("a", "b\ud83d")], r"Pair 1 .*UTF-8.*'b\\ud83d'"),
    no_pair("half of a surrogate pair in a generator", lambda: iter([("\udfff", "b")]), "Pair 0 .*seeker_post.*UTF-8"),
    no_pair("a matrix", lambda: np.zeros((2, 2)), "Pair 0 .*got ndarray"),
    no_pair("a very long text", lambda: "a" * 10**6, "got str: 'a{80}…'"),
    no_option("threshold=nan", threshold=math.nan),
    no_option("threshold='0.5'", threshold="0.5"),
    no_option("threshold=True", threshold=True),
    no_option("threshold=1.01", threshold=1.01),
    no_option("threshold=[0.5, 0.5, 0.5]", threshold=[0.5] * 3),
    no_option("threshold=array([0.1, 0.2])", threshold=np.array([0.1, 0.2])),
    no_option("threshold=np.float32(2.0)", threshold=np.float32(2)),
    no_option("abstain_below=nan", abstain_below=math.nan),
    no_option("abstain_below=-0.1", abstain_below=-0.1),
    no_option("abstain_below='high'", abstain_below="high"),
    no_option("return_all_scores='no'", return_all_scores="no"),
    no_option("token_mask=1", token_mask=1),
    no_option("mechanisms=['sympathy']", mechanisms=["sympathy"]),
    no_option("mechanisms=[]", mechanisms=[]),
    no_option("mechanisms=3", mechanisms=3),
    no_option("each once", mechanisms=["explorations", "explorations"]),
    no_option("mechanisms=[['explorations']]", mechanisms=[["explorations"]]),
    no_option("max_length=0", max_length=0),
    no_option("max_length=2", max_length=2),
    no_option("max_length=-5", max_length=-5),
    no_option("max_length=161: a whole number from 3 to 160", max_length=161),
    no_option("max_length=64.0", max_length=64.0),
    no_option("max_length='64'", max_length="64"),
    no_option("max_length=True", max_length=True),
    no_option("stride=22: windows of 24 tokens hold 22", stride=22),
    no_option("stride=-1", stride=-1),
    no_option("stride=nan", stride=math.nan),
    no_option("stride=False", stride=False),
    no_option("stride=10: windows of 12 tokens", max_length=12, stride=10),
    no_option("thresold", thresold=0.5),
    as_good({"threshold": 0.5}, threshold=np.float64(0.5)),
    as_good({"max_length": 9, "stride": 2}, max_length=np.int64(9), stride=torch.tensor(2)),
    as_good({"return_all_scores": True}, return_all_scores=np.bool_(True)),
    as_good({"mechanisms": ["explorations"]}, mechanisms="explorations"),
    as_good({}, threshold=None, max_length=None, stride=None, mechanisms=None),
    *map(tokens_per_batch_of, (0, -1, 1.5, "64", True)),
    *map(batch_size_of, (0, -1, "2", 2.0)),
    not_a_number(
        "a weight that is NaN",
        lambda model: model.mechanism_heads["explorations"].level.output.bias.fill_(math.nan),
        PAIRS,
        "pair 0 .counting from 0., 'I am so sorry",
    ),
    not_a_number(
        "a weight that is infinite",
        lambda model: model.mechanism_heads["explorations"].level.output.bias.fill_(math.inf),
        PAIRS,
        "pair 0 ",
    ),
    not_a_number(
        "rationales that are NaN while levels are numbers",
        rationales_are_nan,
        PAIR,
        "'I am so sorry",
    ),
    not_a_number("a word whose embedding is NaN", first_word_is_nan, [PAIR, PAIR, OTHER], "for pair 2 .*'Why.'"),
    Attack("an iterator that raises in the middle", an_error_behind_a_pair),
    Attack("a bad pair in the middle of a generator", a_bad_pair_behind_good_ones),
    Attack("a generator of results that is given up", a_generator_that_is_given_up),
    Attack("a list that is emptied while it is scored", a_list_changed_while_it_is_scored),
    Attack("a tokenizer on which its owner has set truncation and padding", a_tokenizer_of_somebody),
]
