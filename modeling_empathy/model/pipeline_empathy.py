"""The pipeline: pairs of posts in, levels and the words that show them out."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase
from transformers.pipelines import Pipeline

from .configuration_empathy import EmpathyConfig
from .encoded_pairs import OWN_STRIDE, EncodedPair, checked_lengths, encode_pairs, pad_posts
from .modeling_empathy import EmpathyModel
from .option_values import whole_number
from .pair_inputs import PostPair, checked_pair, in_chunks, read_pairs
from .results import Probabilities, ResultOptions, describe_pair, join_windows, not_finite


# What `from_pretrained` passes on to the model and, of that, to the tokenizer.
_REPOSITORY_OPTIONS = ("revision", "token", "cache_dir", "local_files_only", "subfolder")
_MODEL_OPTIONS = (*_REPOSITORY_OPTIONS, "dtype", "device_map", "attn_implementation")
# Windows of long responses that are read at once, where the batch has fewer pairs.
_WINDOWS_AT_ONCE = 32


class EmpathyPipeline(Pipeline):
    """Scores pairs of a seeker post and a response post.

    A pair is a dict with `seeker_post` and `response_post` (further keys are ignored), or a tuple or list of the two
    strings, neither of them blank. A list or tuple of pairs gives a list of results; a generator, a data set or any
    other iterable gives an iterator of them. So does a `pandas.DataFrame` with these columns, or a dict of them,
    `{"seeker_post": data["seeker_post"], "response_post": ...}`, lists giving a list. Results come in the order of the
    pairs. Threads may share a pipeline, each with options of its own.

    For each pair the result holds, for each mechanism, `level` (0, 1, 2), `label` ("no", "weak", "strong"), `score`
    (the label's probability) and `rationales` (a list of `{start, end, text, score}`, offsets in characters of the
    response; none at level 0), and `truncated`, which of the two posts were longer than `max_length` tokens and were
    scored without their end.

    Args:
        max_length: Tokens of a post, special tokens included; what the model was trained with when left out.
        stride: Scores a response of more than `max_length` tokens to its end, in windows that share this many tokens.
            Of each mechanism the level is that of the window that shows it most strongly (by its expected level), and
            a token's rationale probability the mean over the windows it is in. With None, the response is cut. Left
            out, it is the `window_stride` of the model's configuration, but with `token_mask` the response is cut.
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
    def from_pretrained(
        cls, model: str | os.PathLike[str], *, window_stride: Any = OWN_STRIDE, **kwargs: Any
    ) -> EmpathyPipeline:
        """Loads model and tokenizer from a folder or the Hub.

        Args:
            model: The folder, or the repository's name.
            window_stride: In place of what the model's configuration says; None to cut long responses.
            **kwargs: Those of `from_pretrained` (`revision`, `token`, `cache_dir`, `local_files_only`, `dtype`,
                `device_map`, `attn_implementation`), and those of the pipeline (`device`, `batch_size`, the class's).
        """
        model_options = {name: kwargs.pop(name) for name in _MODEL_OPTIONS if name in kwargs}
        loaded, tokenizer = _load(model, **model_options)
        if window_stride != OWN_STRIDE:
            loaded.config.window_stride = window_stride
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
        """Scores one pair, a list, a generator or a data set of pairs; see the class.

        Raises:
            ValueError: If an option can't be used, or something is no pair: now where all of them are there, and where
                they come one by one, when it is its turn, behind the results of those before it.
        """
        sizes = (kwargs.pop("batch_size", None), self._batch_size, 1)
        batch_size = whole_number("batch_size", next(size for size in sizes if size is not None), 1)
        # Now, and not when the first result is asked for. How many workers there are is an option of the base class.
        self._sanitize_parameters(**{name: value for name, value in kwargs.items() if name != "num_workers"})
        pairs = read_pairs(inputs)
        if isinstance(pairs, list) and not pairs:
            return []
        if isinstance(pairs, (PostPair, list)):
            return super().__call__(pairs, batch_size=batch_size, **kwargs)
        return self._stream(pairs, batch_size, **kwargs)

    def _stream(self, pairs: Iterator[PostPair], batch_size: int, **kwargs: Any) -> Iterator[dict[str, Any]]:
        """Scores any iterable, a batch at a time; the base class streams generators and data sets alone."""
        for batch in in_chunks(pairs, batch_size):
            yield from super().__call__(batch, batch_size=batch_size, **kwargs)

    def _sanitize_parameters(
        self, max_length: int | None = None, stride: int | str | None = OWN_STRIDE, **options: Any
    ) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
        checked = ResultOptions.checked(self.model.config, options)
        chosen = {name: getattr(checked, name) for name, value in options.items() if value is not None}
        given: dict[str, Any] = {} if max_length is None else {"max_length": max_length}
        if not (isinstance(stride, str) and stride == OWN_STRIDE):
            given["stride"] = stride
        if "token_mask" in chosen:
            given["token_mask"] = chosen["token_mask"]
        # What is left out keeps what the pipeline was made with, and must go together with it.
        checked_lengths(self.tokenizer, self.model.config, **{**getattr(self, "_preprocess_params", {}), **given})
        return given, {}, chosen

    def preprocess(self, input_: Any, **lengths_given: Any) -> dict[str, Any]:
        pair = input_ if isinstance(input_, PostPair) else checked_pair(input_)
        lengths = checked_lengths(self.tokenizer, self.model.config, **lengths_given)
        return {"pair": encode_pairs(self.tokenizer, [pair], *lengths)[0]}

    def _forward(self, input_tensors: dict[str, Any]) -> dict[str, Any]:
        # Pairs travel unpadded and as objects, so that the base class's collator leaves them alone: it pads only
        # `input_ids` with the tokenizer's pad id, and everything else with 0, which is a word in some vocabularies.
        pairs = input_tensors["pair"] if isinstance(input_tensors["pair"], list) else [input_tensors["pair"]]
        rows = [(pair, row) for pair in pairs for row in pair.rows()]
        # One long response may have hundreds of windows, which would not fit into memory together.
        at_once = max(len(pairs), _WINDOWS_AT_ONCE)
        scored = [self._score(rows[start : start + at_once]) for start in range(0, len(rows), at_once)]
        row_probabilities = [probabilities for batch in scored for probabilities in batch]
        return {"pair": pairs, "probabilities": list(join_windows(pairs, row_probabilities))}

    def _score(self, rows: Sequence[tuple[EncodedPair, Mapping[str, list[int]]]]) -> list[Probabilities]:
        """For each row the probabilities `(mechanism, level)` and `(mechanism, token)`, padding included."""
        posts = [row for _, row in rows]
        batch = pad_posts(posts, self.tokenizer.pad_token_id, at_least=self.model.config.padded_length)
        output = self.model(**{name: tensor.to(self.device) for name, tensor in batch.items()})
        levels, rationales = self.model.probabilities(output.empathy_logits, output.rationale_logits)
        levels, rationales = levels.cpu(), rationales.cpu()
        if problem := not_finite((pair for pair, _ in rows), levels, rationales):
            raise ValueError(problem)
        return list(zip(levels, rationales, strict=True))

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
    check_vocabulary(tokenizer, config)
    return tokenizer


def check_vocabulary(tokenizer: PreTrainedTokenizerBase, config: EmpathyConfig) -> None:
    """Raises a `ValueError` if a tokenizer has more tokens than the encoder has embeddings."""
    # A word behind the last embedding would end the run at the first post that has it, or on a GPU the process.
    vocab_size = config.encoder_config.vocab_size
    if len(tokenizer) > vocab_size:
        raise ValueError(f"it has {len(tokenizer)} tokens, and the encoder {vocab_size}")
