"""Remembered seeker states: the same outputs, each distinct post encoded once, and gone afterwards."""

from contextlib import nullcontext

import pytest
import torch

from modeling_empathy.training.seeker_states import remembered_seeker_states
from tests.tiny_models import batch_of, tiny_model


def count_encoded(model) -> list[int]:
    """Counts the posts that go through the seeker encoder's embeddings."""
    rows = []
    model.seeker_encoder.embeddings.register_forward_hook(lambda module, inputs, output: rows.append(len(output)))
    return rows


@pytest.mark.parametrize("memory_gb", [1.0, 0.0, 6 * 16 * 4 / 1e9])  # all in memory, all in a file, one post in memory
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_same_outputs_and_each_post_encoded_once(memory_gb, dtype):
    model, batch = tiny_model().to(dtype), batch_of([(9, 7), (4, 12), (6, 3)])
    # Posts are encoded without each other's padding, which rounds otherwise; in bfloat16 that shows.
    tolerance = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 0.2, "rtol": 0.2}
    expected = model(**batch)
    # In another order each post has other neighbours, and is found again all the same.
    flipped = {name: tensor.flip(0) for name, tensor in batch.items()}
    expected_flipped = model(**flipped)
    encoded = count_encoded(model)
    with remembered_seeker_states(model, memory_gb):
        for inputs, wanted in ((batch, expected), (flipped, expected_flipped), (batch, expected)):
            output = model(**inputs)
            torch.testing.assert_close(output.empathy_logits, wanted.empathy_logits, **tolerance)
            torch.testing.assert_close(output.loss, wanted.loss, **tolerance)
    assert sum(encoded) == 3
    model(**batch)
    assert sum(encoded) == 6, "after the context the encoder works as before"


def test_a_post_that_comes_twice_in_a_batch_is_encoded_once():
    model, batch = tiny_model(), batch_of([(5, 4), (5, 6)])
    batch["seeker_input_ids"][1] = batch["seeker_input_ids"][0]
    encoded = count_encoded(model)
    with remembered_seeker_states(model):
        model(**batch)
    assert encoded == [1]


def test_padding_that_is_attended_to_has_its_own_states():
    model, batch = tiny_model(attend_to_padding=True), batch_of([(9, 7), (4, 12), (6, 3)])
    expected = model(**batch)
    with remembered_seeker_states(model):
        for _ in range(2):
            torch.testing.assert_close(model(**batch).empathy_logits, expected.empathy_logits, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("frozen", [True, False])
def test_training_is_the_same_with_and_without(frozen):
    losses = []
    for remembered in (False, True):
        # Dropout would draw other numbers, as the encoder runs less often.
        model = tiny_model(freeze_seeker_encoder=frozen, head_dropout=0.0)
        optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
        steps = []
        with remembered_seeker_states(model) if remembered else nullcontext():
            for _ in range(3):
                loss = model(**batch_of([(9, 7), (4, 12)])).loss
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
                steps.append(loss.item())
        losses.append(steps)
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)
    assert losses[0][0] != losses[0][2]
