"""Attacks by what is published: of a stranger's checkpoint, or out of the folder of somebody who did not look."""

import io
import json
import os
import pickle
import shutil
import tarfile
import zipfile
from collections.abc import Callable
from contextlib import redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from modeling_empathy.cli.push import _print_listing
from modeling_empathy.errors import InputError
from modeling_empathy.hub.model_card import save_model_card
from modeling_empathy.hub.staging import stage_model
from modeling_empathy.hub.upload import Target
from tests.attacks.attempts import Attack, damaged, good_checkpoint, refused
from tests.hub.pictures import png
from tests.hub.run_records import run_record


PUSH = "push_to_hub.py model checkpoint --repo_id me/x --dry_run"
# What must not be published, wherever it stands.
SECRET = "/home/somebody/.ssh"
PLOT = "loss_curve.png"


def record(**changes: Any) -> Callable[[Path], object]:
    """Puts a record of a run into a folder, with other values: of a part, or `part__name` of an entry in it."""

    def write(folder: Path) -> None:
        written = run_record()
        for place, value in changes.items():
            part, *names = place.split("__")
            at = written
            for name in names:
                at, part = at[part], name
            at[part] = value
        (folder / "metrics.json").write_text(json.dumps(written))

    return write


def content(name: str, of: bytes | str) -> Callable[[Path], object]:
    """Writes a file into a folder."""

    def write(folder: Path) -> None:
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(of.encode() if isinstance(of, str) else of)

    return write


def edited(name: str, change: Callable[[dict[str, Any]], object]) -> Callable[[Path], object]:
    """Changes what a JSON file of a folder holds."""

    def write(folder: Path) -> None:
        written = json.loads((folder / name).read_text())
        change(written)
        (folder / name).write_text(json.dumps(written))

    return write


def encoder(**values: Any) -> Callable[[Path], object]:
    """Puts values into the configuration of the encoder."""
    return edited("config.json", lambda config: config["encoder_config"].update(values))


def link(name: str) -> Callable[[Path], object]:
    """Puts a link in a file's place that leads to a file out of the folder."""

    def write(folder: Path) -> None:
        target = folder.parent / "private"
        target.write_bytes((folder / name).read_bytes() if (folder / name).is_file() else png())
        (folder / name).unlink(missing_ok=True)
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).symlink_to(target)

    return write


def not_pushed(name: str, damage: Callable[[Path], object], says: str) -> Attack:
    return damaged(name, damage, says, PUSH)


def bad_record(name: str, damage: Callable[[Path], object], says: str) -> Attack:
    return damaged(name, damage, rf"metrics\.json is no record.*{says}.*train again, or remove it", PUSH)


def kept_out(name: str, damage: Callable[[Path], object], words: tuple[str, ...] = (SECRET,)) -> Attack:
    """Something of a folder is published without these words, which stand in one of its files."""

    def attempt(folder: Path) -> None:
        source, staging = folder / "checkpoint", folder / "staging"
        shutil.copytree(good_checkpoint(), source)
        damage(source)
        staging.mkdir()
        everything = b"".join(path.read_bytes() for path in source.rglob("*") if path.is_file())
        publication = stage_model(str(source), staging, repo_id="me/x")
        for word in words:
            assert word.encode() in everything, f"{word} was not there to be left out"
            assert not [name for name in publication.files if word.encode() in (staging / name).read_bytes()], word

    return Attack(name, attempt)


@cache
def _graphs() -> Path:
    from modeling_empathy.scoring.onnx_export import export_onnx

    folder = good_checkpoint().with_name(f"{good_checkpoint().name}-graphs")
    export_onnx(str(good_checkpoint()), folder, quantize=False)
    return folder


def graphs(change: Callable[[Any], object] = lambda graph: None) -> Callable[[Path], object]:
    """Puts the checkpoint's graphs into a folder, changed."""

    def write(folder: Path) -> None:
        onnx = pytest.importorskip("onnx")
        shutil.copytree(_graphs(), folder / "onnx")
        for path in (folder / "onnx").iterdir():
            graph = onnx.load(path)
            change(graph)
            onnx.save(graph, path)

    return write


