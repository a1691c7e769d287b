"""The model as transformers tests its own: save and load, padding, batches, precision, and the losses by hand."""

import json

import pytest
import torch
from transformers import AutoConfig, AutoModel

from modeling_empathy import MECHANISMS, EmpathyConfig, EmpathyModel
from modeling_empathy.model.weight_checks import check_finite
from tests.tiny_models import PAD_TOKEN_IDS, batch_of, tiny_encoder_config, tiny_model


FAMILIES = list(PAD_TOKEN_IDS)
LENGTHS = [(9, 7), (4, 12), (6, 3)]


def without_labels(batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in batch.items() if "labels" not in name}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("share_responder_encoder", [True, False])
@pytest.mark.parametrize("mechanisms", [MECHANISMS, ("explorations",)])
def test_shapes_and_losses_for_every_family(family, share_responder_encoder, mechanisms):
    model = tiny_model(family, mechanisms=mechanisms, share_responder_encoder=share_responder_encoder)
    output = model(**batch_of(LENGTHS, family, len(mechanisms)))
    assert output.empathy_logits.shape == (3, len(mechanisms), 3)
    assert output.rationale_logits.shape == (3, len(mechanisms), 12, 2)
    assert len(model.responder_encoders) == (1 if share_responder_encoder else len(mechanisms))
    # The weights of the losses are a half each unless the configuration says otherwise.
    expected = 0.5 * output.identification_loss + 0.5 * output.rationale_loss
    torch.testing.assert_close(output.loss, expected)
    assert output.loss > 0


@pytest.mark.parametrize("family", FAMILIES)
def test_save_and_load_gives_the_same_outputs(family, tmp_path):
    model = tiny_model(family, level_weights=[[1.0, 2.0, 3.0]] * 3, share_responder_encoder=False)
    batch = batch_of(LENGTHS, family)
    model.save_pretrained(tmp_path)
    loaded = EmpathyModel.from_pretrained(tmp_path)
    # As transformers gives every loaded model.
    assert not loaded.training
    for expected, tensor in zip(model(**batch).to_tuple(), loaded(**batch).to_tuple(), strict=True):
        assert torch.equal(expected, tensor)
    for name in ("mechanisms", "level_weights", "share_responder_encoder", "rationale_thresholds", "id2label"):
        assert getattr(loaded.config, name) == getattr(model.config, name)


def test_determinism_in_evaluation_and_dropout_in_training():
    model, batch = tiny_model(), batch_of(LENGTHS)
    assert torch.equal(model(**batch).empathy_logits, model(**batch).empathy_logits)
    model.train()
    assert not torch.equal(model(**batch).empathy_logits, model(**batch).empathy_logits)


def test_a_frozen_seeker_encoder_has_dropout_in_training_only_where_it_is_asked_for():
    batch = batch_of(LENGTHS)
    ids = {"input_ids": batch["seeker_input_ids"], "attention_mask": batch["seeker_attention_mask"]}
    for seeker_dropout in (True, False):
        model = tiny_model(seeker_dropout=seeker_dropout).train()
        assert not any(parameter.requires_grad for parameter in model.seeker_encoder.parameters())
        states = [model.seeker_encoder(**ids).last_hidden_state for _ in range(2)]
        assert torch.equal(*states) != seeker_dropout
        states = [model.eval().seeker_encoder(**ids).last_hidden_state for _ in range(2)]
        assert torch.equal(*states)


def test_the_level_heads_dropout_is_its_own():
    config = tiny_model(head_dropout=0.3).config
    assert config.level_dropout == 0.3
    head = tiny_model(head_dropout=0.3, level_dropout=0.1).mechanism_heads["explorations"]
    assert (head.dropout.p, head.attention.dropout.p) == (0.3, 0.3)
    assert (head.level.dropout.p, head.attention.weight_dropout) == (0.1, 0.1)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("level_pooling", ["first_token", "rationale", "context"])
