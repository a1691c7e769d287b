"""The pipeline: pairs of posts in, levels and the words that show them out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

import torch
from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.pipelines import Pipeline

from .configuration_empathy import EmpathyConfig
from .encoded_pairs import POSTS, EncodedPair, encode_pairs, pad_posts
from .modeling_empathy import EmpathyModel
from .rationale_decisions import decided_by_clause
from .rationale_spans import token_scores_to_spans


if TYPE_CHECKING:
    # Never run, and needed: see the same lines in modeling_empathy.py.
    from .mechanisms import MECHANISMS  # noqa: F401


# How transformers' `KeyPairDataset` names the two texts of a pair.
_TEXT_PAIR = ("text", "text_pair")
# What `from_pretrained` passes on to the model and, of that, to the tokenizer.
_OF_REPOSITORY = ("revision", "token", "cache_dir", "local_files_only", "subfolder")
_OF_MODEL = (*_OF_REPOSITORY, "dtype", "device_map", "attn_implementation")
# Windows of long responses that are read at once, where the batch has fewer pairs.
_WINDOWS_AT_ONCE = 32


class EmpathyPipeline(Pipeline):
    """Scores pairs of a seeker post and a response post.

    A pair is a dict with `seeker_post` and `response_post` (further keys are ignored), or a tuple or list of the two
    strings. A list of pairs gives a list of results; a generator, a data set or any other iterable gives an iterator
    of them. So does a dict of two columns, `{"seeker_post": data["seeker_post"], "response_post": ...}`, lists giving
    a list. Results come in the order of the pairs.

    For each pair the result holds, for each mechanism, `level` (0, 1, 2), `label` ("no", "weak", "strong"), `score`
    (the label's probability) and `rationales` (a list of `{start, end, text, score}`, offsets in characters of the
    response; none at level 0), and `truncated`, which of the two posts were longer than `max_length` tokens and were
    scored without their end.

    Args:
        max_length: Tokens of a post, special tokens included; what the model was trained with when left out.
        stride: Scores a response of more than `max_length` tokens to its end, in windows that share this many tokens.
            Of each mechanism the level is that of the window that shows it most strongly (by its expected level), and
            a token's rationale probability the mean over the windows it is in. Without it, the response is cut.
        mechanisms: The mechanisms that the result holds, in this order; all of the model's when left out.
        threshold: Probability from which a token, or where the model decides by clauses a clause, belongs to a
            rationale; the model's own for each mechanism when left out.
        abstain_below: Probability of the most probable level below which the model does not say which it is: `level`
            and `label` are then None, and there are no rationales. `score` stays. Probabilities are calibrated where
            the model's temperatures were fitted. Without it, the model always says something.
        return_all_scores: Whether each mechanism's result has `scores` too, the probability of each label.
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

    _load_tokenizer = True
    _load_processor = False
    _load_image_processor = False
    _load_feature_extractor = False

    @classmethod
    def from_pretrained(cls, model: str | os.PathLike[str], **kwargs: Any) -> EmpathyPipeline:
        """Loads model and tokenizer from a folder or the Hub.

        Args:
            model: The folder, or the repository's name.
            **kwargs: Those of `from_pretrained` (`revision`, `token`, `cache_dir`, `local_files_only`, `dtype`,
                `device_map`, `attn_implementation`), and those of the pipeline (`device`, `batch_size`, the class's).
        """
        of_model = {name: kwargs.pop(name) for name in _OF_MODEL if name in kwargs}
        of_repository = {name: value for name, value in of_model.items() if name in _OF_REPOSITORY}
        loaded = EmpathyModel.from_pretrained(model, **of_model)
        return cls(model=loaded, tokenizer=own_tokenizer(model, loaded.config, **of_repository), **kwargs)

    @classmethod
    def default(cls, **kwargs: Any) -> EmpathyPipeline:
        """The pipeline of the model that is part of the package modeling-empathy: no network, no training.

        Args:
            **kwargs: Those of the pipeline (`device`, `batch_size`, the class's).
        """
        # By name, because this file also works, but for this, where the package is not installed.
        packed = importlib.import_module("modeling_empathy.checkpoints.deltas")
        model, tokenizer = packed.load_packed(packed.PRETRAINED)
        return cls(model=model, tokenizer=tokenizer, **kwargs)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Scores one pair, a list, a generator or a data set of pairs; see the class."""
        if isinstance(inputs, Mapping):
            inputs = _pairs_of_columns(inputs)
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
        stride: int | None = None,
        mechanisms: Sequence[str] | None = None,
        threshold: float | None = None,
        abstain_below: float | None = None,
        return_all_scores: bool | None = None,
        token_mask: bool | None = None,
        **kwargs: Any,
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if kwargs:
            raise ValueError(f"Unknown option of the empathy pipeline: {', '.join(kwargs)}.")
        if max_length is not None and not 3 <= max_length <= self.tokenizer.model_max_length:
            raise ValueError(f"max_length={max_length}: posts have 3 to {self.tokenizer.model_max_length} tokens.")
        for name, value in (("threshold", threshold), ("abstain_below", abstain_below)):
            if value is not None and not 0 <= value <= 1:
                raise ValueError(f"{name}={value}: a probability lies between 0 and 1.")
        if mechanisms is not None:
            mechanisms = [mechanisms] if isinstance(mechanisms, str) else list(mechanisms)
            unknown = [one for one in mechanisms if one not in self.model.config.mechanisms]
            if unknown or not mechanisms:
                scored = ", ".join(self.model.config.mechanisms)
                raise ValueError(f"mechanisms={mechanisms!r}: the model scores {scored}; name some of these.")
        preprocess = {"max_length": max_length, "stride": stride}
        postprocess = {
            "mechanisms": mechanisms,
            "threshold": threshold,
            "abstain_below": abstain_below,
            "return_all_scores": return_all_scores,
            "token_mask": token_mask,
        }
        # What is left out keeps what the pipeline was made with.
        given = [{name: value for name, value in of.items() if value is not None} for of in (preprocess, postprocess)]
        return given[0], {}, given[1]

    def preprocess(self, input_: Any, max_length: int | None = None, stride: int | None = None) -> dict[str, Any]:
        seeker_post, response_post = _posts(input_)
        max_length = max_length or self.model.config.max_post_length
        return {"pair": encode_pairs(self.tokenizer, [(seeker_post, response_post)], max_length, stride)[0]}

    def _forward(self, input_tensors: dict[str, Any]) -> dict[str, Any]:
        # Pairs travel unpadded and as objects, so that the base class's collator leaves them alone: it pads only
        # `input_ids` with the tokenizer's pad id, and everything else with 0, which is a word in some vocabularies.
        pairs = input_tensors["pair"] if isinstance(input_tensors["pair"], list) else [input_tensors["pair"]]
        rows = [row for pair in pairs for row in pair.rows()]
        at_once = max(len(pairs), _WINDOWS_AT_ONCE)
        scored = [self._score(rows[start : start + at_once]) for start in range(0, len(rows), at_once)]
        level_probabilities, rationale_probabilities = _of_pairs(pairs, [row for rows in scored for row in rows])
        return {
            "pair": pairs,
            "level_probabilities": level_probabilities,
            "rationale_probabilities": rationale_probabilities,
        }

    def _score(self, rows: Sequence[Mapping[str, list[int]]]) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each row the probabilities `(mechanism, level)` and `(mechanism, token)`, padding included."""
        batch = pad_posts(rows, self.tokenizer.pad_token_id, at_least=self.model.config.padded_length)
        output = self.model(**{name: tensor.to(self.device) for name, tensor in batch.items()})
        probabilities = self.model.probabilities(output.empathy_logits, output.rationale_logits)
        return list(zip(*probabilities, strict=True))

    def postprocess(
        self,
        model_outputs: dict[str, Any],
        mechanisms: Sequence[str] | None = None,
        threshold: float | None = None,
        abstain_below: float = 0.0,
        return_all_scores: bool = False,
        token_mask: bool = False,
    ) -> dict[str, Any]:
        pair = model_outputs["pair"]
        pair = pair[0] if isinstance(pair, list) else pair
        return describe_pair(
            pair,
            model_outputs["level_probabilities"][0].tolist(),
            model_outputs["rationale_probabilities"][0].tolist(),
            self.model.config,
            mechanisms=mechanisms,
            threshold=threshold,
            abstain_below=abstain_below,
            return_all_scores=return_all_scores,
            token_mask=token_mask,
        )