def _other_probabilities(graph: Any) -> None:
    """The same graph, hash and all, with other weights in the heads."""
    for tensor in graph.graph.initializer:
        if tensor.name.endswith("level.output.weight"):
            tensor.raw_data = (-np.frombuffer(tensor.raw_data, np.float32)).tobytes()


def _of_other_weights(folder: Path) -> None:
    from tests.tiny_models import tiny_model

    graphs()(folder)
    tiny_model("bert", seed=7, max_post_length=32).save_pretrained(folder)


def _archive(kind: str, part: bytes) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            archive.writestr("weights", part)
    else:
        with tarfile.open(fileobj=buffer, mode=kind) as tar:
            entry = tarfile.TarInfo("weights")
            entry.size = len(part)
            tar.addfile(entry, io.BytesIO(part))
    return buffer.getvalue()


def _numpy(save: Callable[..., object]) -> bytes:
    buffer = io.BytesIO()
    save(buffer, np.array([{"weights": 1}], dtype=object), **({"allow_pickle": True} if save is np.save else {}))
    return buffer.getvalue()


class Runs:
    """What runs a command when it is unpickled."""

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("true",)


def _card(name: str, of: Callable[[Path], object], says: str) -> Attack:
    def checkpoint(path: Path) -> None:
        shutil.copytree(good_checkpoint(), path)

    return refused(name, {"checkpoint": checkpoint, "card.md": of}, f"{PUSH} --card card.md", says)


def _card_of_training(folder: Path) -> None:
    shutil.copytree(good_checkpoint(), folder / "checkpoint")
    record(confusion=[1])(folder / "checkpoint")
    with pytest.raises(InputError, match=r"metrics\.json is no record"):
        save_model_card(folder / "checkpoint")
    assert not (folder / "checkpoint" / "README.md").exists()


def _said_in_the_card(name: str, damage: Callable[[Path], object], *absent: str) -> Attack:
    """A card shows a value of the record as what it is: none of these is in it."""

    def attempt(folder: Path) -> None:
        shutil.copytree(good_checkpoint(), folder / "checkpoint")
        damage(folder / "checkpoint")
        text = save_model_card(folder / "checkpoint").read_text()
        assert "click" in text, "the value is not in the card at all"
        assert [word for word in absent if word in text] == []

    return Attack(name, attempt)


def _listing(folder: Path) -> None:
    shutil.copytree(good_checkpoint(), folder / "checkpoint")
    (folder / "checkpoint" / "\x1b[2Jnotes\nPublished: nothing").write_text("")
    (folder / "staging").mkdir()
    publication = stage_model(str(folder / "checkpoint"), folder / "staging")
    output = io.StringIO()
    with redirect_stdout(output):
        _print_listing(publication, Target("me/x"))
    assert "\x1b" not in output.getvalue() and "notes" in output.getvalue()
    assert not any(line.startswith("Published") for line in output.getvalue().splitlines())


DEEP = "[" * 100_000
NUMBER = "not a number"

