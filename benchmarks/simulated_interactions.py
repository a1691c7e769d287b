"""Scored interactions whose truth is known: nobody wrote them, and no platform looks like them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq


# As often as a classifier of this kind errs, in round numbers: annotated levels by predicted ones.
ERRORS = ((0.92, 0.05, 0.03), (0.20, 0.70, 0.10), (0.12, 0.13, 0.75))
NO_ERRORS = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))
OUTCOME, GROUP = "seeker_replied", "group"
TRUE = "{code}_true"

_MONTH = 365.25 * 86400 / 12
_BEGIN = 1.4e9
_REPLIES = 0.2  # of seekers who got no empathy
_USUAL_WORDS = 30


@dataclass(frozen=True)
class World:
    """What is true.

    Attributes:
        responders: How many supporters there are.
        responses: How many responses each writes in the mean, in a year.
        drift: Change of the mean level in a year of tenure.
        dropout: By how much who communicates little leaves earlier: 0 not at all.
        effect: By how much the chance of the outcome rises with a level.
        group: By how much the second group's mean level is higher.
        second: Share of people in the second group.
        unequal: Whether a few write most of the responses.
        longer: How many times longer the second group writes.
        by_length: By how much the mean level rises when a response is e times longer.
        passed_on: By how much the mean level is higher of who was shown the mechanism.
        members: Share of supporters who have asked themselves; the others answer them.
        errors: `P(predicted | annotated)`.
        codes: Of the mechanisms, all drawn alike; the outcome is of the last one.
    """

    responders: int = 400
    responses: float = 12.0
    drift: float = 0.0
    dropout: float = 0.0
    effect: float = 0.1
    group: float = 0.0
    second: float = 0.4
    unequal: bool = False
    longer: float = 1.0
    by_length: float = 0.0
    passed_on: float = 0.0
    members: float = 0.0
    errors: Sequence[Sequence[float]] = NO_ERRORS
    codes: Sequence[str] = ("EX",)


def simulated(world: World, seed: int) -> dict[str, np.ndarray]:
    """Scored rows of a world: the columns of `empathy score`, an outcome, a group, and `EX_true`, the annotated level.

    A response takes two steps of chance `p` for its level, so that its mean level is `2 p`: drift, group, length and
    what was received act on `p` alone, and all that is estimated is linear in it.
    """
    draw = np.random.default_rng(seed)
    own = draw.beta(2.0, 4.0, world.responders) * 0.6
    second = np.arange(world.responders) < world.second * world.responders
    member = draw.random(world.responders) < world.members
    # Months that a supporter stays, and the months of the responses in them.
    stays = draw.exponential(12.0 * np.exp(world.dropout * (own - own.mean()) / own.std()), world.responders)
    often = np.minimum(draw.pareto(1.2, world.responders), 30.0) if world.unequal else 1.0
    number = 1 + draw.poisson(world.responses * np.minimum(stays / 12.0, 4.0) * often)
    who = np.repeat(np.arange(world.responders), number)
    tenure = draw.random(len(who)) * np.repeat(np.minimum(stays, 48.0), number)
    first = np.full(world.responders, np.inf)
    np.minimum.at(first, who, tenure)
    tenure -= first[who]
    begins = draw.random(world.responders) * 36
    at = begins[who] + tenure
    words = draw.poisson(_USUAL_WORDS * np.where(second[who], world.longer, 1.0)) + 1
    seeker = draw.integers(0, world.responders, len(who)) + world.responders
    chance = own[who] + world.drift / 2 * tenure / 12 + world.group / 2 * second[who]
    chance += world.by_length / 2 * (np.log(words + 1) - np.log(_USUAL_WORDS + 2))
    rows: dict[str, np.ndarray] = {"id": np.arange(len(who)), "responder_id": who}
    rows |= {"created_at": _BEGIN + at * _MONTH, "words": words, "questions": draw.poisson(0.5, len(who))}
    members, answers = _asked(draw, who, member) if world.members else (who[:0], who[:0])
    seeker[answers] = members
    for code in world.codes:
        level = draw.binomial(2, np.clip(chance, 0, 1))
        # What a member wrote behind an answer that showed the mechanism is drawn anew.
        asked, shown = np.full(world.responders, np.inf), np.zeros(world.responders, dtype=bool)
        asked[members], shown[members] = at[answers], level[answers] > 0
        behind = (at > asked[who]) & shown[who]
        level[behind] = draw.binomial(2, np.clip(chance[behind] + world.passed_on / 2, 0, 1))
        drawn = draw.random(len(who))[:, None] > np.asarray(world.errors)[level].cumsum(1)[:, :2]
        rows |= {f"{code}_label": drawn.sum(1), TRUE.format(code=code): level}
    rows[OUTCOME] = draw.random(len(who)) < _REPLIES + world.effect * level
    return rows | {"seeker_id": seeker, GROUP: np.where(second[who], "second", "first")}


def _asked(draw: np.random.Generator, who: np.ndarray, member: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Who has asked, and which row answered it: each member once, by one who is none."""
    members, helpers = np.flatnonzero(member), np.flatnonzero(~member[who])
    number = min(len(members), len(helpers))
    return members[:number], draw.choice(helpers, number, replace=False)


def write_table(rows: dict[str, np.ndarray], path: Path) -> None:
    """The rows as `empathy score` would have written them, with texts of their lengths that say nothing."""
    made = {name: pa.array(values) for name, values in rows.items() if name not in ("words", "questions")}
    lengths = zip(rows["words"], rows["questions"], strict=True)
    made["response_post"] = pa.array(["word " * int(words) + "?  " * int(questions) for words, questions in lengths])
    pq.write_table(pa.table(made), path)
