"""What is good and what is not: sentences for a reader, each from numbers that stand in the report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from .behaviour import CONFIDENT, weak_families
from .measured_mechanism import MeasuredMechanism
from .post_lengths import PostLengths
from .published_results import PUBLISHED, USUAL_DIFFERENCE


class Verdict(StrEnum):
    """What a reader is told of a number."""

    GOOD = "good"
    DOUBTFUL = "look closer"
    BAD = "not good"


@dataclass(frozen=True)
class Finding:
    """A sentence of the summary.

    Attributes:
        verdict: Of what it says.
        about: What it speaks of.
        text: The sentence, with its numbers.
        section: The part of the report where these stand.
    """

    verdict: Verdict
    about: str
    text: str
    section: str


# A level that is recognised less often than this is hardly recognised; above the other it is.
_HARDLY, _MOSTLY = 0.25, 0.5
# Of fewer pairs nothing is said: one more or less would turn it.
_FEWEST_OF_A_LEVEL = 5
_FEWEST_OF_CALIBRATION = 200
# Calibration errors of a network that is close to, and far from, what it says of itself.
_CALIBRATED, _MISCALIBRATED = 0.05, 0.1
# Half of an interval of macro-F1 that is as wide as most differences between recipes, and then some.
_WIDE = 0.1
_FEW_CUT, _MANY_CUT = 0.02, 0.1
_OF_THE_SUITE = 0.9
_CONFIDENT_ERRORS = 0.05
# With another seeker post: of fewer changed levels it is hardly looked at, and of less macro-F1 lost in vain.
_LEVELS_CHANGED, _MACRO_F1_LOST = 0.02, 0.01
# Of a level's probability: what a rationale must hold beyond as many random words, which are drawn five times.
_BEYOND_RANDOM = 0.05


def findings(
    measured: Sequence[MeasuredMechanism],
    diagnostics: Mapping[str, Any],
    original: Mapping[str, float],
    lengths: PostLengths | None,
    *,
    is_published_corpus: bool,
) -> list[Finding]:
    """Judges what was measured.

    Args:
        measured: The mechanisms.
        diagnostics: As of [`~modeling_empathy.evaluation.diagnostics.diagnostics`], or a part of it.
        original: Metrics by the original's definitions, `{mechanism}_{metric}`; empty where these are not known.
        lengths: Of the posts.
        is_published_corpus: Whether the pairs are of the corpus that the paper's figures are of.
    """
    found: list[Finding] = []
    judges = {"calibration": _calibration, "faithfulness": _faithfulness, "context_use": _context}
    for mechanism in measured:
        found += [judged(mechanism), *_levels(mechanism), *_rationales(mechanism)]
        if is_published_corpus and f"{mechanism.name}_macro_f1" in original:
            found.append(_beside_the_paper(mechanism, original))
        for part, judge in judges.items():
            if mechanism.name in diagnostics.get(part, {}):
                found += judge(mechanism, diagnostics[part][mechanism.name])
    if diagnostics.get("behaviour"):
        found += _behaviour(diagnostics["behaviour"])
    if lengths is not None:
        found += _truncation(lengths)
    return found


def judged(mechanism: MeasuredMechanism) -> Finding:
    """Whether a mechanism's levels are recognised, which is what decides."""
    macro_f1, always = mechanism.estimates["macro_f1"], mechanism.majority_estimates
    accuracy, guessed = mechanism.estimates["accuracy"].value, always["accuracy"].value
    numbers = (
        f"macro-F1 {macro_f1.value:.3f} ({macro_f1.low:.2f} to {macro_f1.high:.2f}), {always['macro_f1'].value:.3f} "
        f'by always saying "{mechanism.majority}"; accuracy {accuracy:.3f}, {guessed:.3f} that way'
    )
    if mechanism.gain.low <= 0:
        verdict, said = Verdict.BAD, "levels are no better than a guess"
    elif max(macro_f1.high - macro_f1.value, macro_f1.value - macro_f1.low) > _WIDE:
        verdict, said = Verdict.DOUBTFUL, f"there are few pairs ({mechanism.pairs}), so intervals are wide"
    elif accuracy <= guessed:
        verdict, said = Verdict.DOUBTFUL, "fewer levels are right than by always saying the most frequent one"
    else:
        verdict, said = Verdict.GOOD, "levels are recognised"
    return Finding(verdict, mechanism.title, f"{said}: {numbers}.", "levels")