def test_padding_and_company_change_nothing(family, level_pooling):
    model = tiny_model(family, level_pooling=level_pooling)
    batch = batch_of(LENGTHS, family)
    together = model(**without_labels(batch))
    for index, (seeker, response) in enumerate(LENGTHS):
        # Without padding and alone; the batch has both.
        alone = model(
            batch["seeker_input_ids"][index : index + 1, :seeker],
            torch.ones(1, seeker, dtype=torch.long),
            batch["response_input_ids"][index : index + 1, :response],
            torch.ones(1, response, dtype=torch.long),
        )
        torch.testing.assert_close(together.empathy_logits[index], alone.empathy_logits[0], atol=2e-5, rtol=1e-4)
        torch.testing.assert_close(
            together.rationale_logits[index, :, :response], alone.rationale_logits[0], atol=2e-5, rtol=1e-4
        )


def test_attend_to_padding_lets_padding_in():
    batch = batch_of(LENGTHS)
    padded = {**batch, "seeker_input_ids": torch.nn.functional.pad(batch["seeker_input_ids"], (0, 5), value=1)}
    padded["seeker_attention_mask"] = torch.nn.functional.pad(batch["seeker_attention_mask"], (0, 5))
    for attend_to_padding in (True, False):
        model = tiny_model(attend_to_padding=attend_to_padding)
        moved = (model(**batch).empathy_logits - model(**padded).empathy_logits).abs().max()
        assert (moved > 1e-3) == attend_to_padding


def test_a_response_is_scored_by_its_seeker_post():
    model, batch = tiny_model(), without_labels(batch_of(LENGTHS))
    exchanged = {**batch, "seeker_input_ids": batch["seeker_input_ids"].flip(0)}
    exchanged["seeker_attention_mask"] = batch["seeker_attention_mask"].flip(0)
    moved = (model(**batch).empathy_logits - model(**exchanged).empathy_logits).abs().amax(dim=(1, 2))
    assert moved[0] > 1e-3 and moved[2] > 1e-3


@pytest.mark.parametrize("family", FAMILIES)
def test_sdpa_equals_eager(family, tmp_path):
    tiny_model(family).save_pretrained(tmp_path)
    batch = batch_of(LENGTHS, family)
    outputs = {}
    for implementation in ("sdpa", "eager"):
        model = EmpathyModel.from_pretrained(tmp_path, attn_implementation=implementation)
        assert model.responder_encoders[0].config._attn_implementation == implementation
        outputs[implementation] = model(**batch)
    torch.testing.assert_close(outputs["sdpa"].empathy_logits, outputs["eager"].empathy_logits, atol=1e-5, rtol=1e-4)
    # What is computed for padding means nothing, and the two need not agree on it.
    mask = batch["response_attention_mask"].bool()[:, None].expand(-1, 3, -1)
    torch.testing.assert_close(
        outputs["sdpa"].rationale_logits[mask], outputs["eager"].rationale_logits[mask], atol=1e-5, rtol=1e-4
    )


def test_tuple_equals_dict():
    model, batch = tiny_model(), batch_of(LENGTHS)
    for expected, tensor in zip(model(**batch).to_tuple(), model(**batch, return_dict=False), strict=True):
        assert torch.equal(expected, tensor)


def test_gradient_checkpointing_gives_the_same_gradients():
    gradients = []
    for checkpointing in (False, True):
        model = tiny_model(head_dropout=0.0)
        if checkpointing:
            model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})
        model.train()
        # The encoders have dropout of their own, of which each of the two models would draw another.
        for module in model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        model(**batch_of(LENGTHS)).loss.backward()
        gradients.append({n: p.grad for n, p in model.named_parameters() if p.grad is not None})
    assert gradients[0].keys() == gradients[1].keys() and any("encoder" in name for name in gradients[0])
    for name in gradients[0]:
        torch.testing.assert_close(gradients[0][name], gradients[1][name])


def test_building_on_the_meta_device():
    # As `from_pretrained` does, where reading a number of a tensor raises.
    with torch.device("meta"):
        model = EmpathyModel(EmpathyConfig(encoder_config=tiny_encoder_config()))
    assert all(parameter.is_meta for parameter in model.parameters())


