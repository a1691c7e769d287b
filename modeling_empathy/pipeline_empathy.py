"""The pipeline: pairs of posts in, levels and the words that show them out."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.pipelines import Pipeline
from transformers.utils import logging

from .configuration_empathy import EmpathyConfig
from .modeling_empathy import EmpathyModel
from .rationale_spans import token_scores_to_spans


logger = logging.get_logger(__name__)

POSTS = ("seeker_post", "response_post")


@dataclass(frozen=True)
class EncodedPair:
    """A tokenized pair, with what it takes to find the way back to the response's characters."""

    response_post: str
    seeker_input_ids: list[int]
    response_input_ids: list[int]
    response_offsets: list[tuple[int, int]]
    response_special_tokens_mask: list[int]
    truncated: dict[str, bool]
    max_length: int = 0


class EmpathyPipeline(Pipeline):
    """Scores pairs of a seeker post and a response post.

    A pair is a dict with `seeker_post` and `response_post` (further keys are ignored), or a tuple or list of the two
    strings. A list of pairs gives a list of results; a generator, a data set or any other iterable gives an iterator
    of them. Results come in the order of the pairs.

    For each pair the result holds, for each mechanism of the model, `level` (0, 1, 2), `label` ("no", "weak",
    "strong"), `score` (the label's probability) and `rationales` (a list of `{start, end, text, score}`, offsets in
    characters of the response; none at level 0), and `truncated`, which of the two posts were longer than `max_length`
    tokens and were scored without their end.

    Args:
        max_length: Tokens of a post, special tokens included; what the model was trained with when left out.
        threshold: Probability from which a token belongs to a rationale; the model's own for each mechanism when
            left out.
        token_mask: Whether each mechanism's result has a `token_mask` too: 0 or 1 for each token up to `max_length`,
            1 in a rationale whatever the level. Special and padding tokens are 0, but for a model that attends to
            padding, which says something of them as well.

    Example:
        ```python
        >>> scorer = EmpathyPipeline.from_pretrained("my-model")
        >>> scorer(("I failed again and feel useless.", "I'm so sorry. What happened?"))["explorations"]["label"]
        'weak'
        >>> results = scorer([(seeker, response), (seeker, other_response)], batch_size=32)
        ```
    """

    @classmethod
    def from_pretrained(cls, model: str | os.PathLike[str], **kwargs: Any) -> EmpathyPipeline:
        """Loads model and tokenizer from a folder or the Hub; `kwargs` go to the pipeline (`device`, `batch_size`)."""
        loaded = EmpathyModel.from_pretrained(model)
        return cls(model=loaded, tokenizer=own_tokenizer(model, loaded.config), **kwargs)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Scores one pair, a list, a generator or a data set of pairs; see the class."""
        if isinstance(inputs, list):
            if not inputs:
                return []
            if len(inputs) == 2 and all(isinstance(post, str) for post in inputs):
                inputs = tuple(inputs)
        elif isinstance(inputs, Iterable) and not isinstance(inputs, (Mapping, tuple, str)):
            return self._stream(iter(inputs), **kwargs)
        return super().__call__(inputs, **kwargs)

    def _stream(self, pairs: Iterator[Any], batch_size: int | None = None, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """Reads a batch of pairs only once the one before is scored; early versions of transformers read all first."""
        batch_size = batch_size or self._batch_size or 1
        while batch := list(islice(pairs, batch_size)):
            yield from super().__call__(batch, batch_size=batch_size, **kwargs)

    def _sanitize_parameters(
        self,
        max_length: int | None = None,
        threshold: float | None = None,
        token_mask: bool = False,
        **kwargs: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if kwargs:
            raise ValueError(f"Unknown option of the empathy pipeline: {', '.join(kwargs)}.")
        preprocess = {} if max_length is None else {"max_length": max_length}
        postprocess: dict[str, Any] = {} if threshold is None else {"threshold": threshold}
        return preprocess, {}, postprocess | ({"token_mask": True} if token_mask else {})

    def preprocess(self, input_: Any, max_length: int | None = None) -> dict[str, Any]:
        seeker_post, response_post = _posts(input_)
        max_length = max_length or self.model.config.max_post_length
        return {"pair": encode_pair(self.tokenizer, seeker_post, response_post, max_length)}

    def _forward(self, input_tensors: dict[str, Any]) -> dict[str, Any]:
        # Pairs travel unpadded and as objects, so that the base class's collator leaves them alone: it pads only
        # `input_ids` with the tokenizer's pad id, and everything else with 0, which is a word in some vocabularies.
        pairs = input_tensors["pair"] if isinstance(input_tensors["pair"], list) else [input_tensors["pair"]]
        at_least = self.model.config.padded_length
        batch = pad_posts([vars(pair) for pair in pairs], self.tokenizer.pad_token_id, at_least=at_least)
        output = self.model(**{name: tensor.to(self.device) for name, tensor in batch.items()})
        return {
            "pair": pairs,
            "level_probabilities": output.empathy_logits.float().softmax(-1),
            "rationale_probabilities": output.rationale_logits.float().softmax(-1)[..., 1],
        }

    def postprocess(
        self, model_outputs: dict[str, Any], threshold: float | None = None, token_mask: bool = False
    ) -> dict[str, Any]:
        pair = model_outputs["pair"]
        pair = pair[0] if isinstance(pair, list) else pair
        config = self.model.config
        result: dict[str, Any] = {}
        for index, mechanism in enumerate(config.mechanisms):
            probabilities = model_outputs["rationale_probabilities"][0, index]
            reached = config.rationale_thresholds[index] if threshold is None else threshold
            result[mechanism] = describe_mechanism(
                pair, model_outputs["level_probabilities"][0, index], probabilities, reached, config.id2label
            )
            if token_mask:
                marks = (probabilities >= reached).int().tolist()
                result[mechanism]["token_mask"] = marks if config.attend_to_padding else _of_words(pair, marks)
        result["truncated"] = pair.truncated
        return result


def own_tokenizer(model: str | os.PathLike[str], config: EmpathyConfig) -> PreTrainedTokenizerBase:
    """The tokenizer that was saved with a checkpoint, a folder or a name on the Hub."""
    # Without the configuration it would ask on standard input whether to run the checkpoint's code.
    return AutoTokenizer.from_pretrained(model, config=config)


def encode_pair(
    tokenizer: PreTrainedTokenizerBase, seeker_post: str, response_post: str, max_length: int
) -> EncodedPair:
    """Tokenizes a pair without padding; says once in the log when a post had to be cut."""
    seeker, response = (
        tokenizer(post, truncation=True, max_length=max_length, return_offsets_mapping=True)
        for post in (seeker_post, response_post)
    )
    truncated = {
        name: bool(encoding.encodings[0].overflowing) for name, encoding in zip(POSTS, (seeker, response), strict=True)
    }
    if any(truncated.values()):
        logger.warning_once(
            f"Some posts are longer than {max_length} tokens: they are scored without their end, "
            "and their result says so under 'truncated'."
        )
    return EncodedPair(
        response_post=response_post,
        seeker_input_ids=seeker["input_ids"],
        response_input_ids=response["input_ids"],
        response_offsets=response["offset_mapping"],
        response_special_tokens_mask=response.encodings[0].special_tokens_mask,
        truncated=truncated,
        max_length=max_length,
    )


def describe_mechanism(
    pair: EncodedPair,
    level_probabilities: torch.Tensor,
    rationale_probabilities: torch.Tensor,
    threshold: float,
    labels: Mapping[int, str],
) -> dict[str, Any]:
    """What the model says of one mechanism in one response.

    Args:
        pair: The tokenized pair.
        level_probabilities: `(level,)`.
        rationale_probabilities: `(token,)` or longer, where the batch was padded.
        threshold: Probability from which a token belongs to a rationale.
        labels: Name of each level.

    Returns:
        `level`, `label`, `score` and `rationales`, as in [`EmpathyPipeline`].
    """
    level = int(level_probabilities.argmax())
    rationales = []
    if level > 0:
        rationales = token_scores_to_spans(
            pair.response_post,
            pair.response_offsets,
            pair.response_special_tokens_mask,
            rationale_probabilities[: len(pair.response_input_ids)].tolist(),
            threshold,
        )
    return {
        "level": level,
        "label": labels[level],
        "score": float(level_probabilities[level]),
        "rationales": [span._asdict() for span in rationales],
    }


def pad_posts(
    rows: Sequence[Mapping[str, Any]], pad_token_id: int, multiple_of: int = 1, at_least: int = 0
) -> dict[str, torch.Tensor]:
    """Pads the seeker posts and the responses of a batch on the right, each to their own longest.

    Args:
        rows: Each with `seeker_input_ids` and `response_input_ids`, lists of token ids.
        pad_token_id: What both are padded with.
        multiple_of: Rounds the padded lengths up.
        at_least: Tokens that both are padded to in any case.

    Returns:
        `{post}_input_ids` and `{post}_attention_mask` for `seeker` and `response`, each `(batch, token)`.
    """
    batch = {}
    for post in ("seeker", "response"):
        ids = [torch.tensor(row[f"{post}_input_ids"]) for row in rows]
        longest = -(-max(at_least, *(len(one) for one in ids)) // multiple_of) * multiple_of
        batch[f"{post}_input_ids"] = torch.full((len(ids), longest), pad_token_id)
        batch[f"{post}_attention_mask"] = torch.zeros((len(ids), longest), dtype=torch.long)
        for index, one in enumerate(ids):
            batch[f"{post}_input_ids"][index, : len(one)] = one
            batch[f"{post}_attention_mask"][index, : len(one)] = 1
    return batch


def _of_words(pair: EncodedPair, marks: Sequence[int]) -> list[int]:
    """The marks of the response's tokens up to `max_length`: 0 on special tokens and where there is no token."""
    own = [
        int(mark and not is_special)
        for mark, is_special in zip(marks, pair.response_special_tokens_mask, strict=False)
    ]
    return own + [0] * (pair.max_length - len(own))


def _posts(pair: Any) -> tuple[str, str]:
    """The two strings of a pair, whatever form it has."""
    if isinstance(pair, Mapping):
        missing = [name for name in POSTS if name not in pair]
        if missing:
            raise ValueError(f"A pair lacks {', '.join(missing)}; it has {', '.join(map(repr, pair)) or 'no keys'}.")
        posts = tuple(pair[name] for name in POSTS)
    elif isinstance(pair, (tuple, list)) and len(pair) == len(POSTS):
        posts = tuple(pair)
    else:
        raise ValueError(
            "A pair is a dict with 'seeker_post' and 'response_post', or a tuple or list of the two; "
            f"got {type(pair).__name__}: {str(pair)[:80]!r}."
        )
    for name, post in zip(POSTS, posts, strict=True):
        if not isinstance(post, str):
            raise ValueError(f"The {name} of a pair is not a string but {type(post).__name__}: {str(post)[:80]!r}.")
    return posts
