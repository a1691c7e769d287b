"""The engine: what the pipeline says, whatever is batched with what, and no post computed twice."""

import copy
import multiprocessing
import pickle

import pytest
import torch

from modeling_empathy import MECHANISMS, EmpathyPipeline
from modeling_empathy.errors import InputError
from modeling_empathy.scoring.engine import ScoringEngine
from modeling_empathy.scoring.torch_backend import TorchBackend
from tests.model.test_pipeline_empathy import LONG_RESPONSE, PAIRS, TOKENIZERS, assert_same
from tests.tiny_models import tiny_model


# Posts that meet again with others, a response beyond the cut, and pairs that occur twice.
MANY = [*PAIRS, (PAIRS[0][0], PAIRS[1][1]), (PAIRS[1][0], PAIRS[0][1]), (PAIRS[2][0], LONG_RESPONSE), *PAIRS]


def both(family: str = "bert", tokens_per_batch: int = 64, **config) -> tuple[EmpathyPipeline, ScoringEngine]:
    config = {"rationale_thresholds": [0.3] * 3, "max_post_length": 40, **config}
    pipeline = EmpathyPipeline(model=tiny_model(family, **config), tokenizer=TOKENIZERS[family]())
    return pipeline, ScoringEngine.of_model(pipeline.model, pipeline.tokenizer, tokens_per_batch=tokens_per_batch)


@pytest.mark.parametrize("family", TOKENIZERS)
@pytest.mark.parametrize("share_responder_encoder", [True, False])
@pytest.mark.parametrize("attend_to_padding", [False, True])
# A pair a batch, a few, and all at once.
@pytest.mark.parametrize("tokens_per_batch", [1, 100, 10_000])
def test_it_says_what_the_pipeline_says_of_each_pair_alone(
    family, share_responder_encoder, attend_to_padding, tokens_per_batch
):
    options = {"share_responder_encoder": share_responder_encoder, "attend_to_padding": attend_to_padding}
    pipeline, engine = both(family, tokens_per_batch, **options)
    results = engine.score(engine.encode(MANY), return_all_scores=True, token_mask=True)
    assert len(results) == len(MANY)
    for pair, result in zip(MANY, results, strict=True):
        expected = pipeline(pair, return_all_scores=True, token_mask=True)
        assert_same(result, expected)
        # Sums of floats depend on the shape of a batch: close, and not equal.
        for name in MECHANISMS:
            assert result[name]["scores"] == pytest.approx(expected[name]["scores"], abs=1e-5)
            assert len(result[name]["token_mask"]) == len(expected[name]["token_mask"]) == 40


@pytest.mark.parametrize("tokens_per_batch", [30, 10_000])
def test_long_responses_in_windows_are_put_together_whatever_batch_they_were_in(tokens_per_batch):
    pipeline, engine = both("roberta", tokens_per_batch)
    done: list[int] = []
    results = engine.score(engine.encode(MANY, stride=7), done.append)
    for pair, result in zip(MANY, results, strict=True):
        assert_same(result, pipeline(pair, stride=7))
    assert sum(done) == len(MANY), "every pair is counted once, windows or not"


def test_each_post_is_computed_once():
    class Counting(TorchBackend):
        seeker_posts = responses = 0

        def seeker_states(self, input_ids, attention_mask):
            self.seeker_posts += len(input_ids)
            return super().seeker_states(input_ids, attention_mask)

    pipeline, _ = both()
    pairs = [("I feel alone.", response) for _, response in PAIRS] * 3 + [(seeker, "Why?") for seeker, _ in PAIRS]
    backend = Counting(pipeline.model)
    # Counted at the encoder, since the backend leaves out what occurs twice.
    encoded: list[int] = []
    backend.model.responder_encoders[0].register_forward_hook(
        lambda _, __, output: encoded.append(len(output.last_hidden_state))
    )
    engine = ScoringEngine(backend, pipeline.tokenizer, pipeline.model.config, tokens_per_batch=10_000)
    results = engine.score(engine.encode(pairs))
    assert backend.seeker_posts == len({seeker for seeker, _ in pairs})
    assert sum(encoded) == len({response for _, response in pairs})
    for pair, result in zip(pairs, results, strict=True):
        assert_same(result, pipeline(pair))


def test_no_pairs_give_no_results():
    pipeline, engine = both()
    assert engine.score(engine.encode([])) == []
    for nothing in ([], (), iter([]), {"seeker_post": [], "response_post": []}):
        assert list(engine(nothing)) == []
        assert list(pipeline(nothing)) == []


