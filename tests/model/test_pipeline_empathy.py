"""The pipeline: every form of input, order, padding that changes nothing, offsets, truncation, errors."""

import datasets
import pytest
import torch
from transformers.pipelines.pt_utils import KeyPairDataset

from modeling_empathy import MECHANISMS, EmpathyPipeline
from modeling_empathy.model.rationale_spans import token_scores_to_spans
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, unigram_tokenizer, wordpiece_tokenizer


TOKENIZERS = {"bert": wordpiece_tokenizer, "roberta": byte_level_bpe_tokenizer, "xlm-roberta": unigram_tokenizer}
PAIRS = [
    ("I feel alone.", "I am so sorry. What happened?"),
    ("Nothing helps, and nobody would notice.", "I understand how you feel; it sounds really hard 😀 to carry."),
    ("ok", "Thank you for sharing this"),
    ("I lost my job", "Why?"),
    ("My friend left", "I hope that you feel better soon! Have you talked to someone you trust about it?"),
]


def pipeline_for(family: str = "bert", **config) -> EmpathyPipeline:
    # Below what an untrained model gives to most tokens, so that there are rationales to compare.
    config = {"rationale_thresholds": [0.2] * len(config.get("mechanisms", MECHANISMS)), **config}
    return EmpathyPipeline(model=tiny_model(family, **config), tokenizer=TOKENIZERS[family]())


def assert_same(result: dict, expected: dict) -> None:
    assert result.keys() == expected.keys()
    for name, value in result.items():
        if name == "truncated":
            assert value == expected[name]
            continue
        assert (value["level"], value["label"]) == (expected[name]["level"], expected[name]["label"])
        # Padding and threads change the last digits of a sum.
        assert value["score"] == pytest.approx(expected[name]["score"], abs=1e-4)
        spans = [(span["start"], span["end"], span["text"]) for span in value["rationales"]]
        assert spans == [(span["start"], span["end"], span["text"]) for span in expected[name]["rationales"]]


@pytest.mark.parametrize("family", TOKENIZERS)
@pytest.mark.parametrize("batch_size", [2, 3, 8])
def test_a_batch_gives_what_each_pair_alone_gives_in_order(family, batch_size):
    scorer = pipeline_for(family)
    alone = [scorer(pair) for pair in PAIRS]
    together = scorer(PAIRS, batch_size=batch_size)
    assert len(together) == len(PAIRS)
    for expected, result in zip(alone, together, strict=True):
        assert_same(result, expected)
    assert len({result["explorations"]["score"] for result in alone}) == len(PAIRS), "pairs can't be distinguished"


def test_padding_that_is_attended_to_is_always_as_long():
    scorer = pipeline_for("roberta", attend_to_padding=True, max_post_length=40)
    alone = [scorer(pair, token_mask=True) for pair in PAIRS]
    for expected, result in zip(alone, scorer(PAIRS, batch_size=5, token_mask=True), strict=True):
        assert_same(result, expected)
        assert len(result["explorations"]["token_mask"]) == 40
    # Otherwise the padding would not have been attended to.
    longer = pipeline_for("roberta", attend_to_padding=True, max_post_length=60)
    assert longer(PAIRS[0])["explorations"]["score"] != pytest.approx(alone[0]["explorations"]["score"], abs=1e-6)


def test_loading_a_checkpoint_asks_nothing(tmp_path, monkeypatch):
    scorer = pipeline_for()
    scorer.model.save_pretrained(tmp_path)
    scorer.tokenizer.save_pretrained(tmp_path)

    # transformers asks whether to run a checkpoint's code where it is given no configuration of a known class.
    asked: list[str] = []
    monkeypatch.setattr("builtins.input", asked.append)
    assert_same(EmpathyPipeline.from_pretrained(tmp_path)(PAIRS[0]), scorer(PAIRS[0]))
    assert not asked, "on standard input, where pairs may come from"


def test_every_form_of_a_pair_means_the_same():
    scorer = pipeline_for()
    seeker, response = PAIRS[0]
    expected = scorer((seeker, response))
    for form in ([seeker, response], {"seeker_post": seeker, "response_post": response, "rp_id": "ignored"}):
        assert_same(scorer(form), expected)
    assert_same(scorer([{"seeker_post": seeker, "response_post": response}])[0], expected)
    assert scorer([]) == []


