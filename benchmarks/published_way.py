"""How the published code scores and trains, written plainly: the baseline that every speed is a ratio to.

One model for each mechanism; one pair at a time when scoring; both posts padded to 64 tokens; the seeker encoder run
for each mechanism anew.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import datasets
import torch
from transformers import PreTrainedTokenizerBase, get_linear_schedule_with_warmup, set_seed

from modeling_empathy import EmpathyConfig, EmpathyModel
from modeling_empathy.corpus.features import EmpathyDataCollator, build_features
from modeling_empathy.encoders import load_tokenizer, resolve_encoder
from modeling_empathy.evaluation.metrics import identification_metrics


PADDED_LENGTH = 64


def separate_models(model: EmpathyModel) -> list[EmpathyModel]:
    """A model for each mechanism, each with encoders of its own, with the weights of one of all mechanisms."""
    models = []
    for mechanism in model.config.mechanisms:
        values = model.config.to_dict() | {"mechanisms": [mechanism]}
        temperature = model.config.level_temperatures[model.config.mechanisms.index(mechanism)]
        values |= {"rationale_thresholds": None, "level_weights": None, "level_temperatures": [temperature]}
        single = EmpathyModel(EmpathyConfig.from_dict(values))
        single.seeker_encoder.load_state_dict(model.seeker_encoder.state_dict())
        responder = model.responder_encoders[model.config.responder_index(mechanism)]
        single.responder_encoders[0].load_state_dict(responder.state_dict())
        single.mechanism_heads[mechanism].load_state_dict(model.mechanism_heads[mechanism].state_dict())
        models.append(single.eval())
    return models


class PublishedScorer:
    """Scores one pair at a time with three models."""

    def __init__(self, models: list[EmpathyModel], tokenizer: PreTrainedTokenizerBase) -> None:
        self.models, self.tokenizer = models, tokenizer

    @torch.no_grad()
    def score(self, seeker_post: str, response_post: str) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """For each mechanism the probabilities `(level,)` and `(token,)`, padding included."""
        scores = []
        for model in self.models:
            posts = [
                self.tokenizer(
                    post, truncation=True, padding="max_length", max_length=PADDED_LENGTH, return_tensors="pt"
                ).to(model.device)
                for post in (seeker_post, response_post)
            ]
            output = model(
                posts[0]["input_ids"], posts[0]["attention_mask"], posts[1]["input_ids"], posts[1]["attention_mask"]
            )
            levels, tokens = model.probabilities(output.empathy_logits, output.rationale_logits)
            scores.append((levels[0, 0], tokens[0, 0]))
        return scores


class PublishedTrainer:
    """Trains the model of one mechanism: batches of 32, 4 epochs, everything padded, in fp32.

    Args:
        encoder: What the encoders start from.
        mechanism: The mechanism.
        corpus: Its splits.
        seed: Of the order, the heads and dropout.
    """

    batch_size, epochs, learning_rate = 32, 4, 2e-5

    def __init__(self, encoder: str, mechanism: str, corpus: datasets.DatasetDict, seed: int = 12) -> None:
        set_seed(seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.tokenizer = load_tokenizer(encoder, as_original=True)
        self.model = EmpathyModel.from_encoder(
            resolve_encoder(encoder),
            [mechanism],
            share_responder_encoder=False,
            seeker_dropout=True,
            attend_to_padding=True,
            cross_attention_norm=False,
            level_pooling="first_token",
            max_post_length=PADDED_LENGTH,
            lambda_EI=1.0,  # as the commands of its README; its code has 0.5
        ).to(self.device)
        self.train_rows, self.validation = (
            build_features(
                corpus[split], self.tokenizer, [mechanism], max_length=PADDED_LENGTH, unannotated="original"
            )
            for split in ("train", "validation")
        )
        self.collate = EmpathyDataCollator(self.tokenizer.pad_token_id, pad_to_length=PADDED_LENGTH)
        self.steps = -(-len(self.train_rows) // self.batch_size) * self.epochs

    def train(self, most_steps: int | None = None) -> list[float]:
        """Trains to the end, or for so many steps; the seconds of each step."""
        self.model.train()
        trained = [weight for weight in self.model.parameters() if weight.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=self.learning_rate, weight_decay=0.0)
        schedule = get_linear_schedule_with_warmup(optimizer, 0, self.steps)
        seconds: list[float] = []
        for _ in range(self.epochs):
            order = torch.randperm(len(self.train_rows)).tolist()
            for start in range(0, len(order), self.batch_size):
                if len(seconds) == most_steps:
                    return seconds
                began = time.perf_counter()
                self.model(**self._batch(self.train_rows, order[start : start + self.batch_size])).loss.backward()
                torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
                optimizer.step()
                schedule.step()
                optimizer.zero_grad()
                if self.device.type == "cuda":
                    torch.cuda.synchronize()
                seconds.append(time.perf_counter() - began)
        return seconds

    @torch.no_grad()
    def macro_f1(self) -> float:
        """Of the levels of the validation split."""
        self.model.eval()
        predicted: list[int] = []
        for start in range(0, len(self.validation), self.batch_size):
            rows = range(start, min(start + self.batch_size, len(self.validation)))
            predicted += self.model(**self._batch(self.validation, rows)).empathy_logits[:, 0].argmax(-1).tolist()
        annotated = [levels[0] for levels in self.validation["empathy_labels"]]
        return identification_metrics(predicted, annotated)["macro_f1"]

    def _batch(self, split: datasets.Dataset, rows: Iterable[int]) -> dict[str, torch.Tensor]:
        batch = self.collate([split[row] for row in rows])
        return {name: tensor.to(self.device) for name, tensor in batch.items()}
