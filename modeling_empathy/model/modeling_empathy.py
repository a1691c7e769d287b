"""The empathy bi-encoder: two encoders, one cross-attention, a level head and a rationale head for each mechanism.

Sharma et al. (EMNLP 2020), section 4.1: the response attends to the seeker post; from the attended response one head
identifies the level at which a mechanism is communicated, the other extracts the words that show it.
"""

from __future__ import annotations

import inspect
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn
from transformers import AutoModel
from transformers.configuration_utils import PreTrainedConfig
from transformers.modeling_utils import PreTrainedModel
from transformers.models.auto.modeling_auto import MODEL_MAPPING
from transformers.utils import ModelOutput
from transformers.utils.generic import can_return_tuple

from .configuration_empathy import EmpathyConfig, pretrained_encoder_config
from .heads import MechanismHead, mean_state
from .losses import identification_loss, matching_loss, rationale_loss
from .mechanisms import MECHANISMS
from .weight_checks import check_finite, check_loaded


if TYPE_CHECKING:
    # What copies a checkpoint's code follows the relative imports of this file, run or not: by this mention the
    # pipeline travels with the model, and with it all that it imports.
    from .pipeline_empathy import EmpathyPipeline  # noqa: F401


@dataclass
class EmpathyOutput(ModelOutput):
    """What an [`EmpathyModel`] computes for a batch.

    Attributes:
        loss: `lambda_EI * identification_loss + lambda_RE * rationale_loss`, a scalar, of the losses whose labels were
            given; in training, `lambda_context` times the matching loss is added.
        empathy_logits: `(batch, mechanism, level)`.
        rationale_logits: `(batch, mechanism, token, 2)` over the response's tokens; index 1 is "in the rationale".
        identification_loss: Mean cross-entropy over labelled (pair, mechanism), a scalar.
        rationale_loss: Mean cross-entropy over labelled response tokens of all mechanisms, a scalar.
    """

    loss: torch.Tensor | None = None
    empathy_logits: torch.Tensor | None = None
    rationale_logits: torch.Tensor | None = None
    identification_loss: torch.Tensor | None = None
    rationale_loss: torch.Tensor | None = None


class EmpathyPreTrainedModel(PreTrainedModel):
    """What transformers needs to know to initialize, load and run the model."""

    config: EmpathyConfig
    config_class = EmpathyConfig
    base_model_prefix = "empathy"
    supports_gradient_checkpointing = True
    # Without these, transformers refuses to switch the attention of the whole. What is switched is that of the
    # encoders; each states what it supports when it is built.
    _supports_sdpa = True
    _supports_flash_attn = True
    _supports_flex_attn = True
    _supports_attention_backend = True


