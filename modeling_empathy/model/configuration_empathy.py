"""Configuration of the empathy bi-encoder: what is scored, how the two encoders meet, how the losses are weighed."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, __version__
from transformers.configuration_utils import PreTrainedConfig
from transformers.utils import logging

from .configuration_checks import as_list, check_encoder, check_labels, check_values
from .mechanisms import LEVELS, MECHANISMS


logger = logging.get_logger(__name__)

# In a `config.json`: attention and expert kernels, which may name a repository whose code is downloaded and run.
_KERNELS = (
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
)
# And, of a nested configuration, classes from elsewhere. Whoever trusts the code of a checkpoint trusts the files
# beside it, not what they go on to name.
_BRINGS_CODE = ("auto_map", "trust_remote_code", "custom_pipelines", *_KERNELS)
# The attention that torch itself has; whatever else is asked for is for a program to say, and not for a file.
_ATTENTION_OF_TORCH = ("eager", "sdpa", "flex_attention")


class EmpathyConfig(PreTrainedConfig):
    """Configuration of an [`EmpathyModel`].

    Args:
        encoder_config: Configuration of the encoder that both posts go through, an instance or a dict with its
            `model_type`. Only architectures that transformers itself ships are accepted; roberta-base when left out.
        mechanisms: The mechanisms of empathy that the model scores, one to three, in the order of its logits.
        share_responder_encoder: Whether the mechanisms share one response encoder or own one each (as published).
        freeze_seeker_encoder: Whether the seeker encoder stays as it was pretrained (as published).
        seeker_dropout: Whether a frozen seeker encoder keeps its dropout in training, as in the original code.
        attend_to_padding: Whether the cross-attention sees padded seeker positions, as in the original code. Outputs
            then depend on how long the padding is, so that both posts are padded to `max_post_length`.
        cross_attention_norm: Whether a layer norm follows the residual of the cross-attention. The original has none.
        level_pooling: What the level head reads: `"first_token"` of the response (as published), or `"rationale"`,
            the first token beside the mean of the response weighted by each token's rationale probability, or
            `"context"`, these and how near the response and its rationale are to the seeker post: the cosines of their
            mean states.
        lambda_EI: Weight of the identification loss (Sharma et al. 2020, section 4.2).
        lambda_RE: Weight of the rationale loss.
        lambda_context: Weight of the matching loss, which asks of a response that shows a mechanism which of the
            batch's seeker posts it answers; it keeps both posts' states comparable.
        level_weights: Weight of each level in the identification loss, `(mechanism, level)`; all 1 when left out.
        level_smoothing: Share of a level's label that the identification loss spreads over all levels, from 0 to below
            1 (label smoothing): annotators disagree, and the same pair occurs with different levels.
        level_temperatures: For each mechanism, what its level logits are divided by before they become probabilities
            (Guo et al., ICML 2017), fitted on held-out pairs; 1 when left out. The logits themselves are untouched.
        rationale_unit: What belongs to a rationale or not: each `"token"` (as published), or each `"clause"` as a
            whole, by the mean probability of its tokens; then every response has at least one.
        rationale_thresholds: For each mechanism, the probability from which a unit belongs to the rationale.
        head_dropout: Dropout of what the cross-attention adds and before the rationale head.
        level_dropout: Dropout of the attention weights and in the level head; `head_dropout` when left out.
        max_post_length: Tokens of a post, special tokens included, that training saw; longer seeker posts are cut.
        window_stride: Longer responses are scored to their end, in windows that share this many tokens, at
            most half of each; without it, as in older checkpoints, and in models that attend to padding they are cut.
        initializer_range: Standard deviation of freshly initialized linear layers.

    Raises:
        ValueError: Names the argument whose value makes no model, and what it may be.
    """

    model_type = "empathy"
    sub_configs = {"encoder_config": AutoConfig}  # noqa: RUF012 - transformers reads it from the class
    keys_to_ignore_at_inference = ["identification_loss", "rationale_loss"]  # noqa: RUF012 - likewise

    def __init__(
        self,
        encoder_config: PreTrainedConfig | dict[str, Any] | None = None,
        mechanisms: Sequence[str] = MECHANISMS,
        share_responder_encoder: bool = True,
        freeze_seeker_encoder: bool = True,
        seeker_dropout: bool = False,
        attend_to_padding: bool = False,
        cross_attention_norm: bool = True,
        level_pooling: str = "rationale",
        lambda_EI: float = 0.5,
        lambda_RE: float = 0.5,
        lambda_context: float = 0.0,
        level_weights: Sequence[Sequence[float]] | None = None,
        level_smoothing: float = 0.0,
        level_temperatures: Sequence[float] | None = None,
        rationale_unit: str = "token",
        rationale_thresholds: Sequence[float] | None = None,
        head_dropout: float = 0.1,
        level_dropout: float | None = None,
        max_post_length: int = 128,
        window_stride: int | None = None,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ) -> None:
        self.encoder_config = _encoder_config(encoder_config)
        self.mechanisms = as_list("mechanisms", mechanisms)
        self.share_responder_encoder = share_responder_encoder
        self.freeze_seeker_encoder = freeze_seeker_encoder
        self.seeker_dropout = seeker_dropout
        self.attend_to_padding = attend_to_padding
        self.cross_attention_norm = cross_attention_norm
        self.level_pooling = level_pooling
        self.lambda_EI = lambda_EI
        self.lambda_RE = lambda_RE
        self.lambda_context = lambda_context
        self.level_weights = None
        if level_weights is not None:
            table = as_list("level_weights", level_weights)
            self.level_weights = [as_list("level_weights", weights) for weights in table]
        self.level_smoothing = level_smoothing
        count = len(self.mechanisms)
        level_temperatures = [1.0] * count if level_temperatures is None else level_temperatures
        self.level_temperatures = as_list("level_temperatures", level_temperatures)
        self.rationale_unit = rationale_unit
        rationale_thresholds = [0.5] * count if rationale_thresholds is None else rationale_thresholds
        self.rationale_thresholds = as_list("rationale_thresholds", rationale_thresholds)
        self.head_dropout = head_dropout
        self.level_dropout = head_dropout if level_dropout is None else level_dropout
        self.max_post_length = max_post_length
        self.window_stride = window_stride
        self.initializer_range = initializer_range
        check_values(vars(self))
        check_encoder(self.encoder_config, max_post_length)
        # What `pipeline(model=..., trust_remote_code=True)` runs; the file travels with the model.
        kwargs["custom_pipelines"] = {"empathy": {"impl": "pipeline_empathy.EmpathyPipeline", "pt": ["AutoModel"]}}
        # The base class would call two levels LABEL_0 and LABEL_1.
        if kwargs.get("id2label") is None:
            kwargs["id2label"] = dict(enumerate(LEVELS))
            kwargs["label2id"] = {level: index for index, level in enumerate(LEVELS)}
        # Behind the attributes: it hands the attention implementation on to `encoder_config`.
        super().__init__(**kwargs)
        check_labels(self.id2label)

    @classmethod
    def from_dict(cls, config_dict: dict[str, Any], **kwargs: Any) -> EmpathyConfig:
        """As the base class's, of what a file has; kernels that are not torch's own are left out with a warning.

        Args:
            config_dict: What stands in a `config.json`.
            **kwargs: What a program asks for, `attn_implementation` among it, which is taken as it is.

        Raises:
            ValueError: If it is of another model, or a value makes no model.
        """
        model_type = config_dict.get("model_type")
        # The base class warns and goes on, with every value that ours has and the other lacks at its default.
        if model_type != cls.model_type:
            raise ValueError(f"model_type={model_type!r}: this is not the configuration of an empathy model.")
        # Whatever a file has becomes an attribute: one named after a method would take its place.
        hiding = [name for name in config_dict if callable(getattr(cls, name, None))]
        if hiding:
            raise ValueError(f"{hiding[0]!r} is no name of a value in a configuration.")
        unwanted = {name: config_dict[name] for name in _KERNELS if name in config_dict}
        foreign = [value for value in unwanted.values() if value is not None and value not in _ATTENTION_OF_TORCH]
        if foreign:
            logger.warning(f"config.json asks for kernels that are not torch's own, which are not used: {foreign!r}")
            config_dict = {name: value for name, value in config_dict.items() if name not in unwanted}
        try:
            config: EmpathyConfig = super().from_dict(config_dict, **kwargs)
        except ValueError:
            raise
        # Of every class, by where transformers stumbles over a value that is its own and not ours.
        except Exception as error:
            raise ValueError(f"The configuration can't be used: {' '.join(str(error).split())}") from None
        return config

    @property
    def padded_length(self) -> int:
        """Tokens that posts are padded to in any case: `max_post_length` where padding is attended to, 0 elsewhere."""
        return self.max_post_length if self.attend_to_padding else 0

    def responder_index(self, mechanism: str) -> int:
        """Which of the response encoders a mechanism reads."""
        return 0 if self.share_responder_encoder else self.mechanisms.index(mechanism)

    @property
    def hidden_size(self) -> int:
        """Width of the token states, the encoder's own."""
        return self.encoder_config.hidden_size


