"""What the page computes: texts in, the pipeline's results out, within limits and with errors that people can mend."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from threading import Lock
from typing import Any

from ..checkpoints.deltas import PRETRAINED
from ..checkpoints.identity import model_identity
from ..checkpoints.loading import load_checkpoint, resolve_device
from ..errors import InputError
from ..model.mechanisms import POSTS
from ..model.pipeline_empathy import EmpathyPipeline
from ..scoring.engine import ScoringEngine
from .limits import Limits, too_long


Pair = tuple[str, str]
# What people are asked for, by the column of a pair.
FIELDS = dict(zip(POSTS, ("What the seeker wrote", "The response"), strict=True))
# Pairs between two looks at the clock.
_AT_ONCE = 32


class PageScorer:
    """The model behind the page, loaded once; threads may share it, and it computes one request at a time.

    Args:
        model: A folder or a repository on the Hub; the model that comes with the package when left out.
        limits: How much is taken.
        device: Where it computes; a GPU if there is one, when left out.

    Raises:
        InputError: If it can't be loaded.
    """

    def __init__(self, model: str | None = None, limits: Limits | None = None, device: str | None = None) -> None:
        self.limits = limits or Limits()
        self.is_own = model is None
        name = str(PRETRAINED) if model is None else model
        loaded, tokenizer = load_checkpoint(name)
        resolved = resolve_device(device)
        # One pair at a time as the pipeline has it, to the last digit; a file as `empathy score` has it.
        self._pipeline = EmpathyPipeline(model=loaded, tokenizer=tokenizer, device=resolved)
        identity = model_identity(name, loaded.config.mechanisms)
        self.engine = ScoringEngine.of_model(loaded, tokenizer, identity=identity)
        self.mechanisms: Sequence[str] = loaded.config.mechanisms
        self.model_label = identity.label
        self._turn = Lock()

    def score(self, pairs: Sequence[Pair], **options: Any) -> list[dict[str, Any]]:
        """Scores a few pairs.

        Args:
            pairs: Seeker posts and responses.
            **options: Those of [`~modeling_empathy.model.pipeline_empathy.EmpathyPipeline`].

        Returns:
            What the pipeline says of each.

        Raises:
            InputError: If a text is blank or too long, or an option can't be used.
        """
        for pair in pairs:
            self._check(pair)
        try:
            with self._turn:
                return [self._pipeline(pair, **options) for pair in pairs]
        except ValueError as error:
            raise InputError(str(error)) from None

    def score_many(self, pairs: Sequence[Pair]) -> Iterator[dict[str, Any]]:
        """Scores the pairs of a file, with the probability of each level.

        Raises:
            InputError: If it takes longer than is allowed.
        """
        end = time.monotonic() + self.limits.seconds
        for start in range(0, len(pairs), _AT_ONCE):
            if time.monotonic() > end:
                raise InputError(
                    f"This takes longer than {self.limits.seconds:g} seconds: {start} of {len(pairs)} rows were "
                    "scored by then. Try fewer rows, or `empathy score` on a machine of your own."
                )
            with self._turn:
                results = list(self.engine(list(pairs[start : start + _AT_ONCE]), return_all_scores=True))
            yield from results

    def _check(self, pair: Pair) -> None:
        for name, text in zip(FIELDS.values(), pair, strict=True):
            if not isinstance(text, str) or not text.strip():
                raise InputError(f"{name} is empty: type or paste a text.")
            if len(text) > self.limits.characters:
                raise InputError(f"{name} has {len(text):,} characters. {too_long(self.limits)}.")