def own_tokenizer(model: str | os.PathLike[str], config: EmpathyConfig, **kwargs: Any) -> PreTrainedTokenizerBase:
    """The tokenizer that was saved with a checkpoint, a folder or a name on the Hub."""
    # Without the configuration it would ask on standard input whether to run the checkpoint's code.
    return AutoTokenizer.from_pretrained(model, config=config, **kwargs)


def describe_pair(
    pair: EncodedPair,
    level_probabilities: Sequence[Sequence[float]],
    rationale_probabilities: Sequence[Sequence[float]],
    config: EmpathyConfig,
    *,
    mechanisms: Sequence[str] | None = None,
    threshold: float | None = None,
    abstain_below: float = 0.0,
    return_all_scores: bool = False,
    token_mask: bool = False,
) -> dict[str, Any]:
    """What the model says of a pair.

    Args:
        pair: The tokenized pair.
        level_probabilities: `(mechanism, level)`, of all the model's mechanisms.
        rationale_probabilities: `(mechanism, token)`, with or without what was said of padding.
        config: The model's.
        mechanisms: As in [`EmpathyPipeline`], like the rest.
        threshold: Likewise.
        abstain_below: Likewise.
        return_all_scores: Likewise.
        token_mask: Likewise.

    Returns:
        A result of [`EmpathyPipeline`].
    """
    options: dict[str, Any] = {
        "abstain_below": abstain_below,
        "return_all_scores": return_all_scores,
        "token_mask": token_mask,
    }
    result: dict[str, Any] = {}
    for mechanism in mechanisms or config.mechanisms:
        index = config.mechanisms.index(mechanism)
        reached = config.rationale_thresholds[index] if threshold is None else threshold
        result[mechanism] = describe_mechanism(
            pair, level_probabilities[index], rationale_probabilities[index], config, threshold=reached, **options
        )
    result["truncated"] = pair.truncated
    return result


