"""Attacks by several threads at once."""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from modeling_empathy import EmpathyPipeline, ScoringEngine
from tests.attacks.attempts import Attack
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


# Longer than the lengths below, whatever words the tokenizer has learnt, so that each gives another result.
PAIRS = [
    (
        f"I feel alone, and nobody would notice if I lost job {number}.",
        f"I am so sorry. {number}! " * 9 + "Why?",
    )
    for number in range(6)
]
ROUNDS = 12

LENGTHS = [{"max_length": length} for length in (6, 9, 14, 22, 31, 40)]
STRIDES = [{"max_length": length, "stride": stride} for length in (12, 20) for stride in (0, 6)]
WINDOWS_AND_CUTS = [{"max_length": length, **more} for length in (9, 14) for more in ({"stride": 3}, {})]
# With the tokens that are marked, as an untrained model may see no level at all.
THRESHOLDS = [{"threshold": threshold, "token_mask": True} for threshold in (0.0, 0.3, 0.45, 1.0)]
MECHANISMS = [{"mechanisms": name} for name in ("explorations", "interpretations", "emotional_reactions")]
CERTAINTIES = [{"abstain_below": certainty} for certainty in (0.0, 0.4, 0.6, 1.0)]
DETAILS = [{"return_all_scores": True}, {"token_mask": True}, {"token_mask": True, "max_length": 10}, {}]
EVERYTHING = [
    {**decision, **detail, **length}
    for length, decision, detail in zip(LENGTHS, [*THRESHOLDS, *MECHANISMS[:2]], [*DETAILS, {}, {}], strict=True)
]


def pipeline(family: str = "bert") -> EmpathyPipeline:
    tokenizer = {"bert": wordpiece_tokenizer, "roberta": byte_level_bpe_tokenizer}[family]()
    return EmpathyPipeline(model=tiny_model(family, max_post_length=40), tokenizer=tokenizer)


def engine(family: str = "bert") -> ScoringEngine:
    scorer = pipeline(family)
    return ScoringEngine.of_model(scorer.model, scorer.tokenizer)


def shared(name: str, make: Callable[[], Callable[..., Any]], options: list[dict[str, Any]]) -> Attack:
    """Each thread calls the same scorer, many times, with options of its own, and gets what it would get alone."""

    def attempt(folder: Path) -> None:
        scorer = make()
        alone = [list(scorer(PAIRS, **own)) for own in options]
        assert alone[0] != alone[-1], "what is alike can't be mistaken for each other"
        assert_as_alone(lambda own: list(scorer(PAIRS, **own)), options, alone)

    return Attack(name, attempt)


def assert_as_alone(call: Callable[[Any], Any], given: list[Any], alone: list[Any]) -> None:
    """Runs a call for each of what is given at once, round after round."""
    # Threads take turns so often that each is interrupted between any two steps.
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(len(given)) as threads:
            for number in range(ROUNDS):
                together = list(threads.map(call, given))
                for own, result, expected in zip(given, together, alone, strict=True):
                    assert result == expected, f"{own} in round {number}"
    finally:
        sys.setswitchinterval(interval)


def streams_in_turn(folder: Path) -> None:
    """Two generators of one scorer, drawn from in turn, are threads that meet at every step."""
    for scorer in (pipeline(), engine()):
        alone = [list(scorer(PAIRS, **own)) for own in LENGTHS[:2]]
        streams = [scorer(iter(PAIRS), **own) for own in LENGTHS[:2]]
        assert [list(results) for results in zip(*zip(*streams, strict=True), strict=True)] == alone


def a_tokenizer_in_other_use(folder: Path) -> None:
    """Threads cut texts of their own with the tokenizer of a pipeline that scores."""
    scorer = pipeline()
    alone = list(scorer(PAIRS))

    def call(max_length: int | None) -> Any:
        if max_length is None:
            return list(scorer(PAIRS))
        # Once set it stays, which is enough to cut what others tokenize next.
        for _ in range(200):
            scorer.tokenizer.backend_tokenizer.enable_truncation(max_length)
        return None

    assert_as_alone(call, [None, 5, None, 9], [alone, None, alone, None])


def an_engine_and_a_pipeline(folder: Path) -> None:
    """Two scorers share a tokenizer, with lengths of their own."""
    scorer = pipeline()
    both = [scorer, ScoringEngine.of_model(scorer.model, scorer.tokenizer)]
    given = [(one, own) for own in LENGTHS[:3] for one in both]
    alone = [list(one(PAIRS, **own)) for one, own in given]
    assert_as_alone(lambda one: list(one[0](PAIRS, **one[1])), given, alone)


ATTACKS: list[Attack] = [
    shared("an engine with lengths of their own", engine, LENGTHS),
    shared("a pipeline with lengths of their own", pipeline, LENGTHS),
    shared("an engine whose tokenizer is byte-level", lambda: engine("roberta"), LENGTHS),
    shared("a pipeline whose tokenizer is byte-level", lambda: pipeline("roberta"), LENGTHS),
    shared("an engine with strides of their own", engine, STRIDES),
    shared("a pipeline with strides of their own", pipeline, STRIDES),
    shared("an engine that cuts for some and reads windows for others", engine, WINDOWS_AND_CUTS),
    shared("a pipeline that cuts for some and reads windows for others", pipeline, WINDOWS_AND_CUTS),
    shared("an engine with thresholds of their own", engine, THRESHOLDS),
    shared("a pipeline with thresholds of their own", pipeline, THRESHOLDS),
    shared("an engine with mechanisms of their own", engine, MECHANISMS),
    shared("a pipeline with mechanisms of their own", pipeline, MECHANISMS),
    shared("an engine that is to be as certain as each says", engine, CERTAINTIES),
    shared("a pipeline that is to be as certain as each says", pipeline, CERTAINTIES),
    shared("an engine asked for different details", engine, DETAILS),
    shared("a pipeline asked for different details", pipeline, DETAILS),
    shared("an engine with everything of their own", engine, EVERYTHING),
    shared("a pipeline with everything of their own", pipeline, EVERYTHING),
    Attack("two streams of one scorer in turn", streams_in_turn),
    Attack("a tokenizer that its owner cuts with meanwhile", a_tokenizer_in_other_use),
    Attack("an engine and a pipeline with one tokenizer", an_engine_and_a_pipeline),
]