def _encoder_config(encoder_config: PreTrainedConfig | dict[str, Any] | None) -> PreTrainedConfig:
    # An instance may come from a user's program, a dict from the `config.json` of a stranger's checkpoint.
    if isinstance(encoder_config, PreTrainedConfig):
        _check_ships(type(encoder_config))
        built = encoder_config
    else:
        built = _encoder_config_of(encoder_config or {"model_type": "roberta"})
    # An instance may have it from the checkpoint that it was loaded from; saved with it, ours would name that code.
    if getattr(built, "auto_map", None):
        del built.auto_map
    return built


def _encoder_config_of(values: Mapping[str, Any]) -> PreTrainedConfig:
    """The configuration of an encoder that a file describes."""
    if not isinstance(values, Mapping):
        raise ValueError(f"encoder_config={values!r}: expected names and values.")
    values = _without_code(values)
    model_type = values.pop("model_type", None)
    if model_type is None:
        raise ValueError("encoder_config has no `model_type`: give the configuration of a transformers encoder.")
    if not isinstance(model_type, str) or model_type not in CONFIG_MAPPING:
        raise ValueError(f"encoder_config has model_type={model_type!r}, which transformers {__version__} lacks.")
    _check_ships(CONFIG_MAPPING[model_type])
    try:
        built: PreTrainedConfig = AutoConfig.for_model(model_type, **values)
    # Of every class, by where transformers stumbles over a value.
    except Exception as error:
        raise ValueError(f"encoder_config can't be used: {' '.join(str(error).split())}") from None
    return built


def _check_ships(config_class: type) -> None:
    # Others could have been registered by code that came with a checkpoint.
    if not config_class.__module__.startswith("transformers."):
        raise ValueError(
            f"encoder_config is a {config_class.__name__} of {config_class.__module__}: only encoders that "
            "transformers itself ships are built."
        )


def pretrained_encoder_config(encoder: str | os.PathLike[str], **kwargs: Any) -> PreTrainedConfig:
    """The configuration of a pretrained encoder, of transformers' own classes and with torch's own attention.

    Args:
        encoder: A folder, or a name on the Hub.
        **kwargs: What the Hub is asked with.
    """
    config: PreTrainedConfig = AutoConfig.from_pretrained(encoder, trust_remote_code=False, **kwargs)
    # transformers would download the kernel that a file names; None leaves the choice to the architecture.
    if config._attn_implementation not in _ATTENTION_OF_TORCH:
        config._attn_implementation = None
    return config


def _without_code(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration from a file, at no depth with what would bring code of its own or have it downloaded."""
    kept = {name: value for name, value in values.items() if name not in _BRINGS_CODE}
    return {name: _without_code(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


EmpathyConfig.register_for_auto_class()
