"""Faithfulness against brute force pair by pair, on a model that reads one token alone, and without a trace."""

from itertools import combinations
from math import ceil, exp

import datasets
import numpy as np
import pytest
import torch

from modeling_empathy import MECHANISMS, EmpathyConfig, EmpathyModel
from modeling_empathy.evaluation.faithfulness import (
    MEASURES,
    _random_spans,
    faithfulness_table,
    rationale_faithfulness,
)
from tests.tiny_models import PAD_TOKEN_IDS, tiny_encoder_config, tiny_model


START, END, KEY = 2, 3, 40


def features_of(responses: list[list[int]], seed: int = 0) -> datasets.Dataset:
    """Pairs with these response tokens between two special ones, and seeker posts of random ids and lengths."""
    generator = np.random.default_rng(seed)
    return datasets.Dataset.from_list(
        [
            {
                "seeker_input_ids": [START, *generator.integers(5, 64, size=generator.integers(2, 9)).tolist(), END],
                "response_input_ids": [START, *words, END],
                "response_special_tokens_mask": [1, *[0] * len(words), 1],
            }
            for words in responses
        ]
    )


def random_case(lengths: list[int], mechanisms: int = 3, seed: int = 0) -> tuple:
    """Features, levels, scores and marks; every level is above 0 and has a marked token."""
    generator = np.random.default_rng(seed)
    features = features_of([generator.integers(5, 64, size=length).tolist() for length in lengths], seed)
    scores = [generator.random((mechanisms, length + 2)) for length in lengths]
    marks = [(pair_scores > 0.6).astype(int) for pair_scores in scores]
    for pair_marks in marks:
        pair_marks[:, 1] = 1
    return features, generator.integers(1, 3, size=(len(lengths), mechanisms)), scores, marks


# --- Brute force: one pair and one deletion at a time, through the model's own forward ---


def brute_force_probability(model, row, kept: set[int], mechanism: int, level: int) -> float:
    """`kept` are positions among the response's words."""
    words = [token for number, token in enumerate(row["response_input_ids"][1:-1]) if number in kept]
    posts = {"seeker": row["seeker_input_ids"], "response": [START, *words, END]}
    batch = {}
    for post, ids in posts.items():
        padding = max(0, model.config.padded_length - len(ids))
        batch[f"{post}_input_ids"] = torch.tensor([ids + [model.config.encoder_config.pad_token_id] * padding])
        batch[f"{post}_attention_mask"] = torch.tensor([[1] * len(ids) + [0] * padding])
    with torch.no_grad():
        logits = model(**batch).empathy_logits[0, mechanism] / model.config.level_temperatures[mechanism]
    return logits.softmax(-1)[level].item()


def brute_force_attribution(model, row, mechanism: int, level: int) -> list[float]:
    """From embeddings that are looked up beforehand and given to the encoder in place of ids."""
    encoder = model.responder_encoders[mechanism if len(model.responder_encoders) > 1 else 0]
    ids = torch.tensor([row["response_input_ids"]])
    seeker = torch.tensor([row["seeker_input_ids"]])
    embedded = encoder.get_input_embeddings().weight[ids].detach().requires_grad_()
    states = encoder(inputs_embeds=embedded, attention_mask=torch.ones_like(ids)).last_hidden_state
    with torch.no_grad():
        seeker_states = model.seeker_encoder(seeker, torch.ones_like(seeker)).last_hidden_state
    head = model.mechanism_heads[MECHANISMS[mechanism]]
    head(states, torch.ones_like(ids), seeker_states, torch.ones_like(seeker))[0][0, level].backward()
    return [abs(float(g @ e)) for g, e in zip(embedded.grad[0], embedded[0].detach(), strict=True)][1:-1]


