"""The heads of a mechanism: what a level is read from."""

import torch

from tests.tiny_models import batch_of, tiny_model


LENGTHS = [(9, 7), (4, 12), (6, 3)]


def test_similarity_to_the_seeker_post_is_what_the_context_pooling_adds():
    model = tiny_model(level_pooling="context")
    batch = {name: tensor for name, tensor in batch_of(LENGTHS).items() if "labels" not in name}
    widths = [head.level.dense.in_features for head in model.mechanism_heads.values()]
    assert widths == [2 * model.config.hidden_size + 2] * 3
    before = model(**batch).empathy_logits
    with torch.no_grad():
        for head in model.mechanism_heads.values():
            head.level.dense.weight[:, -2:] = 0  # the two similarities
    after = model(**batch).empathy_logits
    assert not torch.allclose(before, after)
