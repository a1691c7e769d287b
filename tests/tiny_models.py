"""Models small enough to build in a test, of every encoder family that the tests speak of."""

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModel, set_seed

from modeling_empathy import EmpathyConfig, EmpathyModel
from tests.tokenizers_for_tests import wordpiece_tokenizer


# Family -> pad id; position ids of the RoBERTa families start behind it.
PAD_TOKEN_IDS = {"roberta": 1, "bert": 0, "xlm-roberta": 1, "distilbert": 0}

_SIZES = {
    "vocab_size": 600,
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "max_position_embeddings": 160,
}
_DISTILBERT_SIZES = {
    "vocab_size": 600,
    "dim": 16,
    "n_layers": 2,
    "n_heads": 2,
    "hidden_dim": 32,
    "max_position_embeddings": 160,
}


def tiny_encoder_config(family: str = "roberta") -> Any:
    """A configuration of an encoder with 2 layers and hidden size 16."""
    sizes = _DISTILBERT_SIZES if family == "distilbert" else _SIZES
    return AutoConfig.for_model(family, pad_token_id=PAD_TOKEN_IDS[family], **sizes)


def save_tiny_encoder(folder: Path) -> None:
    """Saves a BERT encoder of random weights, always the same, with its tokenizer, which cuts at 128 tokens."""
    set_seed(0)
    AutoModel.from_config(tiny_encoder_config("bert")).save_pretrained(folder)
    tokenizer = wordpiece_tokenizer()
    tokenizer.model_max_length = 128
    tokenizer.save_pretrained(folder)


def tiny_model(family: str = "roberta", seed: int = 0, **config: Any) -> EmpathyModel:
    """A model in evaluation mode whose weights are random, and large enough that inputs make a difference."""
    set_seed(seed)
    model = EmpathyModel(EmpathyConfig(encoder_config=tiny_encoder_config(family), initializer_range=0.3, **config))
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "encoder" in name and parameter.dim() > 1:
                parameter.mul_(5)
    return model.eval()


def batch_of(
    lengths: list[tuple[int, int]], family: str = "roberta", mechanisms: int = 3, seed: int = 1
) -> dict[str, torch.Tensor]:
    """Random padded pairs with labels.

    Args:
        lengths: Tokens of the seeker post and of the response, for each pair.
        family: Decides the pad id.
        mechanisms: How many mechanisms are labelled.
        seed: Of the random ids and labels.
    """
    generator = torch.Generator().manual_seed(seed)
    batch: dict[str, torch.Tensor] = {}
    for position, post in enumerate(("seeker", "response")):
        longest = max(pair[position] for pair in lengths)
        ids = torch.randint(5, 64, (len(lengths), longest), generator=generator)
        mask = torch.tensor([[int(token < pair[position]) for token in range(longest)] for pair in lengths])
        batch[f"{post}_input_ids"] = ids.masked_fill(mask == 0, PAD_TOKEN_IDS[family])
        batch[f"{post}_attention_mask"] = mask
    batch["empathy_labels"] = torch.randint(0, 3, (len(lengths), mechanisms), generator=generator)
    mask = batch["response_attention_mask"]
    labels = torch.randint(0, 2, (len(lengths), mechanisms, mask.shape[1]), generator=generator)
    batch["rationale_labels"] = labels.masked_fill(mask[:, None] == 0, -100)
    return batch