def headline(measured: Sequence[MeasuredMechanism], found: Sequence[Finding]) -> tuple[Verdict, str]:
    """The first thing a reader sees: whether the model recognises what it is for."""
    verdicts = {mechanism.title: judged(mechanism).verdict for mechanism in measured}
    failed = [name for name, verdict in verdicts.items() if verdict is Verdict.BAD]
    bad = sum(one.verdict is Verdict.BAD for one in found)
    if not verdicts:
        return Verdict.DOUBTFUL, "Nothing was measured on pairs that the model was not trained on."
    if len(failed) == len(verdicts):
        return Verdict.BAD, "This model does not work: its levels are no better than a guess."
    if failed:
        return Verdict.BAD, f"No better than a guess: {_listed(failed)}."
    doubtful = [name for name, verdict in verdicts.items() if verdict is Verdict.DOUBTFUL]
    if doubtful:
        return Verdict.DOUBTFUL, f"Better than a guess, but look closer at {_listed(doubtful)}."
    weak = f", with {'a weak point' if bad == 1 else f'{bad} weak points'}" if bad else ""
    return Verdict.DOUBTFUL if bad > len(verdicts) else Verdict.GOOD, f"Recognises {_listed(list(verdicts))}{weak}."


def _levels(mechanism: MeasuredMechanism) -> Iterator[Finding]:
    for index, (level, count) in enumerate(mechanism.support.items()):
        recognised = mechanism.confusion[index][index]
        if count < _FEWEST_OF_A_LEVEL:
            text = f'"{level}" is annotated in {count} pairs: whether it is recognised is not known.'
            yield Finding(Verdict.DOUBTFUL, mechanism.title, text, "confusion")
        elif recognised / count < _MOSTLY:
            hardly = recognised / count < _HARDLY
            often = "hardly" if hardly else "often not"
            text = f'"{level}" is {often} recognised: {recognised} of {count} pairs.'
            yield Finding(Verdict.BAD if hardly else Verdict.DOUBTFUL, mechanism.title, text, "confusion")


def _rationales(mechanism: MeasuredMechanism) -> Iterator[Finding]:
    f1, whole = mechanism.estimates["annotated_token_f1_macro"], mechanism.whole_response_token_f1
    if not whole:
        return
    numbers = f"token-F1 {f1.value:.3f} ({f1.low:.2f} to {f1.high:.2f}), {whole:.3f} by marking all of each response"
    if f1.low > whole:
        yield Finding(Verdict.GOOD, mechanism.title, f"rationales are found: {numbers}.", "rationales")
    else:
        # To mark everything is no bad answer where most of a response is annotated.
        verdict = Verdict.BAD if f1.high < whole else Verdict.DOUBTFUL
        yield Finding(
            verdict, mechanism.title, f"rationales are no better than whole responses: {numbers}.", "rationales"
        )


def _beside_the_paper(mechanism: MeasuredMechanism, original: Mapping[str, float]) -> Finding:
    ours, paper = original[f"{mechanism.name}_macro_f1"], PUBLISHED[mechanism.name]["macro_f1"]
    numbers = f"macro-F1 by the original's definition {ours:.3f}, in the paper {paper:.3f}, of other splits"
    if ours >= paper - USUAL_DIFFERENCE:
        said = "above the paper" if ours > paper + USUAL_DIFFERENCE else "about as the paper"
        return Finding(Verdict.GOOD, mechanism.title, f"{said}: {numbers}.", "paper")
    verdict = Verdict.BAD if ours < paper - 3 * USUAL_DIFFERENCE else Verdict.DOUBTFUL
    return Finding(verdict, mechanism.title, f"below the paper: {numbers}.", "paper")