ATTACKS: list[Attack] = [
    # Links, and what is no file
    not_pushed("a link in the place of config.json", link("config.json"), "config.json is a link"),
    not_pushed("a link in the place of the weights", link("model.safetensors"), "model.safetensors is a link"),
    not_pushed("a link in the place of tokenizer.json", link("tokenizer.json"), "tokenizer.json is a link"),
    not_pushed("a picture that is a link", link(PLOT), "loss_curve.png is a link"),
    not_pushed("a graph that is a link", link("onnx/responses.onnx"), "responses.onnx is a link"),
    not_pushed("a record that is a link", link("metrics.json"), "metrics.json is a link"),
    Attack(
        "a pipe in the place of the record",
        lambda folder: _no_pipe(folder),
    ),
    # Content, not endings
    not_pushed("a key that is called a picture", content(PLOT, "-----BEGIN KEY-----"), "is no PNG picture"),
    not_pushed("a picture that is cut off", content(PLOT, png()[:-9]), "is no PNG picture"),
    not_pushed(
        "a text in a picture's place for pixels",
        content(PLOT, png((b"IDAT", b"not compressed"))),
        "is no PNG picture",
    ),
    kept_out("a path among the texts of a picture", content(PLOT, png((b"tEXt", f"Path\0{SECRET}".encode())))),
    kept_out("a path behind the end of a picture", content(PLOT, png(behind=SECRET.encode()))),
    kept_out("texts beside the graphs", content("onnx/readings.json", SECRET)),
    not_pushed("a graph that is none", content("onnx/responses.onnx", "text"), "responses.onnx is no graph"),
    not_pushed("graphs of the weights before", _of_other_weights, "made from other weights"),
    not_pushed("graphs that compute something else", graphs(_other_probabilities), "differ from the model's by"),
    not_pushed(
        "graphs without a hash", graphs(lambda graph: graph.metadata_props.pop()), "don't say what they were made from"
    ),
    not_pushed(
        "a path in the description of a graph",
        graphs(lambda graph: setattr(graph, "doc_string", SECRET)),
        "holds notes",
    ),
    not_pushed(
        "metadata of a graph",
        graphs(lambda graph: graph.metadata_props.add(key="author", value=SECRET)),
        r"holds metadata \('author'\)",
    ),
    not_pushed(
        "a graph with operators of somebody",
        graphs(lambda graph: setattr(graph.graph.node[0], "domain", "evil")),
        "operators of its own",
    ),
    not_pushed(
        "data in a graph that nothing reads",
        graphs(lambda graph: graph.graph.initializer.add(name="x", data_type=3, dims=[19], raw_data=SECRET.encode())),
        "data that it does not use",
    ),
    # An allow-list of keys
    kept_out("a key of config.json", edited("config.json", lambda config: config.update(note=SECRET))),
    kept_out("a path of the encoder", encoder(_name_or_path=SECRET)),
    kept_out("a path of the model", edited("config.json", lambda config: config.update(_name_or_path=SECRET))),
    kept_out(
        "a key of the encoder",
        encoder(note=[{SECRET: 1}]),
    ),
    kept_out(
        "labels of the encoder",
        encoder(id2label={"0": SECRET, "1": "x"}),
    ),
    kept_out(
        "foreign code by auto_map",
        edited("config.json", lambda config: config["auto_map"].update(AutoModelForCausalLM="evil--code.Model")),
        ("evil--code",),
    ),
    kept_out(
        "foreign code by custom_pipelines",
        edited("config.json", lambda config: config["custom_pipelines"].update(evil={"impl": "evil.Pipe", "pt": []})),
        ("evil.Pipe",),
    ),
    not_pushed(
        "a path in the place of a level's name",
        edited("config.json", lambda config: config.update(id2label={"0": SECRET, "1": "weak", "2": "strong"})),
        "id2label.* is '/home/somebody",
    ),
    not_pushed(
        "a text in the place of a number", encoder(bos_token_id=SECRET), "config.json can't be read.*bos_token_id"
    ),
    kept_out("a chat template", content("chat_template.jinja", f"{{{{ '{SECRET}' }}}}")),
    kept_out("further chat templates", content("additional_chat_templates/tool.jinja", SECRET)),
    kept_out(
        "a chat template in tokenizer_config.json",
        edited("tokenizer_config.json", lambda config: config.update(chat_template=SECRET)),
    ),
    kept_out(
        "unknown keys of tokenizer_config.json",
        edited("tokenizer_config.json", lambda config: config.update(note=SECRET, name_or_path=SECRET, is_local=True)),
        (SECRET, "is_local"),
    ),
    kept_out(
        "foreign code of a tokenizer",
        edited("tokenizer_config.json", lambda config: config.update(auto_map={"AutoTokenizer": ["evil.T", None]})),
        ("evil.T",),
    ),
    kept_out("an unknown key of the record", record(note=SECRET)),
    kept_out("an argument that is a path", record(arguments__training__logging_dir=SECRET)),
    kept_out("a folder of further pairs", record(arguments__data__extra_data=SECRET)),
    kept_out("an unknown key of what the suite measured", record(behaviour__note=SECRET)),
    kept_out("a change of responses that is none", record(**{f"behaviour__invariance__{SECRET}": 1.0})),
    kept_out("a library that is none", record(versions__note=SECRET)),
    kept_out("a metric that is none", record(**{f"metrics__test__{SECRET}": 1.0})),
    kept_out("a split that is none", record(**{f"data__pairs__{SECRET}": 1})),
    # Pickles
    not_pushed(
        "a pickle of protocol 0",
        content("notes", pickle.dumps(Runs(), protocol=0)),
        "notes is a pickle, which runs code",
    ),
    not_pushed("a pickle of protocol 1", content("notes", pickle.dumps(Runs(), protocol=1)), "notes is a pickle"),
    not_pushed(
        "a pickle of protocol 0 that is longer than what is looked at",
        content("notes", pickle.dumps([Runs(), "long " * 300_000], protocol=0)),
        "notes is a pickle",
    ),
    not_pushed(
        "a zip with a pickle", content("x.json", _archive("zip", pickle.dumps(Runs(), 0))), "x.json is a pickle"
    ),
    not_pushed("a tar with a pickle", content("x", _archive("w", pickle.dumps(Runs()))), "x is a pickle"),
    not_pushed("a tar.gz with a pickle", content("x", _archive("w:gz", pickle.dumps(Runs()))), "x is a pickle"),
    not_pushed("an .npy of objects", content("x.npy", _numpy(np.save)), "x.npy is a pickle"),
    not_pushed("an .npz of objects", content("x.npz", _numpy(np.savez)), "x.npz is a pickle"),
    # Records
    bad_record("a record that is no UTF-8", content("metrics.json", b'{"a": "\xff"}'), "UnicodeDecodeError"),
    bad_record("a record that is nested too deep", content("metrics.json", DEEP), "RecursionError"),
    bad_record("a record that is a list", content("metrics.json", "[]"), "not an object"),
    bad_record("metrics that are NaN", record(metrics__test__explorations_accuracy=float("nan")), NUMBER),
    bad_record("metrics that are infinite", record(metrics__test__loss=float("inf")), NUMBER),
    bad_record("a metric of 400 digits", record(metrics__test__loss=10**400), NUMBER),
    bad_record("an accuracy of 7", record(metrics__test__explorations_accuracy=7), "from -1 to 1"),
    bad_record("a metric that is true", record(metrics__test__loss=True), NUMBER),
    bad_record("metrics of one mechanism only", record(metrics__test={"explorations_accuracy": 0.5}), "is None"),
    bad_record("metrics as a list", record(metrics=[1]), "metrics is"),
    bad_record("a confusion of two rows", record(confusion={"explorations": [[1, 2, 3]] * 2}), "three rows of three"),
    bad_record("a confusion of words", record(confusion={"explorations": [["a", 2, 3]] * 3}), "is no count"),
    bad_record("a confusion below zero", record(confusion={"explorations": [[-1, 2, 3]] * 3}), "is no count"),
    bad_record("a confusion that is a list", record(confusion=[1, 2]), "confusion is"),
    bad_record("behaviour as a list", record(behaviour=[1]), "behaviour is"),
    bad_record("behaviour of nothing", record(behaviour={}), "is no count"),
    bad_record("more right than there are", record(behaviour__right=28), "28 are right of 27"),
    bad_record("more confident errors than errors", record(behaviour__confident_errors={"cells": 9}), "9 confident"),
    bad_record("a family that is a link", record(**{"behaviour__families__[click](http://evil)": {}}), "a family is"),
    bad_record("a family that is a word", record(behaviour__families__facts="all"), "facts is"),
    bad_record("a family of no cells", record(behaviour__families__facts={"cells": 0, "right": 0}), "has no cells"),
    bad_record("a kind of two lines", record(behaviour__families__facts__kind="x\n# Title"), "the kind of facts"),
    bad_record("a share of 7", record(behaviour__invariance__typos=7), "no share from 0 to 1"),
    bad_record("a share that is NaN", record(behaviour__invariance__typos=float("nan")), "no share from 0 to 1"),
    bad_record("a share that is true", record(behaviour__invariance__typos=True), "no share from 0 to 1"),
    bad_record("directions that are a word", record(behaviour__direction="right"), "direction is"),
    bad_record("pairs that are a word", record(data__pairs={"train": "many"}), "is no count"),
    bad_record("an encoder that is a link", record(data__encoder="[click](http://evil)"), "encoder"),
    bad_record("an encoder that closes the card's metadata", record(data__encoder="x\n---\nlicense: mit"), "encoder"),
    bad_record("an encoder that is a number", record(data__encoder=7), "encoder is"),
    bad_record("definitions that are a list", record(definitions=["x"]), "definitions is"),
    bad_record("arguments that are objects", record(arguments__training__seed={"a": 1}), "argument seed"),
    bad_record("arguments that are missing", record(arguments={}), "arguments model"),
    bad_record("a version of two lines", record(versions__torch="2\n# Title"), "versions torch"),
    bad_record("provenance of nothing", record(data__provenance={"name": "mine"}), "names 'mine'"),
    bad_record(
        "provenance with a path", record(data__provenance={"name": "other", "files": {SECRET: "0" * 64}}), "a file"
    ),
    bad_record(
        "provenance without sums", record(data__provenance={"name": "other", "files": {"a.csv": "x"}}), "the sha256"
    ),
    bad_record("a twin of a twin", record(data__twin=run_record() | {"data": {"twin": {}}}), "no twin of its own"),
    Attack("a damaged record where training writes its card", _card_of_training),
    damaged(
        "a damaged record where a checkpoint is packed",
        content("metrics.json", "[1]"),
        "(can be packed|is no record of a training run)",
        "empathy pack --model checkpoint --output_path packed",
    ),
    # Cards and listings
    _card("a card that is a link", lambda path: path.symlink_to(os.devnull), "card.md is a link"),
    _card("a card that is a picture", lambda path: path.write_bytes(png()), "no text in UTF-8"),
    _card("a card with terminal escapes", lambda path: path.write_bytes(b"# A\x1b[2J"), "control characters"),
    _card("a card of 2 MB", lambda path: path.write_bytes(b"x" * 2_000_000), "that is no card"),
    _said_in_the_card(
        "definitions that are a link", record(definitions="[click](http://evil) <b>"), "[click]", "http://", "<b>"
    ),
    _said_in_the_card("an argument that ends its cell", record(arguments__data__salt="a | click"), "| a |"),
    _said_in_the_card("a version with markup", record(versions__torch="<script>click"), "<script>"),
    _said_in_the_card(
        "a file's name with markup",
        record(data__provenance={"name": "other", "files": {"`[click](x)|.csv": "0" * 64}}),
        "`[click](x)|",
    ),
    refused(
        "a data set's name that is markup",
        {"checkpoint": lambda path: shutil.copytree(good_checkpoint(), path)},
        f"{PUSH} --dataset_repo_id '[click](http://evil)'",
        "--dataset_repo_id",
    ),
    Attack("a file's name that moves the terminal's cursor", _listing),
]


def _no_pipe(folder: Path) -> None:
    shutil.copytree(good_checkpoint(), folder / "checkpoint")
    os.mkfifo(folder / "checkpoint" / "metrics.json")
    (folder / "staging").mkdir()
    with pytest.raises(InputError, match="neither a file nor a folder"):
        stage_model(str(folder / "checkpoint"), folder / "staging")
