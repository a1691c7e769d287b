"""The original's bi-encoder as its paper and its file format describe it: what conversions are compared with."""

import torch
from torch import nn
from transformers import RobertaConfig, RobertaModel

from modeling_empathy import EmpathyModel
from tests.tiny_models import batch_of


# What the sizes of an original model do not show.
OPTIONS = {"num_attention_heads": 3}


class OriginalBiEncoder(nn.Module):
    """Two RoBERTa encoders, an unmasked one-head cross-attention, two heads; names as in the original's state dict."""

    def __init__(self, config: RobertaConfig) -> None:
        super().__init__()
        size = config.hidden_size

        def part(**modules: nn.Module) -> nn.Module:
            return nn.ModuleDict(modules)

        self.seeker_encoder = part(roberta=RobertaModel(config))
        self.responder_encoder = part(roberta=RobertaModel(config))
        self.attn = part(**{name: nn.Linear(size, size) for name in ("q_linear", "k_linear", "v_linear", "out")})
        self.norm = nn.Module()
        self.norm.alpha = nn.Parameter(torch.randn(size))
        self.norm.bias = nn.Parameter(torch.randn(size))
        self.empathy_classifier = part(dense=nn.Linear(size, size), out_proj=nn.Linear(size, 3))
        self.rationale_classifier = nn.Linear(size, 2)

    def forward(
        self,
        seeker_ids: torch.Tensor,
        seeker_mask: torch.Tensor,
        response_ids: torch.Tensor,
        response_mask: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Level logits `(batch, 3)` and rationale logits `(batch, token, 2)`; posts padded to the fixed length."""
        seeker = self.seeker_encoder["roberta"](seeker_ids, attention_mask=seeker_mask).last_hidden_state
        response = self.responder_encoder["roberta"](response_ids, attention_mask=response_mask).last_hidden_state
        queries, keys, values = (
            self.attn[name](states)
            for name, states in (("q_linear", response), ("k_linear", seeker), ("v_linear", seeker))
        )
        weights = (queries @ keys.transpose(1, 2) / queries.shape[-1] ** 0.5).softmax(-1)
        response = response + self.attn["out"](weights @ values)
        hidden = torch.relu(self.empathy_classifier["dense"](response[:, 0]))
        return self.empathy_classifier["out_proj"](hidden), self.rationale_classifier(response)


def original_model(seed: int = 0, frozen_from: "OriginalBiEncoder | None" = None, **sizes: float) -> OriginalBiEncoder:
    """A small original model with random weights, in evaluation mode.

    Args:
        seed: Of the weights.
        frozen_from: A model whose seeker encoder this one shares, as frozen ones do.
        sizes: Of the encoders, where they are to differ from the defaults here.
    """
    torch.manual_seed(seed)
    defaults = {
        "vocab_size": 600,
        "hidden_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 3,
        "intermediate_size": 40,
        "max_position_embeddings": 70,
        "type_vocab_size": 1,
        "layer_norm_eps": 1e-5,
    }
    model = OriginalBiEncoder(RobertaConfig(initializer_range=0.3, **(defaults | sizes))).eval()
    if frozen_from is not None:
        model.seeker_encoder.load_state_dict(frozen_from.seeker_encoder.state_dict())
    return model


def padded_batch(length: int = 64) -> dict[str, torch.Tensor]:
    """Posts of several lengths, all padded to one."""
    batch = batch_of([(9, 7), (4, length), (length, 3)])
    return {name: tensor for name, tensor in batch.items() if not name.endswith("labels")}


def outputs(model: EmpathyModel | OriginalBiEncoder, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, ...]:
    """In double precision, where rounding can't hide or feign a difference."""
    with torch.inference_mode():
        output = model.double()(*batch.values())
    return tuple(output) if isinstance(model, OriginalBiEncoder) else (output.empathy_logits, output.rationale_logits)
