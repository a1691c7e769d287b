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
    with remembered_seeker_states(model, memory_gb=memory_gb):
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


def test_what_is_remembered_of_posts_to_come_depends_on_them_alone():
    model, batch = tiny_model(), batch_of([(9, 7), (4, 12), (6, 3)])
    ids, mask = batch["seeker_input_ids"], batch["seeker_attention_mask"]
    posts = [post[post_mask.bool()].tolist() for post, post_mask in zip(ids, mask, strict=True)]

    def states_of(rows: list[list[int]], precision: torch.dtype | None) -> torch.Tensor:
        """Of each post, first met in these batches."""
        with remembered_seeker_states(model, posts):
            for row in rows:
                with torch.autocast("cpu", precision, enabled=precision is not None):
                    model.seeker_states(ids[row], mask[row])
            return model.seeker_states(ids, mask)

    expected = states_of([[0, 1, 2]], None)
    assert expected.dtype == torch.float32
    assert states_of([[2], [1], [0]], None).equal(expected)
    assert states_of([[1, 0]], torch.bfloat16).equal(expected)


def test_posts_to_come_are_encoded_with_those_of_about_their_length(monkeypatch):
    monkeypatch.setattr("modeling_empathy.training.seeker_states._BATCH", 2)
    model = tiny_model()
    shapes = []
    model.seeker_encoder.embeddings.register_forward_hook(lambda module, inputs, output: shapes.append(output.shape))
    posts = [[5] * length for length in (9, 2, 8, 3, 4)]
    with remembered_seeker_states(model, posts):
        model.seeker_states(torch.tensor([posts[2]]), torch.ones(1, 8, dtype=torch.long))
        assert [shape[:2] for shape in shapes] == [(2, 8)], "with the post of 4 tokens, and no others yet"
        model.seeker_states(torch.tensor([posts[0]]), torch.ones(1, 9, dtype=torch.long))
    assert [shape[:2] for shape in shapes] == [(2, 8), (1, 9)]