def test_a_generator_is_read_as_it_is_scored():
    scorer = pipeline_for()
    read = []

    def pairs():
        for pair in PAIRS:
            read.append(pair)
            yield pair

    results = scorer(pairs(), batch_size=2)
    first = next(iter(results))
    # Early versions of transformers 5 read the whole generator before the first result.
    assert len(read) < len(PAIRS)
    assert_same(first, scorer(PAIRS[0]))


def test_data_sets_and_other_iterables_of_pairs_are_streamed():
    scorer = pipeline_for()
    expected = scorer(PAIRS)
    seekers, responses = zip(*PAIRS, strict=True)
    rows = datasets.Dataset.from_dict({"seeker_post": seekers, "response_post": responses, "rp_id": range(len(PAIRS))})
    for stream in (rows, rows.to_iterable_dataset(), zip(seekers, responses, strict=True)):
        results = scorer(stream, batch_size=2)
        assert not isinstance(results, list)
        for result, pair_result in zip(results, expected, strict=True):
            assert_same(result, pair_result)


def test_the_result_says_what_the_model_says():
    scorer = pipeline_for()
    seeker, response = PAIRS[1]
    result = scorer((seeker, response))
    assert list(result) == [*MECHANISMS, "truncated"]
    posts = [scorer.tokenizer(post, return_tensors="pt") for post in (seeker, response)]
    with torch.no_grad():
        output = scorer.model(
            posts[0]["input_ids"], posts[0]["attention_mask"], posts[1]["input_ids"], posts[1]["attention_mask"]
        )
    encoded = scorer.tokenizer(response, return_offsets_mapping=True, return_special_tokens_mask=True)
    spans_seen = 0
    for index, mechanism in enumerate(MECHANISMS):
        probabilities = output.empathy_logits[0, index].softmax(-1)
        described = result[mechanism]
        assert described["level"] == int(probabilities.argmax())
        assert described["label"] == ("no", "weak", "strong")[described["level"]]
        assert described["score"] == pytest.approx(float(probabilities.max()), abs=1e-5)
        scores = output.rationale_logits[0, index].softmax(-1)[:, 1].tolist()
        spans = token_scores_to_spans(response, encoded["offset_mapping"], encoded["special_tokens_mask"], scores, 0.2)
        expected = [] if described["level"] == 0 else [(span.start, span.end, span.text) for span in spans]
        assert [(span["start"], span["end"], span["text"]) for span in described["rationales"]] == expected
        for span in described["rationales"]:
            assert response[span["start"] : span["end"]] == span["text"] != ""
            spans_seen += 1
    assert spans_seen, "no rationale to look at"


def test_the_threshold_decides_what_is_a_rationale():
    scorer = pipeline_for()
    everything = [scorer(pair, threshold=0.0) for pair in PAIRS]
    shown = [
        (pair, result[name])
        for pair, result in zip(PAIRS, everything, strict=True)
        for name in MECHANISMS
        if result[name]["level"]
    ]
    assert shown
    for (_, response), described in shown:
        assert described["rationales"][0]["start"] == 0 and described["rationales"][-1]["end"] == len(response)
    nothing = [scorer(pair, threshold=1.0) for pair in PAIRS]
    assert not any(result[name]["rationales"] for result in nothing for name in MECHANISMS)


def test_long_posts_are_reported_as_truncated():
    scorer = pipeline_for(max_post_length=12)
    long_response = scorer(("ok", "Thank you for sharing this " * 20))
    assert long_response["truncated"] == {"seeker_post": False, "response_post": True}
    long_seeker = scorer(("ok " * 30, "Why?"))
    assert long_seeker["truncated"] == {"seeker_post": True, "response_post": False}
    assert scorer(("ok", "Why?"))["truncated"] == {"seeker_post": False, "response_post": False}
    assert scorer(("ok " * 30, "Why?"), max_length=40)["truncated"]["seeker_post"] is False


