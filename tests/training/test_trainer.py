"""The Trainer's own parts: learning rates, layout of predictions, order of evaluation, metrics, level weights."""

from functools import partial

import datasets
import numpy as np
import pytest
import torch
from transformers import EvalPrediction

from modeling_empathy import MECHANISMS, EmpathyConfig, EmpathyModel
from modeling_empathy.corpus.features import EmpathyDataCollator
from modeling_empathy.evaluation.metrics_by_mechanism import Annotated, Predicted, metrics_by_mechanism
from modeling_empathy.evaluation.thresholds import tuned_rationale_thresholds
from modeling_empathy.training.arguments import EmpathyTrainingArguments
from modeling_empathy.training.trainer import EmpathyTrainer, metrics_of_predictions
from tests.tiny_models import tiny_model


def rows_of(lengths: list[int]) -> datasets.Dataset:
    generator = np.random.default_rng(0)
    return datasets.Dataset.from_list(
        [
            {
                "seeker_input_ids": generator.integers(5, 60, 4).tolist(),
                "response_input_ids": generator.integers(5, 60, length).tolist(),
                "empathy_labels": generator.integers(0, 3, 3).tolist(),
                "rationale_labels": generator.integers(0, 2, (3, length)).tolist(),
                "response_clauses": [-1, *(token // 3 for token in range(length - 2)), -1],
                "length": length + 4,
            }
            for length in lengths
        ]
    )


def trainer_on(folder, rows: datasets.Dataset, **arguments) -> EmpathyTrainer:
    args = EmpathyTrainingArguments(
        output_dir=str(folder), use_cpu=True, per_device_eval_batch_size=2, disable_tqdm=True, **arguments
    )
    model = tiny_model()
    return EmpathyTrainer(
        model=model,
        args=args,
        data_collator=EmpathyDataCollator(1, with_clauses=True),
        train_dataset=rows,
        eval_dataset=rows,
        compute_metrics=partial(metrics_of_predictions, model.config),
    )


def test_predictions_keep_order_and_layout_across_batches_of_different_lengths(tmp_path):
    lengths = [9, 3, 12, 5, 7]
    rows = rows_of(lengths)
    trainer = trainer_on(tmp_path, rows, auto_bf16=False)
    logits, probabilities = trainer.predict(rows).predictions
    assert logits.shape == (5, 3, 3) and probabilities.shape == (5, 12, 3)
    for index, length in enumerate(lengths):
        batch = EmpathyDataCollator(1)([rows[index]])
        with torch.no_grad():
            output = trainer.model(**batch)
        np.testing.assert_allclose(logits[index], output.empathy_logits[0], atol=1e-4)
        expected = output.rationale_logits[0].softmax(-1)[..., 1].T
        np.testing.assert_allclose(probabilities[index, :length], expected, atol=1e-4)


def test_training_in_bfloat16_predicts_in_fp32_as_the_saved_model_does(tmp_path):
    rows = rows_of([9, 3, 12, 5])
    trainer = trainer_on(tmp_path, rows, bf16=True, max_steps=1, save_strategy="no", eval_strategy="no")
    trainer.train()
    # Set by accelerate when training begins, and left in place afterwards.
    prepared = trainer.model.forward
    logits, _ = trainer.predict(rows).predictions
    assert trainer.model.forward is prepared, "training goes on as it was"
    batches = [EmpathyDataCollator(1)([row]) for row in rows]
    saved = EmpathyModel(trainer.model.config).eval()
    saved.load_state_dict(trainer.model.state_dict())
    trainer.model.eval()
    with torch.no_grad():
        in_fp32 = np.concatenate([saved(**batch).empathy_logits for batch in batches])
        in_bfloat16 = np.concatenate([trainer.model(**batch).empathy_logits for batch in batches])
    np.testing.assert_allclose(logits, in_fp32, atol=1e-4)
    # Or the comparison above would pass whatever it was computed in.
    assert np.abs(in_bfloat16 - in_fp32).max() > 1e-3


def test_heads_learn_at_their_own_rate(tmp_path):
    trainer = trainer_on(tmp_path, rows_of([4, 5]), learning_rate=1e-3, head_learning_rate=7e-3, weight_decay=0.1)
    optimizer = trainer.create_optimizer()
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    seen = set()
    for name, parameter in trainer.model.named_parameters():
        if parameter.requires_grad:
            expected = 7e-3 if name.startswith("mechanism_heads") else 1e-3
            assert rates.pop(id(parameter)) == expected, name
            seen.add(expected)
    assert not rates and seen == {1e-3, 7e-3}
    # Splitting the groups keeps biases and layer norms without decay.
    decays = {group["weight_decay"] for group in optimizer.param_groups}
    assert decays == {0.0, 0.1}
    same = trainer_on(tmp_path, rows_of([4, 5]), learning_rate=1e-3, head_learning_rate=None)
    assert {group["lr"] for group in same.create_optimizer().param_groups} == {1e-3}


def test_the_frozen_seeker_encoder_is_not_optimized(tmp_path):
    trainer = trainer_on(tmp_path, rows_of([4, 5]))
    optimized = {id(p) for group in trainer.create_optimizer().param_groups for p in group["params"]}
    assert optimized
    # By identity: comparing tensors would compare their values.
    assert not optimized & {id(parameter) for parameter in trainer.model.seeker_encoder.parameters()}


def test_metrics_are_named_by_mechanism_and_averaged_over_them():
    logits = np.full((2, 3, 3), -5.0)
    logits[:, :, 0] = 5.0
    logits[0, 0] = [0.0, 0.0, 9.0]
    levels = np.array([[2, 0, 0], [0, 0, 1]])
    probabilities = np.full((2, 4, 3), 0.1)
    probabilities[0, 1:3, 0] = 0.9
    labels = np.zeros((2, 4, 3), dtype=int)
    labels[0, 1:3, 0] = 1
    labels[:, 3] = -100
    label_ids = (levels, labels, np.zeros((2, 4), dtype=int))
    prediction = EvalPrediction(predictions=(logits, probabilities), label_ids=label_ids)
    metrics = metrics_of_predictions(EmpathyConfig(), prediction)
    assert metrics["emotional_reactions_accuracy"] == 1.0
    assert metrics["emotional_reactions_annotated_token_f1_macro"] == 1.0
    assert metrics["explorations_accuracy"] == 0.5
    macro = [metrics[f"{mechanism}_macro_f1"] for mechanism in MECHANISMS]
    assert macro[0] == 1.0 and macro[2] < 0.5
    assert metrics["macro_f1"] == pytest.approx(sum(macro) / 3)


def test_thresholds_are_the_best_on_annotated_responses():
    labels = np.array([[[1, 0, -100]] * 2 + [[0, 0, -100]] * 2, [[0, 0, -100]] * 4])
    probabilities = np.zeros((2, 4, 3))
    # Both rationale tokens lie above 0.3 and the others of the response below; the unannotated response lies higher.
    probabilities[0, :, 0] = [0.32, 0.4, 0.29, 0.1]
    probabilities[1, :, 0] = 0.9
    clauses = np.zeros((2, 4), dtype=int)
    assert tuned_rationale_thresholds("token", probabilities, labels, clauses) == [0.3, 0.5, 0.5]


def two_clauses() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Two responses of two clauses of two tokens each: probabilities, labels `(pair, token, mechanism)`, clauses."""
    probabilities = np.repeat(np.array([[0.9, 0.1, 0.2, 0.2], [0.1, 0.1, 0.0, 0.3]])[..., None], 3, axis=-1)
    labels = np.repeat(np.array([[1, 1, 0, 0], [0, 0, 1, 1]])[..., None], 3, axis=-1)
    return probabilities, labels, np.array([[0, 0, 1, 1]] * 2)


def test_metrics_follow_the_unit_that_the_model_decides_by():
    probabilities, labels, clauses = two_clauses()
    logits, levels = np.zeros((2, 3, 3)), np.ones((2, 3), dtype=int)
    logits[0, :, 1] = 1.0  # the second response is rated at level 0
    logits[1, :, 0] = 1.0
    metrics = {
        unit: metrics_by_mechanism(
            EmpathyConfig(rationale_unit=unit), Predicted(logits, probabilities), Annotated(levels, labels, clauses)
        )
        for unit in ("token", "clause")
    }
    # By token the first of the two right ones is marked; by clause both, and in the second response the best clause.
    assert metrics["token"]["explorations_annotated_token_f1_macro"] == pytest.approx((2 / 3 + 0) / 2)
    assert metrics["clause"]["explorations_annotated_token_f1_macro"] == 1.0
    assert metrics["clause"]["explorations_shown_token_f1_macro"] == 0.5, "at level 0 nothing is shown"
    assert metrics["clause"]["explorations_shown_token_recall_micro"] == 0.5


def test_thresholds_of_clauses_are_chosen_by_what_clauses_get():
    probabilities, labels, clauses = two_clauses()
    labels[0, 2:] = 1  # the whole response, whose clauses have .5 and .2
    labels[1] = 0
    assert tuned_rationale_thresholds("clause", probabilities, labels, clauses) == [0.2] * 3


def test_an_epoch_has_an_order_of_its_own_whatever_was_drawn_before(tmp_path):
    trainer = trainer_on(tmp_path, rows_of([4, 5, 6, 7] * 8), per_device_train_batch_size=4)

    def order_of(epoch: float) -> list[int]:
        trainer.state.epoch = epoch
        return list(trainer._get_train_sampler())

    first, second = order_of(0.0), order_of(1.0)
    assert sorted(first) == sorted(second) == list(range(32)) and first != second
    torch.rand(3)
    state = torch.get_rng_state()
    assert order_of(1.25) == second, "resumed within the epoch"
    assert torch.get_rng_state().equal(state)
    trainer.predict(trainer.eval_dataset)
    assert torch.get_rng_state().equal(state), "an evaluation draws nothing of training's"