def describe_mechanism(
    pair: EncodedPair,
    level_probabilities: Sequence[float],
    rationale_probabilities: Sequence[float],
    config: EmpathyConfig,
    *,
    threshold: float,
    abstain_below: float = 0.0,
    return_all_scores: bool = False,
    token_mask: bool = False,
) -> dict[str, Any]:
    """What the model says of one mechanism in one response.

    Args:
        pair: The tokenized pair.
        level_probabilities: `(level,)`.
        rationale_probabilities: `(token,)` or longer, where the batch was padded.
        config: The model's.
        threshold: From which a token, or a clause by `config.rationale_unit`, belongs to a rationale.
        abstain_below: As in [`EmpathyPipeline`], like the rest.
        return_all_scores: Likewise.
        token_mask: Likewise.

    Returns:
        The mechanism's part of a result of [`EmpathyPipeline`].
    """
    level = max(range(len(level_probabilities)), key=level_probabilities.__getitem__)
    scores, reached = rationale_probabilities, threshold
    text, offsets, special = pair.response_post, pair.response_offsets, pair.response_special_tokens_mask
    if config.rationale_unit == "clause":
        scores, reached = decided_by_clause(text, offsets, special, scores, threshold)
    said: dict[str, Any] = {
        "level": level,
        "label": config.id2label[level],
        "score": level_probabilities[level],
        "rationales": [],
    }
    if said["score"] < abstain_below:
        said |= {"level": None, "label": None}
    elif level > 0:
        spans = token_scores_to_spans(text, offsets, special, scores[: len(offsets)], reached)
        said["rationales"] = [span._asdict() for span in spans]
    if return_all_scores:
        said["scores"] = {config.id2label[index]: one for index, one in enumerate(level_probabilities)}
    if token_mask:
        marks = [int(score >= reached) for score in scores]
        said["token_mask"] = marks if config.attend_to_padding else _of_words(pair, marks)
    return said