@pytest.mark.parametrize("frozen", [True, False])
def test_only_a_trained_seeker_encoder_moves(frozen, tmp_path):
    tiny_model(freeze_seeker_encoder=frozen).save_pretrained(tmp_path)
    model = EmpathyModel.from_pretrained(tmp_path).train()
    before = {name: parameter.clone() for name, parameter in model.named_parameters()}
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.1)
    model(**batch_of(LENGTHS)).loss.backward()
    optimizer.step()
    moved = {name.split(".")[0] for name, p in model.named_parameters() if not torch.equal(p, before[name])}
    expected = {"responder_encoders", "mechanism_heads"} | (set() if frozen else {"seeker_encoder"})
    assert moved == expected
    assert model.seeker_encoder.training != frozen
    unused = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
    assert not unused, "DistributedDataParallel needs every trainable parameter in the loss"


def test_missing_labels_say_nothing():
    model, batch = tiny_model(), batch_of(LENGTHS)
    batch["empathy_labels"][:, 1] = -100
    batch["rationale_labels"][0] = -100
    output = model(**batch)
    log_levels = output.empathy_logits.log_softmax(-1)
    by_hand = [
        -log_levels[pair, mechanism, batch["empathy_labels"][pair, mechanism]]
        for pair in range(3)
        for mechanism in (0, 2)
    ]
    torch.testing.assert_close(output.identification_loss, torch.stack(by_hand).mean())
    log_tokens = output.rationale_logits.log_softmax(-1)
    by_hand = [
        -log_tokens[pair, mechanism, token, batch["rationale_labels"][pair, mechanism, token]]
        for pair in (1, 2)
        for mechanism in range(3)
        for token in range(LENGTHS[pair][1])
    ]
    torch.testing.assert_close(output.rationale_loss, torch.stack(by_hand).mean())

    # A mean over nothing is 0 and not NaN, which would end a training.
    batch["empathy_labels"][:] = -100
    batch["rationale_labels"][:] = -100
    assert model(**batch).loss == 0
    only_levels = model(**without_labels(batch), empathy_labels=batch_of(LENGTHS)["empathy_labels"])
    assert only_levels.rationale_loss is None
    torch.testing.assert_close(only_levels.loss, 0.5 * only_levels.identification_loss)


def test_level_weights_weigh_the_identification_loss():
    weights = [[1.0, 5.0, 2.0], [3.0, 1.0, 1.0], [0.5, 4.0, 2.0]]
    model, batch = tiny_model(level_weights=weights), batch_of(LENGTHS)
    output = model(**batch)
    log_levels = output.empathy_logits.log_softmax(-1)
    total = weight_sum = 0.0
    for pair in range(3):
        for mechanism in range(3):
            label = int(batch["empathy_labels"][pair, mechanism])
            total += -weights[mechanism][label] * log_levels[pair, mechanism, label].item()
            weight_sum += weights[mechanism][label]
    assert output.identification_loss.item() == pytest.approx(total / weight_sum, rel=1e-5)


def test_smoothing_spreads_a_share_of_the_label_over_all_levels():
    model, batch = tiny_model(level_smoothing=0.3), batch_of(LENGTHS)
    log_levels = model(**batch).empathy_logits.log_softmax(-1)
    targets = torch.nn.functional.one_hot(batch["empathy_labels"], 3) * 0.7 + 0.1
    expected = -(targets * log_levels).sum(-1).mean()
    assert model(**batch).identification_loss.item() == pytest.approx(expected.item(), rel=1e-5)


def test_bf16_autocast_stays_close_and_losses_stay_in_fp32():
    model, batch = tiny_model(), batch_of(LENGTHS)
    exact = model(**batch)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rough = model(**batch)
    assert rough.loss.dtype == torch.float32
    assert abs(rough.loss - exact.loss) < 0.2 * exact.loss
    assert torch.isfinite(rough.empathy_logits).all()


