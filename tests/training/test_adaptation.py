"""Domain-adaptive pre-training, from posts to an encoder that training starts from."""

import inspect
import json
import re
from dataclasses import asdict, fields
from functools import partial
from pathlib import Path

import datasets
import pytest
import torch
from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForMaskedLM, AutoTokenizer, set_seed
from typer.testing import CliRunner

from dataset_scripts.epitome import load_epitome
from modeling_empathy import EmpathyModel
from modeling_empathy.cli.adapt import adapt
from modeling_empathy.cli.app import app
from modeling_empathy.corpus.splits import split_of
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.errors import InputError
from modeling_empathy.model.mechanisms import POSTS as POST_COLUMNS
from modeling_empathy.training import adaptation
from modeling_empathy.training.adaptation import AdaptationArguments, adapt_encoder, training_posts
from modeling_empathy.training.unlabelled_posts import read_posts
from tests.command_lines import refused_by
from tests.csv_files import write_csv
from tests.tiny_models import tiny_encoder_config
from tests.tokenizers_for_tests import byte_level_bpe_tokenizer, wordpiece_tokenizer


# Repetitive, so that a tiny model learns it in seconds.
POSTS = [f"I feel so sad today and {number} of you asked what happened." for number in range(60)]
QUICK = {"num_train_epochs": 6, "learning_rate": 5e-3, "batch_size": 8, "held_out": 0.2}

refused = partial(refused_by, app, "adapt")


def save_encoder(folder: Path, family: str = "bert", with_head: bool = True, max_length: int = 128) -> Path:
    """A tiny encoder at random, with its tokenizer, with or without the head that fills in masked words."""
    set_seed(0)
    auto_class = AutoModelForMaskedLM if with_head else AutoModel
    auto_class.from_config(tiny_encoder_config(family)).save_pretrained(folder)
    tokenizer = wordpiece_tokenizer() if family == "bert" else byte_level_bpe_tokenizer()
    tokenizer.model_max_length = max_length
    tokenizer.save_pretrained(folder)
    return folder


def arguments(encoder: Path, **changed: object) -> AdaptationArguments:
    return AdaptationArguments(encoder=str(encoder), **(QUICK | changed))