def test_one_mechanism_and_saving(tmp_path):
    scorer = pipeline_for(mechanisms=["interpretations"])
    expected = scorer(PAIRS, batch_size=4)
    assert list(expected[0]) == ["interpretations", "truncated"]
    scorer.model.save_pretrained(tmp_path)
    scorer.tokenizer.save_pretrained(tmp_path)
    for result, pair_result in zip(EmpathyPipeline.from_pretrained(tmp_path)(PAIRS), expected, strict=True):
        assert_same(result, pair_result)


@pytest.mark.parametrize(
    ("pair", "message"),
    [
        ({"seeker_post": "a"}, "lacks response_post; it has 'seeker_post'"),
        ({}, "it has no keys"),
        (("a", 3), "response_post of a pair is not a string but int: '3'"),
        ({"seeker_post": None, "response_post": "b"}, "seeker_post of a pair is not a string but NoneType"),
        (("a", "b", "c"), "got tuple"),
        ("only one text", "got str: 'only one text'"),
    ],
)
def test_what_is_no_pair_is_named(pair, message):
    scorer = pipeline_for()
    with pytest.raises(ValueError, match=message):
        scorer(pair)


def test_an_unknown_option_is_named():
    with pytest.raises(ValueError, match="thresold"):
        pipeline_for()(PAIRS[0], thresold=0.3)


def test_columns_give_what_pairs_give():
    scorer = pipeline_for()
    expected = scorer(PAIRS)
    seekers, responses = map(list, zip(*PAIRS, strict=True))
    data = datasets.Dataset.from_dict({"seeker_post": seekers, "response_post": responses, "level": [0] * len(PAIRS)})
    as_list = scorer({"seeker_post": seekers, "response_post": responses, "rp_id": list("abcde")}, batch_size=2)
    assert isinstance(as_list, list)
    streamed = scorer({"seeker_post": data["seeker_post"], "response_post": data["response_post"]}, batch_size=2)
    assert not isinstance(streamed, list)
    # As transformers itself feeds two columns to its pipelines for pairs of texts.
    keyed = scorer(KeyPairDataset(data, "seeker_post", "response_post"), batch_size=2)
    for form in (as_list, scorer(data[:]), streamed, keyed):
        form = list(form)
        assert len(form) == len(PAIRS)
        for result, pair_result in zip(form, expected, strict=True):
            assert_same(result, pair_result)
    with pytest.raises(ValueError, match="2 seeker posts and 1 responses"):
        scorer({"seeker_post": ["a", "b"], "response_post": ["c"]})
    with pytest.raises(ValueError, match="response_post of a pair is not a string but list"):
        scorer({"seeker_post": "a", "response_post": ["b"]})


def test_a_row_of_a_column_that_is_no_string_is_named():
    with pytest.raises(ValueError, match="response_post of a pair is not a string but NoneType"):
        pipeline_for()({"seeker_post": ["a", "b"], "response_post": ["c", None]})


def test_some_mechanisms_in_the_order_asked_for():
    scorer = pipeline_for()
    everything = scorer(PAIRS[1])
    some = scorer(PAIRS[1], mechanisms=["explorations", "emotional_reactions"])
    assert list(some) == ["explorations", "emotional_reactions", "truncated"]
    assert all(some[name] == everything[name] for name in some)
    assert list(scorer(PAIRS[1], mechanisms="interpretations")) == ["interpretations", "truncated"]
    configured = EmpathyPipeline(model=scorer.model, tokenizer=scorer.tokenizer, mechanisms=["interpretations"])
    assert list(configured(PAIRS[1])) == ["interpretations", "truncated"]
    for wrong in (["sympathy"], []):
        with pytest.raises(ValueError, match="the model scores emotional_reactions, interpretations, explorations"):
            scorer(PAIRS[1], mechanisms=wrong)