def brute_force_measures(model, row, mechanism: int, level: int, scores, marks) -> dict[str, float]:
    everything = set(range(len(row["response_input_ids"]) - 2))

    def moved(kept: set[int]) -> float:
        whole = brute_force_probability(model, row, everything, mechanism, level)
        return whole - brute_force_probability(model, row, kept, mechanism, level)

    def best(ranking, count: int) -> set[int]:
        return set(sorted(everything, key=lambda number: (-ranking[number], number))[:count])

    rationale = {number for number in everything if marks[number + 1]}
    rankings = {"": scores[1:-1]}
    chosen = {"": rationale}
    # The brute force below feeds embeddings without padding, which such a model would have to see.
    if not model.config.attend_to_padding:
        rankings["_gradient"] = brute_force_attribution(model, row, mechanism, level)
        chosen["_gradient"] = best(rankings["_gradient"], len(rationale))
    measures = {}
    for choice, ranking in rankings.items():
        measures[f"comprehensiveness{choice}"] = moved(everything - chosen[choice])
        measures[f"sufficiency{choice}"] = moved(chosen[choice])
        bins = [best(ranking, ceil(len(everything) * share)) for share in (0.01, 0.05, 0.1, 0.2, 0.5)]
        measures[f"aopc_comprehensiveness{choice}"] = sum(moved(everything - top) for top in bins) / 5
        measures[f"aopc_sufficiency{choice}"] = sum(moved(top) for top in bins) / 5
    return measures


@pytest.mark.parametrize(
    ("family", "config"),
    [
        ("roberta", {}),
        ("roberta", {"share_responder_encoder": False}),
        ("bert", {"freeze_seeker_encoder": False, "level_temperatures": [2.0, 1.0, 0.5]}),
        ("distilbert", {}),
        ("xlm-roberta", {"attend_to_padding": True, "max_post_length": 24}),
    ],
)
def test_the_same_as_pair_by_pair(family, config):
    model = tiny_model(family, **config)
    features, levels, scores, marks = random_case([1, 4, 11, 17])
    pad_token_id = PAD_TOKEN_IDS[family]
    results = rationale_faithfulness(model, features, levels, scores, marks, pad_token_id=pad_token_id, batch_size=3)
    assert list(results) == list(MECHANISMS)
    for mechanism, measured in enumerate(results.values()):
        assert measured["faithfulness_responses"] == 4 and measured["unmarked"] == 0
        expected = [
            brute_force_measures(model, row, mechanism, *(by_mechanism[mechanism] for by_mechanism in annotation))
            for row, *annotation in zip(features, levels, scores, marks, strict=True)
        ]
        for name in expected[0]:
            assert measured[name] == pytest.approx(np.mean([measures[name] for measures in expected]), abs=2e-5), name
        assert any(abs(measured[name]) > 0.01 for name in expected[0]), "the tokens make a difference to this model"
        shares = [pair_marks[mechanism, 1:-1].mean() for pair_marks in marks]
        assert measured["marked_share"] == pytest.approx(np.mean(shares))


def test_random_choices_are_the_mean_over_all_choices():
    model = tiny_model()
    [row] = features = features_of([[10, 20, 30, 50, 60]])
    marks, scores = np.array([[0, 0, 1, 0, 0, 0, 0]] * 3), np.full((3, 7), 0.5)
    options = {"pad_token_id": 1, "draws": 4000}
    measured = rationale_faithfulness(model, features, np.full((1, 3), 2), [scores], [marks], **options)[MECHANISMS[0]]

    def expected(count: int, delete: bool) -> float:
        chosen = [set(tokens) for tokens in combinations(range(5), count)]
        kept = [set(range(5)) - tokens for tokens in chosen] if delete else chosen
        whole = brute_force_probability(model, row, set(range(5)), 0, 2)
        return float(np.mean([whole - brute_force_probability(model, row, tokens, 0, 2) for tokens in kept]))

    for measure, delete in (("comprehensiveness", True), ("sufficiency", False)):
        assert measured[f"{measure}_random"] == pytest.approx(expected(1, delete), abs=0.02)
        # Of five tokens 1, 5, 10 and 20 % are one, 50 % are three.
        in_bins = (4 * expected(1, delete) + expected(3, delete)) / 5
        assert measured[f"aopc_{measure}_random"] == pytest.approx(in_bins, abs=0.02)


