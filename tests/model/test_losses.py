"""The matching loss beside a version of a few lines; those of levels and rationales are held against the model's."""

import math

import pytest
import torch

from modeling_empathy.model.losses import matching_loss
from tests.tiny_models import batch_of, tiny_model


LENGTHS = [(9, 5), (4, 12), (7, 7)]


def by_hand(responses, seekers, shows, same=()):
    """The mean of `-log` of the share that the own seeker post has in the exponentials of all, one pair at a time."""

    def cosine(one, other):
        return sum(a * b for a, b in zip(one, other, strict=True)) / (math.hypot(*one) * math.hypot(*other))

    losses = []
    for row, response in enumerate(responses):
        if shows[row]:
            others = [column for column in range(len(seekers)) if column == row or {row, column} not in same]
            exponentials = {column: math.exp(cosine(response, seekers[column]) / 0.05) for column in others}
            losses.append(-math.log(exponentials[row] / sum(exponentials.values())))
    return sum(losses) / len(losses)


def test_the_matching_loss_is_that_of_telling_the_own_post_from_the_others():
    torch.manual_seed(0)
    responses, seekers = torch.randn(5, 8), torch.randn(5, 8)
    shows = torch.tensor([True, True, False, True, True])
    expected = by_hand(responses.tolist(), seekers.tolist(), shows.tolist())
    assert matching_loss(responses, seekers, shows).item() == pytest.approx(expected, rel=1e-4)
    # How long a mean state is says nothing.
    assert matching_loss(3 * responses, 0.2 * seekers, shows).item() == pytest.approx(expected, rel=1e-4)


def test_a_post_that_is_in_the_batch_twice_is_no_wrong_answer():
    torch.manual_seed(1)
    responses, seekers = torch.randn(4, 8), torch.randn(4, 8)
    seekers[3] = seekers[1]
    shows = torch.ones(4, dtype=torch.bool)
    expected = by_hand(responses.tolist(), seekers.tolist(), shows.tolist(), same=[{1, 3}])
    assert matching_loss(responses, seekers, shows).item() == pytest.approx(expected, rel=1e-4)


def test_where_no_response_shows_anything_it_is_0_and_has_a_gradient():
    responses = torch.randn(3, 8, requires_grad=True)
    loss = matching_loss(responses, torch.randn(3, 8), torch.zeros(3, dtype=torch.bool))
    loss.backward()
    assert loss.item() == 0 and responses.grad is not None and not responses.grad.any()


def test_it_is_added_in_training_alone_and_reaches_the_response_encoder():
    weighed = {"level_pooling": "context", "head_dropout": 0.0}
    models = {weight: tiny_model(**weighed, lambda_context=weight) for weight in (0.0, 2.0)}
    batch = batch_of(LENGTHS)
    batch["empathy_labels"][:] = 1
    assert models[0.0](**batch).loss == models[2.0](**batch).loss, "in evaluation"
    outputs = {}
    for weight, model in models.items():
        model.train()
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        outputs[weight] = model(**batch)
    with torch.no_grad():
        masks = batch["response_attention_mask"], batch["seeker_attention_mask"]
        model = models[2.0]
        states = (
            model.response_states(batch["response_input_ids"], masks[0])[0],
            model.seeker_states(batch["seeker_input_ids"], masks[1]),
        )
        means = [
            torch.stack([row[: int(length)].mean(0) for row, length in zip(one, mask.sum(-1), strict=True)])
            for one, mask in zip(states, masks, strict=True)
        ]
    expected = by_hand(means[0].tolist(), means[1].tolist(), [True] * 3)
    added = (outputs[2.0].loss - outputs[0.0].loss).item()
    assert added == pytest.approx(2 * expected, rel=1e-3) and added > 0