def files_under(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*"))


@pytest.mark.parametrize(("family", "with_head"), [("bert", True), ("bert", False), ("roberta", True)])
def test_an_encoder_learns_posts_and_training_starts_from_it(tmp_path, family, with_head):
    base = save_encoder(tmp_path / "base", family, with_head)
    done = adapt_encoder(POSTS, tmp_path / "adapted", arguments(base))
    assert done.loss_before is not None and done.loss_after is not None
    assert done.loss_after < 0.8 * done.loss_before
    assert (done.posts, done.head_is_new) == (60, not with_head)
    assert 0 < done.held_out_posts < 30 and done.examples == 60 - done.held_out_posts

    # Of the whole encoder, and nothing of it left at random: a weight under another name would be.
    before = AutoModel.from_pretrained(base).state_dict()
    adapted, loading = AutoModel.from_pretrained(tmp_path / "adapted", output_loading_info=True)
    assert not loading["missing_keys"] and not loading["unexpected_keys"]
    changed = [name for name, weight in adapted.state_dict().items() if not torch.equal(weight, before[name])]
    assert any("embeddings" in name for name in changed) and any("layer.1" in name for name in changed)
    model = EmpathyModel.from_encoder(tmp_path / "adapted")
    for name, weight in model.seeker_encoder.state_dict().items():
        assert torch.equal(weight, adapted.state_dict()[name]), name


def test_the_output_is_an_encoder_with_the_tokenizer_of_the_base_and_nothing_else(tmp_path):
    base = save_encoder(tmp_path / "base", max_length=99)
    done = adapt_encoder(POSTS, tmp_path / "out" / "adapted", arguments(base, max_length=12, num_train_epochs=1))
    folder = tmp_path / "out" / "adapted"
    assert files_under(tmp_path / "out") == [
        "README.md",
        "adapted",
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    tokenizer, base_tokenizer = load_tokenizer(str(folder)), load_tokenizer(str(base))
    # The base's limit, not the 12 tokens of an example.
    assert tokenizer.model_max_length == base_tokenizer.model_max_length == 99
    long = " ".join(POSTS)
    assert tokenizer(long)["input_ids"] == base_tokenizer(long)["input_ids"]
    # Cut by nobody: the tokenizer itself remembers the last cut it was asked for.
    assert json.loads((folder / "tokenizer.json").read_text())["truncation"] is None
    card = (folder / "README.md").read_text()
    for part in ("`base`", "60 distinct", "| epochs | 1 |", f"{done.loss_before:.4f}", f"{done.loss_after:.4f}"):
        assert part in card
    written = card + (folder / "config.json").read_text() + (folder / "tokenizer_config.json").read_text()
    assert str(tmp_path) not in written, "a folder of this machine is nobody else's business"


def test_the_same_seed_gives_the_same_encoder_and_loss(tmp_path):
    base = save_encoder(tmp_path / "base", with_head=False)
    # Without a head in the folder: the seed decides about that too.
    seeds = {"once": 1, "again": 1, "changed": 2}
    once, again, changed = (
        adapt_encoder(POSTS, tmp_path / name, arguments(base, num_train_epochs=1, seed=seed))
        for name, seed in seeds.items()
    )
    assert once == again
    assert once.loss_before != changed.loss_before
    assert once.held_out_posts == changed.held_out_posts, "what is held out is not a matter of the seed"
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in seeds]
    assert weights[0] == weights[1] != weights[2]


def test_nothing_learned_is_nothing_measured(tmp_path):
    """With a learning rate of 0 the loss stays the same to the last digit: the masks are the same."""
    base = save_encoder(tmp_path / "base")
    done = adapt_encoder(POSTS, tmp_path / "adapted", arguments(base, learning_rate=0.0, num_train_epochs=1))
    assert done.loss_before == done.loss_after is not None


def test_without_held_out_posts_nothing_is_measured_and_all_are_trained_on(tmp_path):
    base = save_encoder(tmp_path / "base")
    repeated = POSTS + POSTS[:7]
    done = adapt_encoder(repeated, tmp_path / "adapted", arguments(base, held_out=0.0, num_train_epochs=1))
    assert (done.examples, done.posts, done.loss_before, done.loss_after) == (60, 60, None, None)
    assert "not measured" in (tmp_path / "adapted" / "README.md").read_text()


def test_posts_of_one_word_do_not_spoil_the_weights(tmp_path):
    """Chance masks nothing in most of them, and the mean loss of nothing is not a number."""
    base = save_encoder(tmp_path / "base")
    posts = ["sad", "sorry", "hard", "you", "feel", "time", "what", "why", "hope", "better", "alone", "today"]
    done = adapt_encoder(posts, tmp_path / "adapted", arguments(base, batch_size=1, held_out=0.4, num_train_epochs=1))
    assert 1 < done.held_out_posts < 11
    assert done.loss_before is not None and done.loss_after is not None
    assert 0 < done.loss_before < 20 and 0 < done.loss_after < 20
    weights = AutoModel.from_pretrained(tmp_path / "adapted").state_dict().values()
    assert all(weight.isfinite().all() for weight in weights)


@pytest.mark.parametrize("family", ["bert", "roberta"])
def test_long_posts_are_read_to_their_end(tmp_path, monkeypatch, family):
    base = save_encoder(tmp_path / "base", family)
    tokenizer = AutoTokenizer.from_pretrained(base)
    # The last has no token of its own, in BERT's vocabulary at least, and must not stop the others.
    posts = ["I feel so sad.", " ".join(f"so sad {number}" for number in range(40)), "What happened?", "\u200d"]
    examples: list[list[int]] = []

    class ReadingTrainer(adaptation.Trainer):
        def __init__(self, **kwargs: object) -> None:
            examples.extend(kwargs["train_dataset"]["input_ids"])
            super().__init__(**kwargs)

    monkeypatch.setattr(adaptation, "Trainer", ReadingTrainer)
    adapt_encoder(posts, tmp_path / "adapted", arguments(base, held_out=0, max_length=16, num_train_epochs=0.1))
    assert max(map(len, examples)) == 16 and len(examples) > 10
    special = {tokenizer.cls_token_id, tokenizer.sep_token_id}
    assert all(ids[0] == tokenizer.cls_token_id and ids[-1] == tokenizer.sep_token_id for ids in examples)
    # Their examples in a row are the posts as they would be without any limit.
    together = [token for ids in examples for token in ids if token not in special]
    assert together == [token for post in posts for token in tokenizer(post, add_special_tokens=False)["input_ids"]]


def test_of_the_corpus_only_training_posts_are_read(tmp_path, monkeypatch):
    base = save_encoder(tmp_path / "base")
    read: list[str] = []

    def remember(posts, output_path, arguments):
        read.extend(posts)
        # Some of them are enough to end the command as a user sees it.
        return adapt_encoder(posts[:40], output_path, arguments)

    monkeypatch.setattr(adaptation, "adapt_encoder", remember)
    options = ["--encoder", base, "--num_train_epochs", 0.1, "--held_out", 0.3, "--max_length", 32, "--salt", "other"]
    command = ["adapt", "--source", "sample", "--output_path", tmp_path / "adapted", *options]
    result = CliRunner().invoke(app, list(map(str, command)))
    assert result.exit_code == 0, result.output
    assert f"{tmp_path / 'adapted'}" in result.output and "before" in result.output

    pairs = datasets.concatenate_datasets(list(load_epitome("all", source="sample").values()))
    posts: dict[str, set[str]] = {"train": set(), "validation": set(), "test": set()}
    for pair in pairs:
        posts[split_of(pair["sp_id"], "other")] |= {pair["seeker_post"], pair["response_post"]}
    # By another salt the splits differ from the usual ones, so that a command that forgets it would be noticed.
    assert all(len(split_posts) > 10 for split_posts in posts.values())
    assert set(read) == posts["train"] - posts["validation"] - posts["test"]
    assert len(read) == len(set(read)) > 100


def test_a_post_that_is_measured_on_elsewhere_is_not_trained_on():
    def split(*pairs: tuple[str, str]) -> datasets.Dataset:
        return datasets.Dataset.from_list([dict(zip(POST_COLUMNS, pair, strict=True)) for pair in pairs])

    corpus = datasets.DatasetDict(
        train=split(("a", "hugs"), ("b", "same"), ("b", "c")),
        validation=split(("v", "hugs")),
        test=split(("t", "same")),
    )
    assert training_posts(corpus) == ["a", "b", "c"]


def test_posts_are_read_from_every_format_once_each(tmp_path):
    # A byte order mark, line ends of Windows, blank lines, white space and a last line without an end.
    (tmp_path / "posts.txt").write_bytes("\ufeffI am sad\r\n\n  Why?  \nI am sad\nÇa va 😀".encode())
    assert read_posts(tmp_path / "posts.txt") == ["I am sad", "Why?", "Ça va 😀"]
    rows = [("1", "I am sad, so sad", "Why?", "x"), ("2", "I am sad, so sad", "two\nlines", "y")]
    pairs = ["I am sad, so sad", "Why?", "two\nlines"]
    header = ("id", "seeker_post", "response_post", "text")
    write_csv(tmp_path / "posts.csv", rows, header)
    table = datasets.Dataset.from_list([dict(zip(header, row, strict=True)) for row in rows])
    table.to_parquet(tmp_path / "posts.parquet")
    table.to_json(tmp_path / "posts.jsonl")
    for ending in ("csv", "jsonl", "parquet"):
        path = tmp_path / f"posts.{ending}"
        assert sorted(read_posts(path)) == sorted(pairs), ending
        assert read_posts(path, "text") == ["x", "y"], ending
    write_csv(tmp_path / "text.csv", [("only this",)], ("text",))
    assert read_posts(tmp_path / "text.csv") == ["only this"]
    write_csv(tmp_path / "half.csv", [("only this", "not this")], ("response_post", "text"))
    assert read_posts(tmp_path / "half.csv") == ["only this"]


def test_bad_input_is_named(tmp_path):
    def refusal(name: str, content: str | bytes, column: str | None = None) -> str:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        with pytest.raises(InputError) as error:
            read_posts(path, column)
        return str(error.value)

    assert refusal("a.txt", b"fine\n\nb\xff") == "a.txt, line 3: expected UTF-8 text, got 'b\\udcff'."
    assert refusal("a.csv", "text\nfine\n  x\0y\n").startswith("a.csv, row 2 (line 3), column 'text': expected text w")
    assert refusal("b.csv", 'text,n\nfine,1\n" ",2\n') == (
        "b.csv, row 2 (line 3), column 'text': expected text, got ' '."
    )
    assert "c.csv: the column 'text' is missing; the header has 'post'" in refusal("c.csv", "post\nfine\n")
    assert "c.csv: the column 'body' is missing" in refusal("c.csv", "post\nfine\n", "body")
    assert "no column 'body'" in refusal("a.txt", "fine", "body")
    assert refusal("a.jsonl", '{"text": "fine"}\n{"text": 3}') == (
        "a.jsonl, line 2, column 'text': expected text, got '3'."
    )
    assert "a.jsonl, line 2, column 'text': expected text, got 'None'" in refusal("a.jsonl", '{"text": "a"}\n{"b": 1}')
    assert "a.jsonl, line 1: no JSON" in refusal("a.jsonl", "fine")
    assert "a.jsonl, line 1: expected a JSON object" in refusal("a.jsonl", "[1]")
    assert "can't be read as Parquet" in refusal("a.parquet", "fine")
    datasets.Dataset.from_dict({"text": ["fine", None]}).to_parquet(tmp_path / "ok.parquet")
    with pytest.raises(InputError, match=r"ok\.parquet, row 2, column 'text': expected text, got 'None'"):
        read_posts(tmp_path / "ok.parquet")
    assert "a.txt has no posts" in refusal("a.txt", "\n \n")
    assert "names no format; use one of .txt, .csv" in refusal("a.doc", "fine")


def test_what_can_be_mended_is_one_message_and_nothing_is_written(tmp_path):
    base = save_encoder(tmp_path / "base")
    posts = tmp_path / "posts.txt"
    posts.write_text("\n".join(POSTS))
    with_posts = ("--input_path", posts, "--output_path", tmp_path / "out" / "adapted")
    assert "is not a file" in refused("--input_path", tmp_path / "none.txt", *with_posts[2:])
    assert "leave out --data_dir" in refused(*with_posts, "--salt", "x")
    assert "--input_path, which is missing" in refused("--column", "text", *with_posts[2:])
    assert "reads at most 128 tokens" in refused(*with_posts, "--encoder", base, "--max_length", 129)
    assert "tokenizer of" in refused(*with_posts, "--encoder", tmp_path / "none")
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("")
    into_full = ("--input_path", posts, "--output_path", tmp_path / "full")
    assert "full exists already" in refused(*into_full, "--encoder", base)
    posts.write_text("one post")
    assert "too few posts (1 distinct)" in refused(*with_posts, "--encoder", base)
    # Its tokenizer has a mask token, so that it is the model that is refused.
    byte_level_bpe_tokenizer().save_pretrained(tmp_path / "causal")
    sizes = {"vocab_size": 600, "n_embd": 16, "n_layer": 1, "n_head": 2}
    AutoModelForCausalLM.from_config(AutoConfig.for_model("gpt2", **sizes)).save_pretrained(tmp_path / "causal")
    assert "can't fill in masked words" in refused(*with_posts, "--encoder", tmp_path / "causal")
    assert files_under(tmp_path / "out") == [] and files_under(tmp_path / "full") == ["mine.txt"]


def test_a_failure_after_training_leaves_nothing(tmp_path, monkeypatch):
    base = save_encoder(tmp_path / "base")

    def fail(*args: object, **kwargs: object) -> None:
        raise RuntimeError("the power went out")

    # The card is what is written last.
    monkeypatch.setattr(adaptation, "_card", fail)
    with pytest.raises(RuntimeError, match="the power went out"):
        adapt_encoder(POSTS, tmp_path / "out" / "adapted", arguments(base, num_train_epochs=1))
    assert files_under(tmp_path / "out") == []


def test_the_command_has_the_defaults_of_python():
    parameters = inspect.signature(adapt).parameters
    defaults = asdict(AdaptationArguments())
    assert {name: parameters[name].default for name in defaults} == defaults
    # Without colours, and wide enough that no option is cut in two.
    shown = re.sub(r"\x1b\[[0-9;]*m", "", CliRunner().invoke(app, ["adapt", "--help"], env={"COLUMNS": "160"}).output)
    assert "masked" in shown
    for field in fields(AdaptationArguments):
        assert f"--{field.name}" in shown


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_train_epochs", 0.0),
        ("learning_rate", float("nan")),
        ("batch_size", 0),
        ("max_length", 2),
        ("mlm_probability", 1.0),
        ("held_out", 1.0),
        ("seed", -1),
    ],
)
def test_arguments_out_of_their_range_are_refused_before_anything_is_loaded(name, value):
    with pytest.raises(InputError, match=f"^{name}={value}: "):
        AdaptationArguments(**{name: value})