def test_random_spans_are_as_long_as_the_rationales_and_anywhere():
    marks = np.array([1, 1, 0, 1, 0, 0, 0], dtype=bool)
    generator = np.random.default_rng(0)
    drawn = ["".join(map(str, _random_spans(marks, generator).astype(int))) for _ in range(6000)]
    # Two runs, of two tokens and of one, in either order, with at least a token between them.
    possible = {
        text
        for text in (f"{number:07b}" for number in range(128))
        if sorted(run for run in text.split("0") if run) == ["1", "11"]
    }
    assert set(drawn) == possible and len(possible) == 20
    counts = [drawn.count(text) for text in possible]
    assert min(counts) > 220 and max(counts) < 390, "each place is as likely as another: 300 times, give or take"
    whole = np.ones(4, dtype=bool)
    assert _random_spans(whole, generator).all()


class ReadsOneToken(EmpathyModel):
    """Its levels depend on nothing but whether the response has the token `KEY`: 2 if so, else 0."""

    def __init__(self, config: EmpathyConfig) -> None:
        super().__init__(config)
        with torch.no_grad():
            weight = self.responder_encoders[0].get_input_embeddings().weight
            # So that an embedding says nothing but whether a token is `KEY`.
            weight.zero_()
            weight[KEY] = 1.0

    def response_states(self, input_ids, attention_mask):
        return [self.responder_encoders[0].get_input_embeddings()(input_ids)]

    def logits(self, response_states, response_mask, seeker_states, seeker_mask):
        has_key = response_states[0].mean(-1).amax(-1)
        levels = torch.stack([4 - 8 * has_key, torch.full_like(has_key, -9), 8 * has_key - 4], dim=-1)
        rationales = response_states[0][..., :2]
        return levels[:, None].expand(-1, 3, -1), rationales[:, None].expand(-1, 3, -1, -1)


def test_a_model_that_reads_the_rationale_alone_is_faithful():
    model = ReadsOneToken(EmpathyConfig(encoder_config=tiny_encoder_config())).eval()
    responses = [[10, 11, KEY, 12, 13, 14], [KEY, *range(5, 25)], [7, 8, 9, KEY]]
    features = features_of(responses)
    marks = [np.array([[token == KEY for token in [0, *words, 0]]] * 3).astype(int) for words in responses]
    results = rationale_faithfulness(model, features, np.full((3, 3), 2), marks, marks, pad_token_id=1)
    measured = results["explorations"]
    with_key, without = (1 / (1 + exp(-8) + exp(-5 - 8)), exp(-4) / (exp(4) + exp(-9) + exp(-4)))
    drop = with_key - without
    assert drop > 0.99
    for choice in ("", "_gradient"):
        assert measured[f"comprehensiveness{choice}"] == pytest.approx(drop, abs=1e-5)
        assert measured[f"sufficiency{choice}"] == pytest.approx(0, abs=1e-6)
        assert measured[f"aopc_comprehensiveness{choice}"] == pytest.approx(drop, abs=1e-5)
    # Chosen at random, that one token is met less often than not.
    for prefix in ("", "aopc_"):
        assert measured[f"{prefix}comprehensiveness_random"] < 0.6
        assert measured[f"{prefix}sufficiency_random"] > 0.4


def test_where_the_rationale_is_the_response_every_choice_is_the_same():
    features, levels, scores, _ = random_case([3, 6])
    marks = [np.ones_like(pair_scores) for pair_scores in scores]
    for measured in rationale_faithfulness(tiny_model(), features, levels, scores, marks, pad_token_id=1).values():
        assert measured["marked_share"] == 1
        for choice in ("_random", "_gradient"):
            assert measured["comprehensiveness"] == measured[f"comprehensiveness{choice}"]
            assert measured["sufficiency"] == measured[f"sufficiency{choice}"] == 0