def _of_pairs(
    pairs: Sequence[EncodedPair], scored: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Puts the windows of each pair together.

    Args:
        pairs: The pairs.
        scored: For each window of each pair, `(mechanism, level)` and `(mechanism, token)`.

    Returns:
        `(pair, mechanism, level)` and `(pair, mechanism, token)`, where a pair without windows keeps what was said of
        its padding and others are padded with 0.
    """
    rows = iter(scored)
    levels, rationales = [], []
    for pair in pairs:
        if pair.windows is None:
            of_levels, of_tokens = next(rows)
        else:
            of_levels, of_tokens = join_windows(pair, list(islice(rows, len(pair.windows))))
        levels.append(of_levels)
        rationales.append(of_tokens)
    longest = max(len(one[0]) for one in rationales)
    padded = [torch.nn.functional.pad(one, (0, longest - one.shape[1])) for one in rationales]
    return torch.stack(levels), torch.stack(padded)


def join_windows(
    pair: EncodedPair, scored: Sequence[tuple[torch.Tensor, torch.Tensor]]
) -> tuple[torch.Tensor, torch.Tensor]:
    """`(mechanism, level)` of the window with the highest expected level, and the mean of `(mechanism, token)`."""
    levels = torch.stack([of_levels for of_levels, _ in scored])
    expected = (levels * torch.arange(levels.shape[-1], device=levels.device)).sum(-1)
    strongest = expected.argmax(0)
    summed = levels.new_zeros(levels.shape[1], len(pair.response_input_ids))
    windows = levels.new_zeros(len(pair.response_input_ids))
    for positions, (_, of_tokens) in zip(pair.windows or (), scored, strict=True):
        summed[:, positions] += of_tokens[:, : len(positions)]
        windows[positions] += 1
    return levels[strongest, torch.arange(levels.shape[1], device=levels.device)], summed / windows.clamp_min(1)


def _of_words(pair: EncodedPair, marks: Sequence[int]) -> list[int]:
    """The marks of the response's tokens up to `max_length`: 0 on special tokens and where there is no token."""
    own = [
        int(mark and not is_special)
        for mark, is_special in zip(marks, pair.response_special_tokens_mask, strict=False)
    ]
    return own + [0] * (pair.max_length - len(own))


def _pairs_of_columns(columns: Mapping[str, Any]) -> Any:
    """The pairs of two columns; the input as it is where it is one pair."""
    names = next((names for names in (POSTS, _TEXT_PAIR) if all(name in columns for name in names)), None)
    if names is None or not all(_is_column(columns[name]) for name in names):
        return columns
    first, second = (columns[name] for name in names)
    if hasattr(first, "__len__") and hasattr(second, "__len__") and len(first) != len(second):
        raise ValueError(f"There are {len(first)} seeker posts and {len(second)} responses; each needs the other.")
    pairs = zip(first, second, strict=True)
    return list(pairs) if isinstance(first, list) and isinstance(second, list) else pairs


def _is_column(value: Any) -> bool:
    return isinstance(value, Iterable) and not isinstance(value, (str, bytes, Mapping))


def _posts(pair: Any) -> tuple[str, str]:
    """The two strings of a pair, whatever form it has."""
    if isinstance(pair, Mapping):
        names = _TEXT_PAIR if all(name in pair for name in _TEXT_PAIR) and POSTS[0] not in pair else POSTS
        missing = [name for name in names if name not in pair]
        if missing:
            raise ValueError(f"A pair lacks {', '.join(missing)}; it has {', '.join(map(repr, pair)) or 'no keys'}.")
        posts = tuple(pair[name] for name in names)
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
