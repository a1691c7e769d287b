"""No word of a response is left out in silence: windows are the default where a model's configuration has a stride."""

import math
import pickle

import pytest
import torch

from modeling_empathy import MECHANISMS, EmpathyConfig, EmpathyModel, EmpathyPipeline, ScoringEngine
from modeling_empathy.checkpoints.joined_models import join_models
from modeling_empathy.cli.app import app
from modeling_empathy.errors import InputError
from modeling_empathy.jobs.plan import ScoringOptions
from modeling_empathy.jobs.score_files import score_files
from modeling_empathy.scoring.engine import load_engines
from modeling_empathy.training.parsing import parse_arguments
from tests.command_lines import printed_by, refused_by
from tests.csv_files import write_csv
from tests.jobs.test_score_files import read_scores
from tests.model.test_pipeline_empathy import LONG_RESPONSE, PAIRS, assert_same, pipeline_for
from tests.tiny_models import tiny_model


LONG = (PAIRS[0][0], LONG_RESPONSE)
CUT = {"seeker_post": False, "response_post": True}
WHOLE = {"seeker_post": False, "response_post": False}


def scorer_with(**config) -> EmpathyPipeline:
    return pipeline_for(**{"max_post_length": 24, "window_stride": 6, **config})


def both(scorer: EmpathyPipeline):
    """What gives results of pairs: the pipeline, and the engine of the same model."""
    engine = ScoringEngine.of_model(scorer.model, scorer.tokenizer)
    return {"pipeline": scorer, "engine": lambda pair, **options: next(iter(engine([pair], **options)))}


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_a_long_response_is_scored_to_its_end_unless_it_is_said_to_be_cut(way):
    score = both(scorer_with())[way]
    by_default = score(LONG)
    assert by_default["truncated"] == WHOLE
    assert_same(by_default, score(LONG, stride=6))
    assert score(LONG, stride=None)["truncated"] == CUT
    assert score(LONG, stride=2)["truncated"] == WHOLE
    # What fits is the same in either way.
    assert_same(score(PAIRS[2]), score(PAIRS[2], stride=None))


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_what_is_shown_behind_the_cut_counts(way):
    score = both(scorer_with())[way]
    spans = [span for name in MECHANISMS for span in score(LONG)[name]["rationales"]]
    assert max(span["end"] for span in spans) > len(LONG_RESPONSE) // 2
    spans = [span for name in MECHANISMS for span in score(LONG, stride=None)[name]["rationales"]]
    assert max(span["end"] for span in spans) < len(LONG_RESPONSE) // 4


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_a_level_that_only_the_end_shows_is_found(way):
    scorer = scorer_with()
    seeker = PAIRS[0][0]
    # Each a token of its own in whatever vocabulary the tokenizer has learnt, so that all windows of one are the same.
    texts = ["? " * 60, "! " * 60]
    scores = [scorer((seeker, text), return_all_scores=True)["explorations"]["scores"] for text in texts]
    odds = [math.log(of_text["strong"] / of_text["no"]) for of_text in scores]
    # Random weights see more in one than in the other; so, that one is strong and the other not there.
    with torch.no_grad():
        scorer.model.mechanism_heads["explorations"].level.output.bias += torch.tensor([sum(odds) / 2, -20.0, 0.0])
    score = both(scorer)[way]
    quiet, shown = sorted(texts, key=lambda text: odds[texts.index(text)])
    assert [score((seeker, text))["explorations"]["level"] for text in (quiet, shown)] == [0, 2], "the premise"

    pair = (seeker, quiet + shown)
    cut, by_default = score(pair, stride=None, threshold=0), score(pair, threshold=0)
    assert (cut["explorations"]["level"], cut["truncated"]) == (0, CUT)
    assert (by_default["explorations"]["level"], by_default["truncated"]) == (2, WHOLE)
    assert max(span["end"] for span in by_default["explorations"]["rationales"]) > len(quiet)


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_a_seeker_post_is_cut_all_the_same_and_the_result_says_so(way):
    truncated = both(scorer_with())[way]((LONG_RESPONSE, LONG_RESPONSE))["truncated"]
    assert truncated == {"seeker_post": True, "response_post": False}


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_a_model_without_a_stride_or_that_attends_to_padding_cuts_as_before(way):
    for config in ({"window_stride": None}, {"family": "roberta", "attend_to_padding": True}):
        score = both(scorer_with(**config))[way]
        assert score(LONG)["truncated"] == CUT
        assert_same(score(LONG), score(LONG, stride=None))
        assert score(LONG, stride=6)["truncated"] == WHOLE, "asked for, it is done"


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_a_token_mask_is_of_what_the_model_reads_at_once(way):
    score = both(scorer_with())[way]
    masked = score(LONG, token_mask=True)
    assert masked["truncated"] == CUT and len(masked["explorations"]["token_mask"]) == 24
    assert score(LONG, token_mask=True, stride=6)["truncated"] == WHOLE


@pytest.mark.parametrize("way", ["pipeline", "engine"])
def test_windows_that_are_short_for_the_models_stride_share_half(way):
    score = both(scorer_with())[way]
    assert score(LONG, max_length=7)["truncated"] == WHOLE
    assert_same(score(LONG, max_length=7), score(LONG, max_length=7, stride=2))
    # A stride that is given is taken at its word.
    with pytest.raises(ValueError, match="stride=6: windows of 7 tokens hold 5"):
        score(LONG, max_length=7, stride=6)


