"""Attacks by the folder of a checkpoint: damaged, forged, or of a stranger who wants his code to run."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import BertForMaskedLM

from modeling_empathy import EmpathyModel
from tests.attacks.attempts import GOOD_PAIRS, Attack, damaged, done, good_checkpoint, refused, run, write
from tests.csv_files import write_corpus
from tests.tiny_models import save_tiny_encoder, tiny_encoder_config
from tests.tokenizers_for_tests import wordpiece_tokenizer


SCORE = "empathy score --model checkpoint --input_path pairs.csv"

# What a stranger's code would do, in whichever file it lies: leave a trace.
CODE = "open('RAN', 'w').close()\nclass Evil:\n    pass\n"

Change = Callable[[dict[str, Any]], object]


def in_config(change: Change, name: str = "config.json") -> Callable[[Path], None]:
    """Changes a JSON file of a checkpoint."""

    def apply(folder: Path) -> None:
        values = json.loads(Path(folder, name).read_text())
        change(values)
        Path(folder, name).write_text(json.dumps(values))

    return apply


def config(**values: Any) -> Callable[[Path], None]:
    """Sets values of `config.json`."""
    return in_config(lambda written: written.update(values))


def encoder(**values: Any) -> Callable[[Path], None]:
    """Sets values of the `encoder_config` in `config.json`."""
    return in_config(lambda written: written["encoder_config"].update(values))


def weights(change: Change) -> Callable[[Path], None]:
    """Changes the tensors of a checkpoint."""

    def apply(folder: Path) -> None:
        tensors = load_file(folder / "model.safetensors")
        change(tensors)
        save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})

    return apply


def one(value: float, name: str = "mechanism_heads.explorations.level.output.weight") -> Callable[[Path], None]:
    """Puts a value into a weight."""
    return weights(lambda tensors: tensors[name].view(-1)[:1].fill_(value))


def cut(name: str, share: float = 0.5) -> Callable[[Path], None]:
    """Cuts a file off."""

    def apply(folder: Path) -> None:
        content = Path(folder, name).read_bytes()
        Path(folder, name).write_bytes(content[: int(len(content) * share)])

    return apply


def runs_no_code(name: str, plant: Callable[[Path], object], command: str = SCORE) -> Attack:
    """Code that lies in a folder must not run, although standard input says yes to every question.

    Args:
        name: Of the attack.
        plant: Is given a folder with a good checkpoint, its encoder's `config.json` in `encoder/`, and `evil.py`.
        command: What is run; whether it goes well does not matter.
    """

    def attempt(folder: Path) -> None:
        write({"pairs.csv": GOOD_PAIRS, "corpus/x": ""}, folder)
        write_corpus(folder / "corpus")
        checkpoint = folder / "checkpoint"
        shutil.copytree(good_checkpoint(), checkpoint)
        BertForMaskedLM(tiny_encoder_config("bert")).save_pretrained(checkpoint / "encoder")
        wordpiece_tokenizer().save_pretrained(checkpoint / "encoder")
        for place in (checkpoint, checkpoint / "encoder"):
            (place / "evil.py").write_text(CODE)
        plant(checkpoint)
        code, output = run(command, stdin=b"y\n" * 9)
        assert not (folder / "RAN").exists(), f"code of the checkpoint was run: {output}"
        assert "Traceback" not in output and code in (0, 1, 2), output

    return Attack(name, attempt)


def of_tokenizer(folder: Path) -> None:
    in_config(lambda written: written.update(auto_map={"AutoTokenizer": ["evil.Evil", "evil.Evil"]}), TOKENIZER)(
        folder
    )


def of_new_tokenizer(folder: Path) -> None:
    of_tokenizer(folder)
    in_config(lambda written: written.update(tokenizer_class="EvilTokenizer"), TOKENIZER)(folder)


def of_encoder(folder: Path) -> None:
    written = {"auto_map": {name: "evil.Evil" for name in ("AutoConfig", "AutoModel", "AutoModelForMaskedLM")}}
    in_config(lambda values: values.update(written))(folder / "encoder")
    of_new_tokenizer(folder / "encoder")


def of_new_encoder(folder: Path) -> None:
    of_encoder(folder)
    config(model_type="evil")(folder / "encoder")


def scores_to_the_end(name: str, damage: Callable[[Path], object]) -> Attack:
    """A response that a good checkpoint cuts must be scored to its end."""

    def attempt(folder: Path) -> None:
        shutil.copytree(good_checkpoint(), folder / "checkpoint")
        write({"pairs.csv": f"id,seeker_post,response_post\n1,I failed.,{'I understand. ' * 40}\n"}, folder)
        code, output = run(SCORE)
        assert code == 0 and "scored without its end" in output, output
        damage(folder / "checkpoint")
        code, output = run(SCORE)
        assert code == 0 and "scored without its end" not in output, output

    return Attack(name, attempt)


def scores_with_torchs_attention(name: str, damage: Callable[[Path], object]) -> Attack:
    """Kernels of elsewhere are left alone: scoring goes well without."""

    def checkpoint(path: Path) -> None:
        shutil.copytree(good_checkpoint(), path)
        damage(path)

    def check(folder: Path) -> bool:
        model = EmpathyModel.from_pretrained(folder / "checkpoint")
        used = {module.config._attn_implementation for module in model.modules() if hasattr(module, "config")}
        return used <= {"sdpa", "eager"}

    return done(name, {"checkpoint": checkpoint, "pairs.csv": GOOD_PAIRS}, SCORE, check)


TOKENIZER = "tokenizer_config.json"
EVALUATE = "empathy evaluate --model checkpoint --data_dir corpus"
TRAIN = "train_hf.py --encoder checkpoint/encoder --source sample --max_steps 1 --output_dir out --max_length 32"
ADAPT = "empathy adapt --encoder checkpoint/encoder --source sample --output_path adapted --num_train_epochs 0.01"
PREPARE = "empathy prepare --encoder checkpoint/encoder --input_path corpus/explorations-test.csv --output_path p.csv"

_LEVELS = "mechanism_heads.explorations.level.output.weight"
_FOREIGN = {"_attn_implementation": "evil/kernel"}

ATTACKS: list[Attack] = [
    # Code that comes along.
    runs_no_code("code of its tokenizer, when scoring", of_tokenizer),
    runs_no_code("code of a tokenizer of its own class, when scoring", of_new_tokenizer),
    runs_no_code("code of its tokenizer, when evaluating", of_new_tokenizer, EVALUATE),
    runs_no_code("code of its tokenizer, when exporting", of_new_tokenizer, "empathy export-onnx --model checkpoint"),
    runs_no_code(
        "code of its tokenizer, when packing", of_new_tokenizer, "empathy pack --model checkpoint --output_path p"
    ),
    runs_no_code(
        "code of its tokenizer, when publishing",
        of_new_tokenizer,
        "push_to_hub.py model checkpoint --repo_id me/x --dry_run",
    ),
    runs_no_code(
        "code of a tokenizer that is named beside it",
        of_encoder,
        f"{SCORE} --tokenizer checkpoint/encoder",
    ),
    runs_no_code("code of an encoder, when training", of_encoder, TRAIN),
    runs_no_code("code of an encoder of its own kind, when training", of_new_encoder, TRAIN),
    runs_no_code("code of an encoder, when adapting", of_encoder, ADAPT),
    runs_no_code("code of an encoder of its own kind, when adapting", of_new_encoder, ADAPT),
    runs_no_code("code of an encoder, when preparing", of_encoder, PREPARE),
    runs_no_code("code of its model", config(auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"})),
    runs_no_code("code of its encoder", encoder(auto_map={"AutoConfig": "evil.Evil", "AutoModel": "evil.Evil"})),
    runs_no_code("code of its pipeline", config(custom_pipelines={"empathy": {"impl": "evil.Evil", "pt": []}})),
    scores_with_torchs_attention("a kernel of a stranger", config(_attn_implementation="evil/kernel")),
    scores_with_torchs_attention(
        "a kernel of a stranger by its other name", config(attn_implementation="evil/kernel")
    ),
    scores_with_torchs_attention("a kernel for its encoder", config(attn_implementation={"encoder_config": "evil/k"})),
    scores_with_torchs_attention("a kernel in its encoder", encoder(**_FOREIGN, attn_implementation="evil/kernel")),
    scores_with_torchs_attention("experts of a stranger", config(_experts_implementation="evil/kernel")),
    # Weights.
    damaged(
        "no heads",
        weights(lambda tensors: [tensors.pop(name) for name in list(tensors) if "heads" in name]),
        "lacks mechanism_heads.* and .* more",
    ),
    damaged("one weight missing", weights(lambda tensors: tensors.pop(_LEVELS)), f"lacks {_LEVELS}"),
    damaged("a weight too many", weights(lambda tensors: tensors.update(more=torch.ones(2))), "no place for: more"),
    damaged(
        "a weight of another shape",
        weights(lambda tensors: tensors.update({_LEVELS: torch.ones(2, 16)})),
        rf"in another shape {_LEVELS} \(2, 16\), not \(3, 16\)",
    ),
    damaged(
        "a configuration with fewer mechanisms",
        config(mechanisms=["explorations"], level_temperatures=[1.0], rationale_thresholds=[0.5]),
        "no place for",
    ),
    damaged("a configuration with an encoder of another size", encoder(intermediate_size=64), "in another shape"),
    damaged("a configuration with a larger vocabulary", encoder(vocab_size=700), "in another shape"),
    damaged("a configuration with another head", config(level_pooling="first_token"), "in another shape"),
    damaged("a weight that is not a number", one(math.nan), f"{_LEVELS} has values that are no numbers"),
    damaged("an infinite weight", one(math.inf), "no numbers"),
    damaged(
        "a weight of an encoder that is not a number",
        one(math.nan, "seeker_encoder.embeddings.LayerNorm.bias"),
        "no numbers",
    ),
    damaged("weights cut off", cut("model.safetensors"), "No model can be loaded"),
    damaged("empty weights", cut("model.safetensors", 0), "No model can be loaded"),
    damaged(
        "weights that are no file of tensors",
        lambda folder: (folder / "model.safetensors").write_text("x" * 99),
        "No model can be loaded",
    ),
    damaged("no weights", lambda folder: (folder / "model.safetensors").unlink(), "No model can be loaded"),
    # config.json, as a file.
    damaged("no config.json", lambda folder: (folder / "config.json").unlink(), "No model can be loaded"),
    damaged(
        "a config.json that is no JSON",
        lambda folder: (folder / "config.json").write_text("{"),
        "No model can be loaded",
    ),
    damaged("a config.json cut off", cut("config.json"), "No model can be loaded"),
    damaged(
        "a config.json of a list", lambda folder: (folder / "config.json").write_text("[1]"), "No model can be loaded"
    ),
    damaged(
        "a config.json of nothing",
        lambda folder: (folder / "config.json").write_text("{}"),
        "not the configuration of an empathy model",
    ),
    damaged(
        "a config.json that is no UTF-8",
        lambda folder: (folder / "config.json").write_bytes(b'{"a": "\xff"}'),
        "No model can be loaded",
    ),
    damaged(
        "a config.json of brackets",
        lambda folder: (folder / "config.json").write_text("[" * 99999),
        "No model can be loaded",
    ),
    damaged("another model", config(model_type="bert"), "not the configuration of an empathy model"),
    # config.json, its values.
    damaged("no mechanism", config(mechanisms=[]), r"mechanisms=\[\]: name one to three"),
    damaged("an unknown mechanism", config(mechanisms=["sympathy"]), "mechanisms=.*sympathy"),
    damaged("a mechanism twice", config(mechanisms=["explorations"] * 3), "mechanisms="),
    damaged(
        "mechanisms that are a text", config(mechanisms="explorations"), "mechanisms='explorations': expected a list"
    ),
    damaged("mechanisms that are a number", config(mechanisms=3), "mechanisms=3: expected a list"),
    damaged("mechanisms in a mechanism", config(mechanisms=[["explorations"]]), "mechanisms="),
    damaged("a switch that is a text", config(cross_attention_norm="no"), "cross_attention_norm='no': true or false"),
    damaged("padding attended to by a number", config(attend_to_padding=1), "attend_to_padding=1: true or false"),
    damaged("an unknown pooling", config(level_pooling="mean"), "level_pooling='mean': use one of"),
    damaged("an unknown unit", config(rationale_unit=None), "rationale_unit=None: use one of"),
    damaged("a temperature of 0", config(level_temperatures=[1, 0, 1]), "level_temperatures=.*above 0"),
    damaged("a temperature below 0", config(level_temperatures=[1, -1, 1]), "level_temperatures=.*above 0"),
    damaged(
        "a temperature that is not a number",
        config(level_temperatures=[1, math.nan, 1]),
        "level_temperatures=.*above 0",
    ),
    damaged("an infinite temperature", config(level_temperatures=[1, math.inf, 1]), "level_temperatures=.*above 0"),
    damaged("too few temperatures", config(level_temperatures=[1]), "level_temperatures=.*one for each"),
    damaged(
        "temperatures that are no list", config(level_temperatures=1.5), "level_temperatures=1.5: expected a list"
    ),
    damaged("temperatures that are texts", config(level_temperatures=["1", "1", "1"]), "level_temperatures="),
    damaged(
        "a threshold above 1", config(rationale_thresholds=[0.5, 1.5, 0.5]), "rationale_thresholds=.*between 0 and 1"
    ),
    damaged(
        "a threshold that is not a number", config(rationale_thresholds=[0.5, math.nan, 0.5]), "rationale_thresholds="
    ),
    damaged("a threshold that is true", config(rationale_thresholds=[0.5, True, 0.5]), "rationale_thresholds="),
    damaged("level weights of another shape", config(level_weights=[[1, 1, 1]]), "level_weights=.*expected shape"),
    damaged("level weights below 0", config(level_weights=[[1, 1, -1]] * 3), "level_weights="),
    damaged("level weights that are numbers", config(level_weights=[1, 1, 1]), "level_weights=1: expected a list"),
    damaged("a loss weight below 0", config(lambda_EI=-1), "lambda_EI=-1"),
    damaged("a loss weight that is no number", config(lambda_RE="x"), "lambda_RE='x'"),
    *(
        damaged(f"a stride that is {value!r}", config(window_stride=value), f"window_stride={value!r}")
        for value in (-1, 1.5, "x", True)
    ),
    scores_to_the_end("a stride that is longer than a window", config(window_stride=128)),
    damaged("a negative weight of the matching loss", config(lambda_context=-1), "lambda_context=-1"),
    damaged("a dropout above 1", config(head_dropout=1.5), "head_dropout=1.5"),
    damaged("a level dropout that is a text", config(level_dropout="0.1"), "level_dropout='0.1'"),
    damaged("a smoothing of 1", config(level_smoothing=1), "level_smoothing=1: a share"),
    damaged("posts of no token", config(max_post_length=0), "max_post_length=0"),
    damaged("posts of half a token", config(max_post_length=32.5), "max_post_length=32.5"),
    damaged("posts longer than the encoder reads", config(max_post_length=4096), "the encoder has 160 positions"),
    damaged("a range below 0", config(initializer_range=-0.1), "initializer_range=-0.1"),
    damaged("two labels", config(id2label={"0": "no", "1": "yes"}, label2id={"no": 0, "yes": 1}), "id2label="),
    damaged("labels of one name", config(id2label={"0": "no", "1": "no", "2": "no"}), "id2label="),
    damaged("labels that are a number", config(id2label=3), "No model can be loaded"),
    damaged("a value named after a method", config(to_dict=5), "'to_dict' is no name of a value"),
    damaged("a value named after another of the model's", config(padded_length=5), "No model can be loaded"),
    damaged("a type of numbers that is none", config(dtype="garbage"), "No model can be loaded"),
    # Its encoder.
    damaged(
        "an encoder that is a list", config(encoder_config=[1]), r"encoder_config=\[1\]: expected names and values"
    ),
    damaged(
        "an encoder of no type",
        in_config(lambda written: written["encoder_config"].pop("model_type")),
        "encoder_config has no `model_type`",
    ),
    damaged("an encoder of an unknown type", encoder(model_type="evil"), "model_type='evil'"),
    damaged("an encoder whose type is a list", encoder(model_type=["bert"]), "model_type="),
    damaged("an encoder that is an empathy model", encoder(model_type="empathy"), "only encoders that transformers"),
    damaged("an encoder of pictures", encoder(model_type="vit"), "No model can be loaded"),
    damaged("a hidden size that is a text", encoder(hidden_size="abc"), "encoder_config can't be used.*hidden_size"),
    damaged("a hidden size below 0", encoder(hidden_size=-16), "hidden_size=-16"),
    damaged("heads that don't share", encoder(num_attention_heads=5), "5 attention heads"),
    damaged("no heads in the encoder", encoder(num_attention_heads=0), "num_attention_heads=0"),
    damaged("a vocabulary for a computer of next century", encoder(vocab_size=10**12), "vocab_size=1000000000000"),
    damaged("layers without end", encoder(num_hidden_layers=10**9), "num_hidden_layers=1000000000"),
    damaged("an unknown activation", encoder(hidden_act="nope"), "hidden_act='nope'"),
    damaged("a dropout that is a text", encoder(hidden_dropout_prob="x"), "encoder_config can't be used"),
    # Its tokenizer.
    damaged(
        "no tokenizer",
        lambda folder: [path.unlink() for path in folder.glob("tokenizer*")],
        "has no tokenizer that could be loaded",
    ),
    damaged(
        "a tokenizer that is no JSON",
        lambda folder: (folder / "tokenizer.json").write_text("{"),
        "has no tokenizer that could be loaded",
    ),
    damaged("a tokenizer cut off", cut("tokenizer.json"), "has no tokenizer that could be loaded"),
    damaged(
        "a tokenizer of a list",
        lambda folder: (folder / "tokenizer.json").write_text("[]"),
        "has no tokenizer that could be loaded",
    ),
    damaged(
        "a tokenizer with more words than the encoder has",
        lambda folder: more_words(folder),
        "tokens, and the encoder 600",
    ),
    damaged(
        "a tokenizer without padding",
        in_config(lambda written: written.update(pad_token=None), TOKENIZER),
        "no padding token",
    ),
    damaged(
        "a tokenizer of settings that are no JSON",
        lambda folder: (folder / TOKENIZER).write_text("{"),
        "has no tokenizer that could be loaded",
    ),
    # Not a checkpoint at all.
    refused(
        "a model that is not there",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --model nowhere --input_path pairs.csv",
        "no such file or folder",
    ),
    refused(
        "an empty folder as a model",
        {"pairs.csv": GOOD_PAIRS, "m/x": ""},
        "empathy score --model m --input_path pairs.csv",
        "No model can be loaded",
    ),
    refused(
        "an encoder as a model",
        {"pairs.csv": GOOD_PAIRS, "m": save_tiny_encoder},
        "empathy score --model m --input_path pairs.csv",
        "not the configuration of an empathy model",
    ),
    refused(
        "a model without its network",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --model someone/model --input_path pairs.csv",
        "No model can be loaded from 'someone/model'",
    ),
    refused(
        "a tokenizer that is named and has more words than the encoder has",
        {"pairs.csv": "id,seeker_post,response_post\n1,word599,word598\n", "t": lambda path: more_words(path)},
        "empathy score --model MODEL --input_path pairs.csv --tokenizer t",
        "'t' is none of this model: .* and the encoder 600",
    ),
    refused(
        "a model of no name, when evaluating",
        {"config.json": "{}"},
        "empathy evaluate --source sample --model ''",
        "name of the model is empty",
    ),
    refused(
        "a graph on a device that is not there",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --model MODEL --input_path pairs.csv --backend onnx --device cuda:99",
        "--device cuda:99",
    ),
    refused(
        "a device that is not there",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --model MODEL --input_path pairs.csv --device cuda:99",
        "--device cuda:99",
    ),
    refused(
        "a device of no name",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --model MODEL --input_path pairs.csv --device toaster",
        "--device toaster",
    ),
    refused(
        "a device that computes nothing",
        {"pairs.csv": GOOD_PAIRS},
        "empathy score --model MODEL --input_path pairs.csv --device meta",
        "--device meta",
    ),
]


def more_words(folder: Path) -> None:
    tokenizer = wordpiece_tokenizer()
    tokenizer.add_tokens([f"word{number}" for number in range(600)])
    tokenizer.save_pretrained(folder)
