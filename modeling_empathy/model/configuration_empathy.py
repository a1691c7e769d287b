"""Configuration of the empathy bi-encoder: what is scored, how the two encoders meet, how the losses are weighed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from transformers import CONFIG_MAPPING, AutoConfig, __version__
from transformers.configuration_utils import PreTrainedConfig

from .mechanisms import LEVELS, MECHANISMS


LEVEL_POOLINGS = ("first_token", "rationale")
RATIONALE_UNITS = ("token", "clause")

# In a nested configuration: classes from elsewhere, and attention and expert kernels, which may name a repository.
# Whoever trusts the code of a checkpoint trusts the files beside it, not what they go on to name.
_BRINGS_CODE = (
    "auto_map",
    "trust_remote_code",
    "custom_pipelines",
    "attn_implementation",
    "_attn_implementation",
    "_attn_implementation_internal",
    "experts_implementation",
    "_experts_implementation",
    "_experts_implementation_internal",
)


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
            the first token beside the mean of the response weighted by each token's rationale probability.
        lambda_EI: Weight of the identification loss (Sharma et al. 2020, section 4.2).
        lambda_RE: Weight of the rationale loss.
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
        max_post_length: Tokens of a post, special tokens included, that training saw; longer posts are truncated.
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
        level_weights: Sequence[Sequence[float]] | None = None,
        level_smoothing: float = 0.0,
        level_temperatures: Sequence[float] | None = None,
        rationale_unit: str = "token",
        rationale_thresholds: Sequence[float] | None = None,
        head_dropout: float = 0.1,
        level_dropout: float | None = None,
        max_post_length: int = 128,
        initializer_range: float = 0.02,
        **kwargs: Any,
    ) -> None:
        self.encoder_config = _encoder_config(encoder_config)
        self.mechanisms = list(mechanisms)
        self.share_responder_encoder = share_responder_encoder
        self.freeze_seeker_encoder = freeze_seeker_encoder
        self.seeker_dropout = seeker_dropout
        self.attend_to_padding = attend_to_padding
        self.cross_attention_norm = cross_attention_norm
        self.level_pooling = level_pooling
        self.lambda_EI = lambda_EI
        self.lambda_RE = lambda_RE
        self.level_weights = None if level_weights is None else [list(weights) for weights in level_weights]
        self.level_smoothing = level_smoothing
        count = len(self.mechanisms)
        self.level_temperatures = [1.0] * count if level_temperatures is None else list(level_temperatures)
        self.rationale_unit = rationale_unit
        self.rationale_thresholds = [0.5] * count if rationale_thresholds is None else list(rationale_thresholds)
        self.head_dropout = head_dropout
        self.level_dropout = head_dropout if level_dropout is None else level_dropout
        self.max_post_length = max_post_length
        self.initializer_range = initializer_range
        self._check()
        # What `pipeline(model=..., trust_remote_code=True)` runs; the file travels with the model.
        kwargs["custom_pipelines"] = {"empathy": {"impl": "pipeline_empathy.EmpathyPipeline", "pt": ["AutoModel"]}}
        # The base class would call two levels LABEL_0 and LABEL_1.
        if kwargs.get("id2label") is None:
            kwargs["id2label"] = dict(enumerate(LEVELS))
            kwargs["label2id"] = {level: index for index, level in enumerate(LEVELS)}
        # Last, because it hands the attention implementation on to `encoder_config`, which must be there by then.
        super().__init__(**kwargs)

    def _check(self) -> None:
        unknown = [mechanism for mechanism in self.mechanisms if mechanism not in MECHANISMS]
        if unknown or not self.mechanisms or len(set(self.mechanisms)) != len(self.mechanisms):
            raise ValueError(
                f"mechanisms={self.mechanisms!r}: name one to three different ones of {', '.join(MECHANISMS)}."
            )
        for name, choices in (("level_pooling", LEVEL_POOLINGS), ("rationale_unit", RATIONALE_UNITS)):
            if getattr(self, name) not in choices:
                raise ValueError(f"{name}={getattr(self, name)!r}: use one of {', '.join(choices)}.")
        expected = (len(self.mechanisms), len(LEVELS))
        if self.level_weights is not None and [len(row) for row in self.level_weights] != [expected[1]] * expected[0]:
            raise ValueError(f"level_weights={self.level_weights!r}: expected shape {expected}, (mechanism, level).")
        for name in ("level_temperatures", "rationale_thresholds"):
            if len(getattr(self, name)) != len(self.mechanisms):
                raise ValueError(f"{name}={getattr(self, name)!r}: expected one for each of {self.mechanisms!r}.")
        if not 0 <= self.level_smoothing < 1:
            raise ValueError(f"level_smoothing={self.level_smoothing!r}: a share from 0 to below 1.")
        # NaN fails every comparison.
        if not all(0 < temperature < float("inf") for temperature in self.level_temperatures):
            raise ValueError(f"level_temperatures={self.level_temperatures!r}: logits are divided by them; above 0.")

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
        built = encoder_config
    else:
        values = _without_code(encoder_config or {"model_type": "roberta"})
        model_type = values.pop("model_type", None)
        if model_type is None:
            raise ValueError("encoder_config has no `model_type`: give the configuration of a transformers encoder.")
        if model_type not in CONFIG_MAPPING:
            raise ValueError(f"encoder_config has model_type={model_type!r}, which transformers {__version__} lacks.")
        built = AutoConfig.for_model(model_type, **values)
    # Others could have been registered by code that came with a checkpoint.
    if not type(built).__module__.startswith("transformers."):
        raise ValueError(
            f"encoder_config is a {type(built).__name__} of {type(built).__module__}: only encoders that transformers "
            "itself ships are built."
        )
    # An instance may have it from the checkpoint that it was loaded from; saved with it, ours would name that code.
    if getattr(built, "auto_map", None):
        del built.auto_map
    return built


def _without_code(values: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration from a file, at no depth with what would bring code of its own or have it downloaded."""
    kept = {name: value for name, value in values.items() if name not in _BRINGS_CODE}
    return {name: _without_code(value) if isinstance(value, Mapping) else value for name, value in kept.items()}


EmpathyConfig.register_for_auto_class()
