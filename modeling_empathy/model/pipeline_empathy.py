"""The pipeline: pairs of posts in, levels and the words that show them out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.pipelines import Pipeline

from .configuration_empathy import EmpathyConfig
from .encoded_pairs import encode_pairs, pad_posts
from .mechanisms import POSTS
from .modeling_empathy import EmpathyModel
from .results import Probabilities, ResultOptions, describe_pair, join_windows


# How transformers' `KeyPairDataset` names the two texts of a pair.
_TEXT_PAIR = ("text", "text_pair")
# What `from_pretrained` passes on to the model and, of that, to the tokenizer.
_REPOSITORY_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "subfolder")
_MODEL_OPTIONS = (*_REPOSITORY_OPTIONS, "dtype", "device_map", "attn_implementation")
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

    model: EmpathyModel
    # By these `transformers.pipeline` decides what to look for in a checkpoint's folder.
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
        model_options = {name: kwargs.pop(name) for name in _MODEL_OPTIONS if name in kwargs}
        loaded, tokenizer = _load(model, **model_options)
        return cls(model=loaded, tokenizer=tokenizer, **kwargs)

    @classmethod
    def default(cls, **kwargs: Any) -> EmpathyPipeline:
        """The pipeline of the model that is part of the package modeling-empathy: no network, no training.

        Args:
            **kwargs: Those of the pipeline (`device`, `batch_size`, the class's).
        """
        model, tokenizer = _load(None)
        return cls(model=model, tokenizer=tokenizer, **kwargs)

    def __call__(self, inputs: Any, **kwargs: Any) -> Any:
        """Scores one pair, a list, a generator or a data set of pairs; see the class."""
        if isinstance(inputs, Mapping):
            inputs = _pairs_of_columns(inputs)
        if isinstance(inputs, list):
            if not inputs:
                return []
            # A list of two strings is a pair; the base class would take it for two pairs.
            if len(inputs) == 2 and all(isinstance(post, str) for post in inputs):
                inputs = tuple(inputs)
        elif isinstance(inputs, Iterable) and not isinstance(inputs, (Mapping, tuple, str)):
            return self._stream(iter(inputs), **kwargs)
        return super().__call__(inputs, **kwargs)

    def _stream(self, pairs: Iterator[Any], batch_size: int | None = None, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """Scores any iterable, a batch at a time; the base class streams generators and data sets alone."""
        batch_size = batch_size or self._batch_size or 1
        while batch := list(islice(pairs, batch_size)):
            yield from super().__call__(batch, batch_size=batch_size, **kwargs)

    def _sanitize_parameters(
        self, max_length: int | None = None, stride: int | None = None, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        if max_length is not None and not 3 <= max_length <= self.tokenizer.model_max_length:
            raise ValueError(f"max_length={max_length}: posts have 3 to {self.tokenizer.model_max_length} tokens.")
        checked = ResultOptions.checked(self.model.config, options)
        # What is left out keeps what the pipeline was made with.
        preprocess = {"max_length": max_length, "stride": stride}
        given = {name: value for name, value in preprocess.items() if value is not None}
        return given, {}, {name: getattr(checked, name) for name, value in options.items() if value is not None}

    def preprocess(self, input_: Any, max_length: int | None = None, stride: int | None = None) -> dict[str, Any]:
        seeker_post, response_post = _posts(input_)
        max_length = max_length or self.model.config.max_post_length
        return {"pair": encode_pairs(self.tokenizer, [(seeker_post, response_post)], max_length, stride)[0]}

    def _forward(self, input_tensors: dict[str, Any]) -> dict[str, Any]:
        # Pairs travel unpadded and as objects, so that the base class's collator leaves them alone: it pads only
        # `input_ids` with the tokenizer's pad id, and everything else with 0, which is a word in some vocabularies.
        pairs = input_tensors["pair"] if isinstance(input_tensors["pair"], list) else [input_tensors["pair"]]
        rows = [row for pair in pairs for row in pair.rows()]
        # One long response may have hundreds of windows, which would not fit into memory together.
        at_once = max(len(pairs), _WINDOWS_AT_ONCE)
        scored = [self._score(rows[start : start + at_once]) for start in range(0, len(rows), at_once)]
        row_probabilities = [probabilities for batch in scored for probabilities in batch]
        return {"pair": pairs, "probabilities": list(join_windows(pairs, row_probabilities))}

    def _score(self, rows: Sequence[Mapping[str, list[int]]]) -> list[Probabilities]:
        """For each row the probabilities `(mechanism, level)` and `(mechanism, token)`, padding included."""
        batch = pad_posts(rows, self.tokenizer.pad_token_id, at_least=self.model.config.padded_length)
        output = self.model(**{name: tensor.to(self.device) for name, tensor in batch.items()})
        probabilities = self.model.probabilities(output.empathy_logits, output.rationale_logits)
        return list(zip(*probabilities, strict=True))

    def postprocess(self, model_outputs: dict[str, Any], **options: Any) -> dict[str, Any]:
        pair, probabilities = model_outputs["pair"], model_outputs["probabilities"]
        if isinstance(pair, list):  # where pairs come one by one, nothing takes the batch apart
            [pair], [probabilities] = pair, probabilities
        return describe_pair(pair, probabilities, self.model.config, ResultOptions(**options))


def _load(model: str | os.PathLike[str] | None, **kwargs: Any) -> tuple[EmpathyModel, PreTrainedTokenizerBase]:
    """Model and tokenizer of a folder or a repository; without either, those that are part of the package."""
    try:
        # By name, because this file also works where the package is not installed. It knows packed checkpoints.
        loading = importlib.import_module("modeling_empathy.checkpoints.loading")
    except ImportError:
        if model is None:
            raise
        loaded = EmpathyModel.from_pretrained(model, **kwargs)
        repository_options = {name: value for name, value in kwargs.items() if name in _REPOSITORY_OPTIONS}
        return loaded, own_tokenizer(model, loaded.config, **repository_options)
    return loading.load_pretrained(model, **kwargs)


def own_tokenizer(model: str | os.PathLike[str], config: EmpathyConfig, **kwargs: Any) -> PreTrainedTokenizerBase:
    """The tokenizer that was saved with a checkpoint, a folder or a name on the Hub.

    Raises:
        ValueError: If it can't be loaded without running code of the checkpoint, or is none of this model.
        OSError: If there is none.
    """
    # Left out, transformers would ask on standard input whether to run code that comes with a tokenizer, and there may
    # be the pairs, whose first line would be the answer.
    tokenizer = AutoTokenizer.from_pretrained(model, config=config, trust_remote_code=False, **kwargs)
    if not tokenizer.is_fast:
        raise ValueError("it is no fast tokenizer, and rationales need its character offsets")
    if tokenizer.pad_token_id is None:
        raise ValueError("it has no padding token")
    # A word behind the last embedding would end the run at the first post that has it, or on a GPU the process.
    vocab_size = config.encoder_config.vocab_size
    if len(tokenizer) > vocab_size:
        raise ValueError(f"it has {len(tokenizer)} tokens, and the encoder {vocab_size}")
    return tokenizer


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
        # The posts' names first: a data set may well have a column `text` beside them.
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