def _calibration(mechanism: MeasuredMechanism, found: Mapping[str, float]) -> Iterator[Finding]:
    if mechanism.pairs < _FEWEST_OF_CALIBRATION:
        return
    error = found["ece"]
    if error <= _CALIBRATED:
        verdict, said = Verdict.GOOD, "probabilities can be taken at their word"
    elif error <= _MISCALIBRATED:
        verdict, said = Verdict.DOUBTFUL, "probabilities are somewhat off"
    else:
        verdict, said = Verdict.BAD, "probabilities can't be taken at their word"
    yield Finding(verdict, mechanism.title, f"{said}: calibration error {error:.3f}.", "calibration")


def _faithfulness(mechanism: MeasuredMechanism, found: Mapping[str, float]) -> Iterator[Finding]:
    responses = int(found["faithfulness_responses"])
    if responses < _FEWEST_OF_A_LEVEL:
        return
    lost, at_random = found["comprehensiveness"], found["comprehensiveness_random"]
    numbers = (
        f"without its rationale a level loses {lost:.2f} of its probability, without as many other words "
        f"{at_random:.2f} ({responses} responses)"
    )
    if lost > at_random + _BEYOND_RANDOM:
        verdict, said = Verdict.GOOD, "levels rest on the words shown"
    elif lost > at_random:
        verdict, said = Verdict.DOUBTFUL, "levels hardly rest on the words shown"
    else:
        verdict, said = Verdict.BAD, "levels do not rest on the words shown"
    yield Finding(verdict, mechanism.title, f"{said}: {numbers}.", "faithfulness")


def _context(mechanism: MeasuredMechanism, found: Mapping[str, float]) -> Iterator[Finding]:
    changed, lost = found["levels_changed_shuffled"], found["macro_f1_lost_shuffled"]
    # Not -0.000, which says nothing of a direction.
    moved = round(-lost, 3) + 0.0
    numbers = f"with another one {100 * changed:.1f} % of levels change, and macro-F1 by {moved:+.3f}"
    if changed < _LEVELS_CHANGED:
        verdict, said = Verdict.DOUBTFUL, "the seeker post hardly counts"
    elif lost < _MACRO_F1_LOST:
        verdict, said = Verdict.DOUBTFUL, "the seeker post counts, but makes levels no better"
    else:
        verdict, said = Verdict.GOOD, "the seeker post counts"
    yield Finding(verdict, mechanism.title, f"{said}: {numbers}.", "context")


def _behaviour(found: Mapping[str, Any]) -> Iterator[Finding]:
    about, errors, weak = "behaviour suite", found["confident_errors"], weak_families(found)
    accuracy = found["accuracy"]
    numbers = f"{accuracy:.3f} of its {found['cells']:,} cells are right, {errors['cells']} are confident errors"
    if accuracy >= _OF_THE_SUITE and errors["share"] <= _CONFIDENT_ERRORS:
        yield Finding(Verdict.GOOD, about, f"{numbers}.", "behaviour")
    else:
        verdict = Verdict.BAD if accuracy < 0.8 or errors["share"] > 2 * _CONFIDENT_ERRORS else Verdict.DOUBTFUL
        yield Finding(verdict, about, f"{numbers} (wrong with more than {CONFIDENT}).", "behaviour")
    if weak:
        names = [name.replace("_", " ") for name in weak]
        rest = f" and {len(names) - 5} more" if len(names) > 5 else ""
        text = f"below .8 in {len(names)} of {len(found['families'])} families: {', '.join(names[:5])}{rest}."
        yield Finding(Verdict.BAD if len(names) > 5 else Verdict.DOUBTFUL, about, text, "behaviour")


def _truncation(lengths: PostLengths) -> Iterator[Finding]:
    for post, cut in lengths.cut.items():
        pairs = len(lengths.tokens[post])
        share, title = cut / max(pairs, 1), f"{post.replace('_', ' ')}s"
        if share <= _FEW_CUT:
            continue
        lost = f" {lengths.cut_rationales} rationales lost words by it." if post == "response_post" else ""
        text = f"{100 * share:.0f} % are longer than the {lengths.max_length} tokens that are read.{lost}"
        yield Finding(Verdict.BAD if share > _MANY_CUT else Verdict.DOUBTFUL, title, text, "lengths")


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