class EmpathyModel(EmpathyPreTrainedModel):
    """Scores a response to a seeker post: the level of each mechanism, and the response tokens that show it.

    Example:
        ```python
        >>> model = EmpathyModel.from_encoder("roberta-base", mechanisms=["explorations"])
        >>> model.save_pretrained("my-model")
        >>> model = EmpathyModel.from_pretrained("my-model")
        ```
    """

    def __init__(self, config: EmpathyConfig) -> None:
        super().__init__(config)
        self.seeker_encoder = _build_encoder(config.encoder_config)
        responders = 1 if config.share_responder_encoder else len(config.mechanisms)
        self.responder_encoders = nn.ModuleList(_build_encoder(config.encoder_config) for _ in range(responders))
        self.mechanism_heads = nn.ModuleDict({mechanism: MechanismHead(config) for mechanism in config.mechanisms})
        self.post_init()
        # Here for models that are built anew; `from_pretrained` comes by `train` once more.
        self._freeze_seeker_encoder()

    @classmethod
    def from_pretrained(cls, pretrained_model_name_or_path: Any, *args: Any, **kwargs: Any) -> Any:
        """As the base class's; weights that don't fit the configuration are an error, where it starts some at random.

        With `ignore_mismatched_sizes=True`, who asks for it gets what the base class gives.

        Raises:
            ValueError: If weights are missing, have no place in the model or another shape, or are not finite; lists
                them.
        """
        wants_loading_info = kwargs.pop("output_loading_info", False)
        is_lenient = kwargs.pop("ignore_mismatched_sizes", False)
        # The base class says which shapes differ only where it may pass over them.
        model, info = super().from_pretrained(
            pretrained_model_name_or_path, *args, output_loading_info=True, ignore_mismatched_sizes=True, **kwargs
        )
        if not is_lenient:
            check_loaded(str(pretrained_model_name_or_path), info)
        check_finite(model)
        return (model, info) if wants_loading_info else model

    @classmethod
    def from_encoder(
        cls,
        encoder: str | os.PathLike[str],
        mechanisms: Sequence[str] = MECHANISMS,
        *,
        share_responder_encoder: bool = True,
        freeze_seeker_encoder: bool = True,
        encoder_kwargs: dict[str, Any] | None = None,
        **config_kwargs: Any,
    ) -> EmpathyModel:
        """Builds a model whose encoders all start from one pretrained encoder; the heads start at random.

        Args:
            encoder: Name on the Hub or folder of any encoder that `AutoModel` loads (RoBERTa, BERT, XLM-R, ...).
            mechanisms: The mechanisms to score, in the order of the logits.
            share_responder_encoder: One response encoder for all mechanisms, or one each.
            freeze_seeker_encoder: Keep the seeker encoder as pretrained.
            encoder_kwargs: What the Hub is asked with: `revision`, `token`, `cache_dir`, `local_files_only`.
            **config_kwargs: Further arguments of [`EmpathyConfig`].

        Raises:
            ValueError: If the pretrained weights lack part of the encoder.
        """
        hub_options = encoder_kwargs or {}
        pretrained = AutoModel.from_pretrained(
            encoder,
            config=pretrained_encoder_config(encoder, **hub_options),
            # Left out, it would be the stored one, which may be half precision: too coarse to train in.
            dtype=torch.float32,
            trust_remote_code=False,
            **hub_options,
        )
        config = EmpathyConfig(
            encoder_config=pretrained.config,
            mechanisms=mechanisms,
            share_responder_encoder=share_responder_encoder,
            freeze_seeker_encoder=freeze_seeker_encoder,
            **config_kwargs,
        )
        if os.path.isdir(encoder):
            config.encoder_config.name_or_path = ""  # A folder of this machine is nobody else's business.
        model = cls(config)
        model.load_encoder_weights(pretrained)
        return model

    def load_encoder_weights(self, pretrained: PreTrainedModel) -> None:
        """Lets the seeker encoder and every response encoder start from one pretrained encoder.

        Args:
            pretrained: Of the architecture in `config.encoder_config`; what it has beyond that is left out.

        Raises:
            ValueError: If the pretrained weights lack part of the encoder.
            RuntimeError: If they are of another shape.
        """
        weights = pretrained.state_dict()
        for encoder in (self.seeker_encoder, *self.responder_encoders):
            # Not strict: a pooler, which the encoders here are built without, has no place to go.
            missing = encoder.load_state_dict(weights, strict=False).missing_keys
            if missing:
                raise ValueError(
                    f"The encoder {pretrained.name_or_path!r} lacks weights: {', '.join(sorted(missing))}."
                )

    # No `**kwargs`: by them the Trainer takes the loss for normalised over all steps whose gradients are accumulated,
    # and does not divide it by their number.
    @can_return_tuple
    def forward(
        self,
        seeker_input_ids: torch.Tensor,
        seeker_attention_mask: torch.Tensor,
        response_input_ids: torch.Tensor,
        response_attention_mask: torch.Tensor,
        empathy_labels: torch.Tensor | None = None,
        rationale_labels: torch.Tensor | None = None,
    ) -> EmpathyOutput:
        """Scores a batch of pairs.

        Args:
            seeker_input_ids: `(batch, seeker_token)`.
            seeker_attention_mask: `(batch, seeker_token)`, 1 for tokens and 0 for padding.
            response_input_ids: `(batch, token)`.
            response_attention_mask: `(batch, token)`.
            empathy_labels: `(batch, mechanism)`, a level's index, or -100 where the level is not known.
            rationale_labels: `(batch, mechanism, token)`, 1 in the rationale, 0 outside, -100 where none is known.

        Returns:
            An [`EmpathyOutput`]; the tuple of its values with `return_dict=False`. Its `loss` is the weighted sum of
            the losses whose labels were given.
        """
        seeker_states = self.seeker_states(seeker_input_ids, seeker_attention_mask)
        response_states = self.response_states(response_input_ids, response_attention_mask)
        empathy_logits, rationale_logits = self.logits(
            response_states, response_attention_mask, seeker_states, seeker_attention_mask
        )

        loss = identification = rationale = None
        if empathy_labels is not None:
            config = self.config
            identification = identification_loss(
                empathy_logits, empathy_labels, config.level_weights, config.level_smoothing
            )
            loss = config.lambda_EI * identification
            # In training alone: it depends on the company in a batch, and evaluation has another.
            if config.lambda_context and self.training:
                seekers = mean_state(seeker_states, seeker_attention_mask)
                shows = (empathy_labels > 0).any(-1)
                matching = [
                    matching_loss(mean_state(states, response_attention_mask), seekers, shows)
                    for states in response_states
                ]
                loss = loss + config.lambda_context * torch.stack(matching).mean()
        if rationale_labels is not None:
            rationale = rationale_loss(rationale_logits, rationale_labels)
            loss = self.config.lambda_RE * rationale + (0.0 if loss is None else loss)
        return EmpathyOutput(
            loss=loss,
            empathy_logits=empathy_logits,
            rationale_logits=rationale_logits,
            identification_loss=identification,
            rationale_loss=rationale,
        )

    def seeker_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
        """Encodes seeker posts.

        Args:
            input_ids: `(post, token)`.
            attention_mask: `(post, token)`.

        Returns:
            `(post, token, hidden)`; without gradient where the seeker encoder is frozen.
        """
        # Both, so that an encoder that is trained does not turn gradients on within a caller's `no_grad`.
        with torch.set_grad_enabled(torch.is_grad_enabled() and not self.config.freeze_seeker_encoder):
            return _encode(self.seeker_encoder, input_ids, attention_mask)

    def response_states(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> list[torch.Tensor]:
        """Encodes responses with each response encoder: `(response, token)` to `(response, token, hidden)`."""
        return [_encode(encoder, input_ids, attention_mask) for encoder in self.responder_encoders]

    def logits(
        self,
        response_states: Sequence[torch.Tensor],
        response_mask: torch.Tensor,
        seeker_states: torch.Tensor,
        seeker_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Scores encoded pairs.

        Args:
            response_states: For each response encoder `(batch, token, hidden)`.
            response_mask: `(batch, token)`.
            seeker_states: `(batch, seeker_token, hidden)`.
            seeker_mask: `(batch, seeker_token)`.

        Returns:
            `(batch, mechanism, level)` and `(batch, mechanism, token, 2)`.
        """
        # Built in the order of `config.mechanisms`, which is that of the logits.
        scored = [
            head(response_states[self.config.responder_index(mechanism)], response_mask, seeker_states, seeker_mask)
            for mechanism, head in self.mechanism_heads.items()
        ]
        empathy_logits, rationale_logits = (torch.stack(logits, dim=1) for logits in zip(*scored, strict=True))
        return empathy_logits, rationale_logits

    def probabilities(
        self, empathy_logits: torch.Tensor, rationale_logits: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Turns logits into probabilities in fp32, those of levels by the temperatures of `config.level_temperatures`.

        Args:
            empathy_logits: `(batch, mechanism, level)`.
            rationale_logits: `(batch, mechanism, token, 2)`.

        Returns:
            `(batch, mechanism, level)`, and of each token to be in the rationale `(batch, mechanism, token)`.
        """
        levels = level_probabilities(empathy_logits, self.config.level_temperatures)
        return levels, rationale_logits.float().softmax(-1)[..., 1]

    def train(self, mode: bool = True) -> EmpathyModel:
        """Switches training on or off; a frozen seeker encoder has no dropout unless `seeker_dropout` says so."""
        super().train(mode)
        self._freeze_seeker_encoder()
        return self

    def _freeze_seeker_encoder(self) -> None:
        # Also called from `train`, because loading a checkpoint replaces the parameters by trainable ones.
        if self.config.freeze_seeker_encoder:
            self.seeker_encoder.train(self.training and self.config.seeker_dropout).requires_grad_(False)


def level_probabilities(empathy_logits: torch.Tensor, temperatures: Sequence[float]) -> torch.Tensor:
    """Turns level logits into probabilities in fp32.

    Args:
        empathy_logits: `(pair, mechanism, level)`.
        temperatures: `(mechanism,)`, what the logits of each are divided by (Guo et al., ICML 2017).

    Returns:
        `(pair, mechanism, level)`.
    """
    divisors = torch.tensor(temperatures, device=empathy_logits.device)
    return (empathy_logits.float() / divisors[:, None]).softmax(-1)


def _build_encoder(config: PreTrainedConfig) -> PreTrainedModel:
    """The bare encoder; without a pooler, which nothing would read and DistributedDataParallel would trip over."""
    # DistilBERT, among others, has no pooler and refuses the argument.
    has_pooler = "add_pooling_layer" in inspect.signature(MODEL_MAPPING[type(config)].__init__).parameters
    options = {"add_pooling_layer": False} if has_pooler else {}
    return AutoModel.from_config(config, trust_remote_code=False, **options)


def _encode(encoder: PreTrainedModel, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
    # By name, because encoders differ in the order of their arguments.
    states: torch.Tensor = encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
    return states


EmpathyModel.register_for_auto_class("AutoModel")