def test_one_pair_gives_one_result_in_every_form():
    pipeline, engine = both()
    seeker, response = PAIRS[0]
    for form in ((seeker, response), [seeker, response], {"seeker_post": seeker, "response_post": response}):
        [result] = engine(form)
        assert_same(result, pipeline(form))


def test_pairs_before_an_error_are_scored_whatever_chunk_they_are_in(monkeypatch):
    monkeypatch.setattr("modeling_empathy.scoring.engine.PAIRS_PER_CHUNK", 2)
    _, engine = both()
    expected = list(engine(PAIRS[:3]))

    def pairs():
        yield from PAIRS[:3]
        raise KeyError("of the caller's own")

    results, done = engine(pairs()), []
    with pytest.raises(KeyError, match="of the caller's own"):
        for result in results:
            done.append(result)
    assert done == expected


def test_a_chunk_that_follows_others_has_their_positions_behind_it():
    _, engine = both()
    assert [pair.position for pair in engine.encode(PAIRS, first=100)] == list(range(100, 100 + len(PAIRS)))
    with pytest.raises(ValueError, match="Pair 101 "):
        engine.encode([PAIRS[0], "no pair"], first=100)


def _scored_there(engine: ScoringEngine, pairs: list[tuple[str, str]]) -> list[dict]:
    torch.set_num_threads(1)
    return list(engine(pairs, return_all_scores=True))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize(
    "copied", [copy.deepcopy, lambda engine: pickle.loads(pickle.dumps(engine))], ids=["copied", "pickled"]
)
def test_a_copy_gives_the_same_to_the_bit(dtype, copied):
    pipeline, _ = both()
    engine = ScoringEngine.of_model(pipeline.model.to(dtype), pipeline.tokenizer)
    expected = _scored_there(engine, MANY)
    assert len(expected) == len(MANY)
    assert _scored_there(copied(engine), MANY) == expected
    assert _scored_there(engine, MANY) == expected, "the original is as it was"
    again = copied(pipeline)
    assert again(MANY, stride=3) == pipeline(MANY, stride=3)


@pytest.mark.slow
def test_a_process_of_its_own_gives_the_same():
    pipeline, _ = both()
    engine = ScoringEngine.of_model(pipeline.model.to(torch.bfloat16), pipeline.tokenizer)
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(_scored_there, (engine, MANY)) == _scored_there(engine, MANY)


def test_half_precision_stays_close():
    pipeline, _ = both()
    expected = [pipeline(pair, return_all_scores=True) for pair in PAIRS]
    engine = ScoringEngine.of_model(pipeline.model.to(torch.bfloat16), pipeline.tokenizer)
    for result, exact in zip(engine.score(engine.encode(PAIRS), return_all_scores=True), expected, strict=True):
        for name in MECHANISMS:
            assert result[name]["scores"] == pytest.approx(exact[name]["scores"], abs=0.1)


def test_pairs_are_read_a_chunk_at_a_time(monkeypatch):
    monkeypatch.setattr("modeling_empathy.scoring.engine.PAIRS_PER_CHUNK", 2)
    pipeline, engine = both()
    read = []
    results = engine((read.append(pair) or pair for pair in MANY), return_all_scores=True)
    assert_same(next(results), pipeline(MANY[0], return_all_scores=True))
    # No pair is taken from the iterator before its chunk's turn.
    assert len(read) == 2
    rest = list(results)
    assert len(rest) == len(MANY) - 1
    for pair, result in zip(MANY[1:], rest, strict=True):
        assert_same(result, pipeline(pair, return_all_scores=True))


def test_a_checkpoint_gives_its_engine(tmp_path):
    pipeline, _ = both()
    pipeline.save_pretrained(tmp_path)
    [result] = ScoringEngine.from_pretrained(str(tmp_path))([MANY[0]], stride=3)
    assert_same(result, pipeline(MANY[0], stride=3))
    assert ScoringEngine.from_pretrained(str(tmp_path), dtype="bf16").backend.model.dtype == torch.bfloat16
    with pytest.raises(InputError, match="'torch' with the dtype 'int8'; there are torch: fp32, bf16; onnx"):
        ScoringEngine.from_pretrained(str(tmp_path), dtype="int8")
    with pytest.raises(InputError, match="no backend 'tensorrt'"):
        ScoringEngine.from_pretrained(str(tmp_path), backend="tensorrt")