@pytest.mark.parametrize("options", [{}, {"share_responder_encoder": False, "freeze_seeker_encoder": False}])
def test_the_model_is_left_as_it_was(options):
    model = tiny_model(head_dropout=0.5, **options)
    case = random_case([5, 9])
    expected = rationale_faithfulness(model, *case, pad_token_id=1)
    model.train()
    model.mechanism_heads["explorations"].eval()
    for index, parameter in enumerate(model.parameters()):
        # Of every setting some, so that a value that is set for all alike would show.
        parameter.requires_grad_(index % 3 > 0)
        parameter.grad = torch.full_like(parameter, index) if index % 2 else None
    modes = {name: module.training for name, module in model.named_modules()}
    required = {name: parameter.requires_grad for name, parameter in model.named_parameters()}
    assert {True, False} == set(modes.values()) == set(required.values())

    with torch.no_grad():
        results = rationale_faithfulness(model, *case, pad_token_id=1)

    assert {name: module.training for name, module in model.named_modules()} == modes
    assert {name: parameter.requires_grad for name, parameter in model.named_parameters()} == required
    for index, parameter in enumerate(model.parameters()):
        assert (parameter.grad == index).all() if index % 2 else parameter.grad is None
    assert not any(module._forward_hooks for module in model.modules())
    for mechanism in MECHANISMS:
        assert results[mechanism] == pytest.approx(expected[mechanism], abs=1e-6), "no dropout while it is measured"


def test_which_responses_are_measured():
    features, levels, scores, marks = random_case([4, 5, 6, 7, 8])
    levels[:, 0] = [0, 1, 2, 1, 0]
    marks[1][0, 1:-1] = 0
    marks[1][0, 0] = 1  # a special token is no word of the rationale
    levels[:, 1] = 0
    model, options = tiny_model(), {"pad_token_id": 1}
    results = rationale_faithfulness(model, features, levels, scores, marks, **options)
    counted = [(measured["faithfulness_responses"], measured["unmarked"]) for measured in results.values()]
    assert counted == [(2, 1), (0, 0), (5, 0)]
    assert {results[MECHANISMS[1]][name] for name in MEASURES} == {0.0}

    def only(index: int) -> dict[str, float]:
        shown = np.zeros_like(levels)
        shown[index, 2] = levels[index, 2]
        return rationale_faithfulness(model, features, shown, scores, marks, **options)[MECHANISMS[2]]

    alone = [only(index) for index in range(5)]
    for name in MEASURES:  # the draws too: what is drawn for a response does not depend on the others
        assert results[MECHANISMS[2]][name] == pytest.approx(np.mean([measured[name] for measured in alone]), abs=1e-6)
    cut = {}
    for seed in range(8):
        options |= {"max_responses": 1, "seed": seed}
        cut[seed] = rationale_faithfulness(model, features, levels, scores, marks, **options)[MECHANISMS[2]]
        assert cut[seed]["faithfulness_responses"] == 1 and cut[seed]["unmarked"] == 0
        assert any(
            cut[seed]["comprehensiveness"] == pytest.approx(measured["comprehensiveness"], abs=1e-6)
            for measured in alone
        )
    assert len({round(measured["comprehensiveness"], 6) for measured in cut.values()}) > 1, "the seed decides which"
    assert rationale_faithfulness(model, features, levels, scores, marks, **options)[MECHANISMS[2]] == cut[7]


@pytest.mark.parametrize("name", ["token_scores", "token_marks"])
def test_padded_scores_are_an_error_that_names_the_pair(name):
    features, levels, scores, marks = random_case([4, 5])
    values = {"token_scores": scores, "token_marks": marks}
    values[name][1] = np.pad(values[name][1], ((0, 0), (0, 2)))
    with pytest.raises(ValueError, match=rf"{name}\[1\] has shape \(3, 9\); expected \(3, 7\)"):
        rationale_faithfulness(tiny_model(), features, levels, *values.values(), pad_token_id=1)


def test_the_table_has_every_measure():
    measures = {name: number / 100 for number, name in enumerate(MEASURES)}
    counts = {"faithfulness_responses": 42.0, "unmarked": 3.0, "marked_share": 0.5}
    lines = faithfulness_table(dict.fromkeys(MECHANISMS, measures | counts)).splitlines()
    assert len(lines) == 5 and len({line.count("|") for line in lines}) == 1
    cells = ["emotional reactions", "42", "3", "0.500", *(f"{value:.3f}" for value in measures.values())]
    assert lines[2] == f"| {' | '.join(cells)} |"
    assert "| compr. | compr., random | compr., gradient | suff. |" in lines[0]