def test_all_scores_are_the_probabilities_of_the_labels():
    scorer = pipeline_for()
    result = scorer(PAIRS[1], return_all_scores=True)
    for mechanism in MECHANISMS:
        scores = result[mechanism].pop("scores")
        assert list(scores) == ["no", "weak", "strong"] and sum(scores.values()) == pytest.approx(1)
        assert max(scores, key=scores.get) == result[mechanism]["label"]
        assert scores[result[mechanism]["label"]] == result[mechanism]["score"]
    assert result == scorer(PAIRS[1])
    configured = EmpathyPipeline(model=scorer.model, tokenizer=scorer.tokenizer, return_all_scores=True)
    assert "scores" in configured(PAIRS[1])["explorations"]
    assert "scores" not in configured(PAIRS[1], return_all_scores=False)["explorations"]


LONG_RESPONSE = " ".join(f"I understand {n}, it sounds hard. Why did you lose job {n * 7}?" for n in range(20))


@pytest.mark.parametrize("family", TOKENIZERS)
def test_long_responses_are_scored_to_their_end_in_windows(family):
    scorer = pipeline_for(family, max_post_length=24)
    seeker, stride = PAIRS[0][0], 6
    result = scorer((seeker, LONG_RESPONSE), stride=stride, threshold=0.3, return_all_scores=True)
    assert result["truncated"] == {"seeker_post": False, "response_post": False}

    # Each window alone, as text that was never longer, joined by hand.
    tokens = scorer.tokenizer(LONG_RESPONSE, return_offsets_mapping=True, verbose=False)
    words = list(range(1, len(tokens["input_ids"]) - 1))
    seeker_ids = torch.tensor([scorer.tokenizer(seeker)["input_ids"]])
    starts = list(range(0, len(words), 24 - 2 - stride))
    windows = [words[start : start + 22] for start in starts if start + stride < len(words)]
    # 22 words and the two special tokens around them; the last window is as full as the others.
    windows[-1] = words[-22:]
    levels, scores = [], torch.zeros(len(MECHANISMS), len(tokens["input_ids"]), len(windows)) * float("nan")
    for number, window in enumerate(windows):
        ids = torch.tensor([[tokens["input_ids"][position] for position in (0, *window, -1)]])
        with torch.no_grad():
            output = scorer.model(seeker_ids, torch.ones_like(seeker_ids), ids, torch.ones_like(ids))
        levels.append(output.empathy_logits[0].softmax(-1))
        # Without the special tokens, whose scores no span reads.
        scores[:, window, number] = output.rationale_logits[0].softmax(-1)[:, 1:-1, 1]
    spans_seen = 0
    for index, mechanism in enumerate(MECHANISMS):
        strongest = max((window_levels[index] for window_levels in levels), key=lambda p: float(p[1] + 2 * p[2]))
        assert list(result[mechanism]["scores"].values()) == pytest.approx(strongest.tolist(), abs=1e-4)
        means = scores[index].nanmean(-1)
        for span in result[mechanism]["rationales"]:
            inside = [
                float(means[position])
                for position in words
                if max(tokens["offset_mapping"][position][0], span["start"])
                < min(tokens["offset_mapping"][position][1], span["end"])
            ]
            assert sum(inside) / len(inside) == pytest.approx(span["score"], abs=1e-3)
            spans_seen += span["start"] > len(LONG_RESPONSE) // 2
    assert spans_seen, "no rationale behind the first window"


def test_windows_change_nothing_for_others_in_the_batch():
    scorer = pipeline_for("roberta", max_post_length=24)
    pairs = [*PAIRS[:2], (PAIRS[2][0], LONG_RESPONSE), *PAIRS[3:]]
    together = scorer(pairs, batch_size=5, stride=4)
    for pair, result in zip(pairs, together, strict=True):
        assert_same(result, scorer(pair, stride=4))
    for pair, result in zip(PAIRS, together, strict=True):
        if pair in pairs[:2] + pairs[3:] and not scorer(pair)["truncated"]["response_post"]:
            assert_same(result, scorer(pair))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"stride": 22}, "from 0 to 21"),
        ({"stride": -1}, "from 0 to 21"),
        ({"threshold": 50}, "threshold=50"),
        ({"threshold": float("nan")}, "threshold=nan"),
        ({"max_length": 2}, "max_length=2"),
    ],
)
def test_options_that_mean_nothing_are_refused(option, message):
    with pytest.raises(ValueError, match=message):
        pipeline_for(max_post_length=24)(("ok", LONG_RESPONSE), **option)
