"""Calibration: the error by hand, the temperature that a model was made overconfident by, decisions untouched."""

import numpy as np
import pytest
from scipy.special import softmax

from modeling_empathy import EmpathyConfig, EmpathyPipeline
from modeling_empathy.evaluation.calibration import (
    calibration_by_mechanism,
    expected_calibration_error,
    fitted_temperatures,
    level_probabilities,
    reliability,
)
from modeling_empathy.scoring.onnx_export import _Responses
from tests.tiny_models import batch_of, tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


def calibrated_levels(pairs: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Logits `(pair, 1, 3)`, and levels drawn with just their probabilities."""
    generator = np.random.default_rng(seed)
    logits = generator.normal(0, 2, (pairs, 1, 3))
    levels = np.array([generator.choice(3, p=softmax(pair_logits[0])) for pair_logits in logits])
    return logits, levels[:, None]


def test_the_error_by_hand():
    probabilities = np.array([[0.95, 0.05, 0.0], [0.0, 0.94, 0.06], [0.6, 0.4, 0.0], [0.4, 0.6, 0.0], [0.1, 0.1, 0.8]])
    labels = np.array([0, 2, 0, 1, -100])
    # Two pairs in the last bin: confidence .945, one right; two at .6, both right. The last pair has no level.
    assert expected_calibration_error(probabilities, labels) == pytest.approx((2 * 0.445 + 2 * 0.4) / 4)
    bins = reliability(probabilities, labels)
    assert [each.pairs for each in bins] == [2, 2]
    assert [each.accuracy for each in bins] == [1.0, 0.5]


@pytest.mark.parametrize("temperature", [0.5, 1.0, 3.0])
def test_the_temperature_that_logits_were_scaled_by_is_found(temperature):
    logits, levels = calibrated_levels(4000)
    [fitted] = fitted_temperatures(logits * temperature, levels)
    assert fitted == pytest.approx(temperature, rel=0.1)


def test_an_overconfident_model_is_brought_closer_on_pairs_that_the_fit_did_not_see():
    logits, levels = calibrated_levels(3000)
    [temperature] = fitted_temperatures(4 * logits, levels)
    fresh, fresh_levels = calibrated_levels(3000, seed=1)
    errors = calibration_by_mechanism(4 * fresh, fresh_levels, ["explorations"], [temperature])["explorations"]
    assert errors["ece_before"] > 0.1 and errors["ece"] < 0.03


def test_without_a_known_level_the_temperature_is_one():
    assert fitted_temperatures(np.ones((3, 2, 3)), np.array([[-100, 0], [-100, 1], [-100, 2]]))[0] == 1.0


def test_a_temperature_changes_probabilities_alone_wherever_the_model_is_used():
    cold, warm = (tiny_model("bert", level_temperatures=temperatures) for temperatures in ([1.0] * 3, [1.0, 3.0, 0.5]))
    batch = batch_of([(4, 9), (3, 5)], "bert")
    batch.pop("empathy_labels"), batch.pop("rationale_labels")
    logits = cold(**batch).empathy_logits
    assert warm(**batch).empathy_logits.equal(logits)
    expected = softmax(logits.detach().numpy() / np.array([1.0, 3.0, 0.5])[:, None], axis=-1)
    np.testing.assert_allclose(level_probabilities(logits.detach().numpy(), [1.0, 3.0, 0.5]), expected, atol=1e-6)
    probabilities, _ = warm.probabilities(logits, warm(**batch).rationale_logits)
    np.testing.assert_allclose(probabilities.detach(), expected, atol=1e-6)
    seeker = batch["seeker_input_ids"], batch["seeker_attention_mask"]
    response = batch["response_input_ids"], batch["response_attention_mask"]
    exported, _ = _Responses(warm)(*response, warm.seeker_states(*seeker), seeker[1])
    np.testing.assert_allclose(exported.detach(), expected, atol=1e-6)

    pair = ("I feel alone.", "I am so sorry. What happened?")
    plain, scaled = (EmpathyPipeline(model=model, tokenizer=wordpiece_tokenizer())(pair) for model in (cold, warm))
    assert all(plain[name]["level"] == scaled[name]["level"] for name in cold.config.mechanisms)
    # A temperature above 1 makes less certain, one below 1 more.
    assert plain["interpretations"]["score"] > scaled["interpretations"]["score"] + 1e-3
    assert plain["explorations"]["score"] < scaled["explorations"]["score"] - 1e-3


@pytest.mark.parametrize("temperatures", [[1.0], [1.0, 0.0, 1.0], [1.0, float("nan"), 1.0], [1.0, float("inf"), 1.0]])
def test_what_is_no_temperature_is_refused(temperatures):
    with pytest.raises(ValueError, match="level_temperatures"):
        EmpathyConfig(level_temperatures=temperatures)


def test_below_the_asked_probability_the_pipeline_abstains():
    model = tiny_model("bert", level_temperatures=[1.0, 9.0, 1.0])
    scorer = EmpathyPipeline(model=model, tokenizer=wordpiece_tokenizer())
    pair = ("I feel alone.", "I am so sorry. What happened?")
    plain = scorer(pair)
    scores = {name: plain[name]["score"] for name in ("emotional_reactions", "interpretations", "explorations")}
    # Of the three scores the one in the middle: itself it is not below the limit.
    limit = sorted(scores.values())[1]
    result = scorer(pair, abstain_below=limit)
    for name, score in scores.items():
        if score < limit:
            assert result[name] == {"level": None, "label": None, "score": score, "rationales": []}
        else:
            assert result[name] == plain[name]
    assert sum(score < limit for score in scores.values()) == 1
    with pytest.raises(ValueError, match=r"abstain_below=1\.5"):
        scorer(pair, abstain_below=1.5)