def test_from_encoder_starts_every_encoder_from_the_pretrained_one(tmp_path):
    pretrained = AutoModel.from_config(tiny_encoder_config("bert"))
    pretrained.save_pretrained(tmp_path / "encoder")
    model = EmpathyModel.from_encoder(tmp_path / "encoder", share_responder_encoder=False, lambda_EI=1.0)
    assert model.config.lambda_EI == 1.0
    expected = {name: weight for name, weight in pretrained.state_dict().items() if not name.startswith("pooler")}
    # The encoders are built without the pooler that the pretrained one has.
    for encoder in (model.seeker_encoder, *model.responder_encoders):
        weights = encoder.state_dict()
        assert weights.keys() == expected.keys()
        assert all(torch.equal(weights[name], expected[name]) for name in expected)
    assert str(tmp_path) not in json.dumps(model.config.to_dict(), default=str), "a folder of this machine is saved"


def test_a_pretrained_encoder_that_lacks_weights_is_named(tmp_path):
    pretrained = AutoModel.from_config(tiny_encoder_config("bert"))
    pretrained.save_pretrained(tmp_path / "encoder")
    model = tiny_model("bert", mechanisms=["explorations"])
    pretrained = AutoModel.from_pretrained(tmp_path / "encoder", num_hidden_layers=1)
    with pytest.raises(ValueError, match=r"The encoder '.*encoder' lacks weights: encoder\.layer\.1\."):
        model.load_encoder_weights(pretrained)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"mechanisms": ["sympathy"]}, "sympathy"),
        ({"mechanisms": []}, "name one to three"),
        ({"mechanisms": ["explorations", "explorations"]}, "different"),
        ({"level_pooling": "max"}, "level_pooling='max'"),
        ({"level_weights": [[1, 1, 1]]}, r"shape \(3, 3\)"),
        ({"rationale_thresholds": [0.5]}, "rationale_thresholds"),
        ({"rationale_unit": "sentence"}, "rationale_unit='sentence'"),
        ({"level_smoothing": 1.0}, "level_smoothing=1.0"),
        ({"encoder_config": {"hidden_size": 3}}, "model_type"),
    ],
)
def test_configurations_that_make_no_model_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        EmpathyConfig(**arguments)


def test_weights_that_do_not_fit_are_listed_unless_they_are_wanted(tmp_path):
    tiny_model().save_pretrained(tmp_path)
    loaded, info = EmpathyModel.from_pretrained(tmp_path, output_loading_info=True)
    assert type(loaded) is EmpathyModel and not info["missing_keys"] and not info["mismatched_keys"]
    one = {"mechanisms": ["explorations"], "level_temperatures": [1.0], "rationale_thresholds": [0.5]}
    written = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(written | one | {"level_pooling": "first_token"}))
    with pytest.raises(ValueError, match=r"no place for.* and [0-9]+ more") as raised:
        EmpathyModel.from_pretrained(tmp_path)
    assert "in another shape mechanism_heads.explorations.level.dense.weight (16, 32), not (16, 16)" in str(
        raised.value
    )
    lenient = EmpathyModel.from_pretrained(tmp_path, ignore_mismatched_sizes=True)
    assert lenient.config.mechanisms == ["explorations"]


def test_weights_that_are_no_numbers_are_named(tmp_path):
    model = tiny_model()
    check_finite(model)
    with torch.no_grad():
        model.mechanism_heads["explorations"].rationale.bias[1] = float("nan")
    with pytest.raises(ValueError, match=r"mechanism_heads\.explorations\.rationale\.bias has values"):
        check_finite(model)


@pytest.mark.parametrize(
    ("family", "options", "longest"),
    [
        ("bert", {"max_position_embeddings": 64}, 64),
        ("roberta", {"max_position_embeddings": 66, "pad_token_id": 1}, 64),
        ("deberta-v2", {"max_position_embeddings": 64, "position_biased_input": True}, 64),
        ("deberta-v2", {"max_position_embeddings": 64, "position_biased_input": False}, None),
        ("xlnet", {}, None),  # its configuration says -1
    ],
)
def test_posts_are_as_long_as_the_encoder_has_positions(family, options, longest):
    encoder = AutoConfig.for_model(family, **options)
    assert EmpathyConfig(encoder_config=encoder, max_post_length=longest or 4096).max_post_length
    if longest is not None:
        with pytest.raises(ValueError, match=f"max_post_length={longest + 1}: the encoder has {longest} positions"):
            EmpathyConfig(encoder_config=encoder, max_post_length=longest + 1)