def test_a_pipeline_keeps_what_it_was_made_with():
    scorer = scorer_with()
    cutting = EmpathyPipeline(model=scorer.model, tokenizer=scorer.tokenizer, stride=None)
    assert cutting(LONG)["truncated"] == CUT
    assert cutting(LONG, stride=3)["truncated"] == WHOLE
    masking = EmpathyPipeline(model=scorer.model, tokenizer=scorer.tokenizer, token_mask=True)
    assert masking(LONG)["truncated"] == CUT
    assert masking(LONG, token_mask=False)["truncated"] == WHOLE
    again = pickle.loads(pickle.dumps(ScoringEngine.of_model(scorer.model, scorer.tokenizer)))
    assert next(again([LONG]))["truncated"] == WHOLE
    assert next(again([LONG], stride=None))["truncated"] == CUT


def test_a_checkpoint_keeps_its_stride_and_loading_can_switch_it_off(tmp_path):
    scorer = scorer_with()
    scorer.model.save_pretrained(tmp_path)
    scorer.tokenizer.save_pretrained(tmp_path)
    assert EmpathyPipeline.from_pretrained(tmp_path)(LONG)["truncated"] == WHOLE
    model = EmpathyModel.from_pretrained(tmp_path, window_stride=None)
    assert EmpathyPipeline(model=model, tokenizer=scorer.tokenizer)(LONG)["truncated"] == CUT
    assert EmpathyPipeline.from_pretrained(tmp_path, window_stride=None)(LONG)["truncated"] == CUT
    assert next(ScoringEngine.from_pretrained(str(tmp_path), window_stride=None)([LONG]))["truncated"] == CUT
    engine = ScoringEngine.from_pretrained(str(tmp_path), window_stride=3)
    assert_same(next(engine([LONG])), scorer(LONG, stride=3))
    engine.config.window_stride = None
    assert next(engine([LONG]))["truncated"] == CUT
    # As in a file that was written before there was such a value.
    assert EmpathyConfig().window_stride is None


def test_new_training_writes_a_stride_but_where_padding_is_seen():
    for argv, expected in (([], 32), (["--window_stride", "8"], 8), (["--attend_to_padding", "true"], None)):
        model_args, _, _ = parse_arguments([*argv, "--output_dir", "unused"])
        assert EmpathyConfig(**model_args.config_options()).window_stride == expected
    for recipe, expected in (("embedded", 32), ("separate", 32), ("roberta-base", 32), ("original", None)):
        model_args, _, _ = parse_arguments(["--recipe", recipe, "--output_dir", "unused"])
        assert model_args.config_options()["window_stride"] == expected


def test_models_of_a_mechanism_each_keep_their_stride_when_they_are_joined():
    models = [tiny_model(mechanisms=[mechanism], window_stride=8) for mechanism in MECHANISMS]
    assert join_models(models).config.window_stride == 8


def test_a_file_is_scored_to_its_end_unless_it_is_said_to_be_cut(tmp_path):
    scorer = scorer_with()
    scorer.model.save_pretrained(tmp_path / "model")
    scorer.tokenizer.save_pretrained(tmp_path / "model")
    source = write_csv(tmp_path / "pairs.csv", [("1", *LONG)], ("id", "seeker_post", "response_post"))
    cut = {}
    for name, options in (
        ("default", {}),
        ("cut", {"stride": None}),
        ("mask", {"rationale_format": "mask"}),
    ):
        target = tmp_path / f"{name}.jsonl"
        summary = score_files(
            lambda: load_engines(str(tmp_path / "model")),
            [str(source)],
            str(target),
            ScoringOptions(**options),
            show_progress=False,
        )
        cut[name] = summary.truncated
    assert cut == {"default": 0, "cut": 1, "mask": 1}
    [row] = read_scores(tmp_path / "default.jsonl")
    expected = scorer(LONG, stride=6)
    assert row["EX_label"] == expected["explorations"]["level"]
    command = ("score", "--model", tmp_path / "model", "--input_path", source)
    for options, is_cut in (((), False), (("--no_windows",), True), (("--stride", 3), False)):
        assert ("scored without its end" in printed_by(app, *command, *options)) == is_cut
    message = refused_by(app, *command, "--stride", 4, "--no_windows")
    assert "--stride and --no_windows" in message


@pytest.mark.parametrize("stride", [-1, 1.5, "32", True, float("nan")])
def test_a_stride_in_a_configuration_is_a_whole_number(stride):
    with pytest.raises(ValueError, match=r"window_stride=.*whole number"):
        EmpathyConfig(window_stride=stride)


@pytest.mark.parametrize("way", ["pipeline", "engine"])
@pytest.mark.parametrize("stride", [-4, 1.5, "x", True])
def test_a_stride_that_a_program_sets_is_checked_by_its_own_name(way, stride):
    scorer = scorer_with()
    scorer.model.config.window_stride = stride
    with pytest.raises(ValueError, match=r"^window_stride=.*whole number"):
        both(scorer)[way](LONG)


def test_a_stride_that_is_none_is_named():
    with pytest.raises((ValueError, InputError), match="stride='long'"):
        scorer_with()(LONG, stride="long")
