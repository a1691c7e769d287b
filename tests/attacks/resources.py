"""Attacks by disks, memory, paths and places to write."""

import fcntl
import os
import resource
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import torch

from modeling_empathy.checkpoints.deltas import PRETRAINED
from tests.attacks.attempts import (
    GOOD_PAIRS,
    Attack,
    Files,
    contents,
    damaged,
    done,
    good_checkpoint,
    refused,
    start,
    write,
)
from tests.original_model import original_model


PAIRS = {"pairs.csv": GOOD_PAIRS}
SCORE = "empathy score --model MODEL --input_path pairs.csv --output_path"
# Posts of a few kB, so that a limit below that is one of the output and of nothing else.
ANNOTATED = {
    "explorations-test.csv": "sp_id,rp_id,seeker_post,response_post,level,rationales\n"
    + "".join(f"s{row},r{row},I feel low.,What happened?,2,What happened?|\n" for row in range(40))
}
EVALUATE = "empathy evaluate --model MODEL --input_path explorations-test.csv --output_path"
PREPARE = "empathy prepare --encoder MODEL --input_path explorations-test.csv --output_path"
EXPORT = "empathy export-dataset --source sample"
SCORING = "modeling_empathy.scoring.engine.ScoringEngine.score"
CONVERT = "empathy convert --tokenizer none --num_attention_heads 3 --EX_model_path EX.pth --output_path"
DEAD = ".empathy-0123456789abcdef."
LONG = "x" * 251 + ".csv"


def link(target: str) -> Callable[[Path], None]:
    return lambda path: path.symlink_to(target)


def hard_link(other: str) -> Callable[[Path], None]:
    return lambda path: path.hardlink_to(path.with_name(other))


def pth(path: Path) -> None:
    torch.save(original_model().state_dict(), path)


def checkpoint(path: Path) -> None:
    shutil.copytree(good_checkpoint(), path)


def folder_of_half_an_output(path: Path) -> None:
    path.mkdir()
    (path / "README.md").write_text("half")


def locked(path: Path) -> None:
    """A file of a run that is alive; the lock ends with the test's process."""
    fcntl.flock(os.open(path, os.O_CREAT | os.O_RDWR), fcntl.LOCK_EX)


def of_mode(mode: int) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.write_text("what was there before")
        path.chmod(mode)

    return make


def has_modes_of_new_files(folder: Path) -> None:
    new = folder.parent / "new"
    new.touch()
    modes = {path.name: path.stat().st_mode for path in folder.rglob("*") if path.is_file()}
    assert any(name.endswith(".safetensors") for name in modes)
    assert modes == dict.fromkeys(modes, new.stat().st_mode)


def is_scored(path: Path) -> bool:
    return path.read_text().count("\n") == GOOD_PAIRS.count("\n") and "ER_label" in path.read_text()


def follows(link: str, target: str) -> Callable[[Path], bool]:
    return lambda folder: (folder / link).is_symlink() and is_scored(folder / target)


def limited(name: str, files: Files, command: str, says: str, limit: int = 1000) -> Attack:
    """No file may become longer than the limit, as on a disk that fills up: refused, and nothing is left."""

    def attempt(folder: Path) -> None:
        write(files, folder)
        good_checkpoint()
        before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
        try:
            refused(name, {}, command, says).attempt(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, before)

    return Attack(name, attempt)


def failing(name: str, patched: str, error: BaseException, says: str, command: str = f"{SCORE} scores.csv") -> Attack:
    """What computes raises an error: refused."""

    def attempt(folder: Path) -> None:
        with mock.patch(patched, side_effect=error):
            refused(name, {**PAIRS, **ANNOTATED}, command, says).attempt(folder)

    return Attack(name, attempt)


def spoken(
    name: str,
    command: str,
    code: int,
    says: str = "",
    output: str = "scores.csv",
    environment: dict[str, str] | None = None,
    stdout: Callable[[], int] = lambda: subprocess.PIPE,
    before: str = "",
) -> Attack:
    """A command in a process of its own ends with the code and a message that holds `says`, and without a stack."""

    def attempt(folder: Path) -> None:
        write({**PAIRS, **ANNOTATED, "ä\udcff.csv": GOOD_PAIRS}, folder)
        process = start(command, folder, before, environment=environment or {}, stdout=stdout())
        printed, told = process.communicate(timeout=120)
        assert process.returncode == code, f"exit code {process.returncode}: {told}"
        assert "Traceback" not in told and "Exception ignored" not in told, told
        assert says in f"{printed or ''}{told}", f"{printed}{told}"
        assert (folder / output).exists() == (code == 0), contents(folder).keys()

    return Attack(name, attempt)


def closed_pipe() -> int:
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def full() -> int:
    return os.open("/dev/full", os.O_WRONLY)


ATTACKS: list[Attack] = [
    # Links and outputs that are inputs.
    done(
        "an output that is a link to a file",
        {**PAIRS, "far/old.csv": "old", "out.csv": link("far/old.csv")},
        f"{SCORE} out.csv",
        follows("out.csv", "far/old.csv"),
    ),
    done(
        "an output that is a link to nothing yet",
        {**PAIRS, "out.csv": link("far/new.csv")},
        f"{SCORE} out.csv",
        follows("out.csv", "far/new.csv"),
    ),
    done(
        "an output that is a link to a link",
        {**PAIRS, "far/old.csv": "old", "two.csv": link("far/old.csv"), "out.csv": link("two.csv")},
        f"{SCORE} out.csv",
        follows("out.csv", "far/old.csv"),
    ),
    done(
        "a folder of outputs that is a link to nothing yet",
        {"out": link("far/new")},
        f"{EXPORT} out",
        lambda folder: (folder / "out").is_symlink() and (folder / "far/new/README.md").is_file(),
    ),
    refused(
        "scores over a hard link of the pairs",
        {**PAIRS, "out.csv": hard_link("pairs.csv")},
        f"{SCORE} out.csv",
        "is the input",
    ),
    refused(
        "scores over a link to the pairs", {**PAIRS, "out.csv": link("pairs.csv")}, f"{SCORE} out.csv", "is the input"
    ),
    refused(
        "token labels over a hard link of what they are made from",
        {**ANNOTATED, "out.csv": hard_link("explorations-test.csv")},
        f"{PREPARE} out.csv",
        "is the input",
    ),
    refused("metrics over the pairs", ANNOTATED, f"{EVALUATE} explorations-test.csv", "is the input"),
    refused(
        "metrics over a link to the pairs",
        {**ANNOTATED, "out.json": link("explorations-test.csv")},
        f"{EVALUATE} out.json",
        "is the input",
    ),
    refused(
        "metrics over a file of the corpus",
        ANNOTATED,
        "empathy evaluate --model MODEL --data_dir . --output_path explorations-test.csv",
        "is part of the input",
    ),
    damaged(
        "metrics over the checkpoint's configuration",
        lambda folder: None,
        "is part of the input",
        "empathy evaluate --model checkpoint --input_path pairs.csv --output_path checkpoint/config.json",
    ),
    damaged(
        "metrics over the record of the training run",
        lambda folder: (folder / "metrics.json").write_text('{"metrics": {}, "arguments": {}, "data": {}}'),
        "is part of the input",
        "empathy evaluate --model checkpoint --input_path pairs.csv --output_path checkpoint/metrics.json",
    ),
    done(
        "metrics over those of an earlier evaluation in the checkpoint",
        {
            **ANNOTATED,
            "checkpoint": checkpoint,
            "checkpoint/test.json": '{"metrics": {}, "definitions": "", "arguments": {}, "versions": {}}',
        },
        "empathy evaluate --model checkpoint --input_path explorations-test.csv --output_path checkpoint/test.json",
        lambda folder: "explorations_accuracy" in (folder / "checkpoint/test.json").read_text(),
    ),
    damaged(
        "the original's file over the weights that it is made from",
        lambda folder: None,
        "name a .pth",
        "empathy convert --reverse --model checkpoint --output_path checkpoint/model.safetensors",
    ),
    refused("a checkpoint over the original's file", {"EX.pth": pth}, f"{CONVERT} EX.pth", "exists already", code=2),
    # Places that nothing can be written to.
    refused("scores over a folder", {**PAIRS, "out.csv/x": ""}, f"{SCORE} out.csv", "out.csv: Is a directory"),
    refused("scores over a pipe", {**PAIRS, "out.csv": os.mkfifo}, f"{SCORE} out.csv", "a device or a pipe"),
    refused("scores below a file", {**PAIRS, "file": ""}, f"{SCORE} file/out.csv", "Not a directory"),
    refused(
        "scores deep below a file", {**PAIRS, "file": ""}, f"{SCORE} file/a/b.csv", "file/a/b.csv: Not a directory"
    ),
    refused("metrics below a file", {**ANNOTATED, "file": ""}, f"{EVALUATE} file/x.json", "Not a directory"),
    refused("token labels below a file", {**ANNOTATED, "file": ""}, f"{PREPARE} file/x.csv", "Not a directory"),
    refused("a data set below a file", {"file": ""}, f"{EXPORT} file/x", "Not a directory"),
    refused(
        "a packed checkpoint below a file", {"file": ""}, "empathy pack --model MODEL --output_path file/x", "Not a"
    ),
    refused("a data set in place of the working folder", {}, f"{EXPORT} .", "where you are"),
    refused("a data set in the root of the disk", {}, f"{EXPORT} /", "exists already"),
    refused("a folder that the system does not let anybody make", PAIRS, f"{SCORE} /proc/none/x.csv", "/proc/none: "),
    # Names.
    done("a name as long as a name can be", PAIRS, f"{SCORE} {LONG}", lambda folder: is_scored(folder / LONG)),
    done(
        "a name as long as a name can be, in letters of two bytes",
        PAIRS,
        f"{SCORE} {'й' * 125}.csv",
        lambda folder: is_scored(folder / f"{'й' * 125}.csv"),
    ),
    refused("a name longer than a name can be", PAIRS, f"{SCORE} x{LONG}", "File name too long"),
    # What a run leaves behind: of its own, of others, of its modes.
    refused(
        "a bad row behind good ones, for a new folder",
        {"pairs.csv": f"{GOOD_PAIRS}3,no response\n"},
        f"{SCORE} new/deep/out.csv",
        "row 3",
    ),
    refused(
        "no corpus, for a new folder", {"empty/x": ""}, "empathy export-dataset new/out --data_dir empty", "empty"
    ),
    refused("no model, for a new folder", {}, "empathy pack --model a/b.pth --output_path new/out", "no such file"),
    done(
        "half a file of a run that was killed",
        {**PAIRS, f"{DEAD}out.csv": "half"},
        f"{SCORE} out.csv",
        lambda folder: {path.name for path in folder.iterdir()} == {"pairs.csv", "out.csv"},
    ),
    done(
        "half a file of a run that was killed, of the longest name",
        {**PAIRS, f"{DEAD}{LONG[26:]}": "half"},
        f"{SCORE} {LONG}",
        lambda folder: {path.name for path in folder.iterdir()} == {"pairs.csv", LONG},
    ),
    done(
        "half a folder of a run that was killed",
        {f"{DEAD}out": folder_of_half_an_output},
        f"{EXPORT} out",
        lambda folder: {path.name for path in folder.iterdir()} == {"out"},
    ),
    done(
        "the file that a live run is writing",
        {**PAIRS, f"{DEAD}out.csv": locked},
        f"{SCORE} out.csv",
        lambda folder: (folder / f"{DEAD}out.csv").is_file() and is_scored(folder / "out.csv"),
    ),
    done(
        "files of others whose names are much alike",
        {**PAIRS, ".empathy-notes.out.csv": "mine", f"{DEAD}other.csv": "another's", ".0.out.csv": "mine"},
        f"{SCORE} out.csv",
        lambda folder: len(list(folder.iterdir())) == 5,
    ),
    done(
        "scores over a file that others may not read",
        {**PAIRS, "out.csv": of_mode(0o600)},
        f"{SCORE} out.csv",
        lambda folder: is_scored(folder / "out.csv") and (folder / "out.csv").stat().st_mode & 0o777 == 0o600,
    ),
    done(
        "a checkpoint for a group",
        {"EX.pth": pth},
        f"{CONVERT} out",
        lambda folder: has_modes_of_new_files(folder / "out"),
    ),
    done(
        "a packed checkpoint for a group",
        {},
        f"empathy pack --model {PRETRAINED} --output_path out",
        lambda folder: has_modes_of_new_files(folder / "out"),
    ),
    # Full disks.
    limited("a disk full of scores in CSV", PAIRS, f"{SCORE} out.csv", "out.csv: File too large", 100),
    limited("a disk full of scores in JSON lines", PAIRS, f"{SCORE} out.jsonl", "out.jsonl: File too large", 100),
    limited("a disk full of scores in Parquet", PAIRS, f"{SCORE} out.parquet", "out.parquet: File too large", 100),
    limited("a disk full of token labels in CSV", ANNOTATED, f"{PREPARE} out.csv", "out.csv: File too large"),
    limited("a disk full of token labels in Parquet", ANNOTATED, f"{PREPARE} o.parquet", "o.parquet: File too large"),
    limited("a disk full of metrics", ANNOTATED, f"{EVALUATE} out.json", "out.json: File too large", 100),
    limited("a disk full of a data set", {}, f"{EXPORT} out", "out: File too large"),
    limited("a disk full of a checkpoint", {"EX.pth": pth}, f"{CONVERT} out", "out.*: File too large"),
    limited(
        "a disk full of a packed checkpoint",
        {},
        f"empathy pack --model {PRETRAINED} --output_path out",
        "out: File too large",
    ),
    # Memory, as each of those says it who has none.
    failing("no memory for Python", SCORING, MemoryError(), "out of memory"),
    failing(
        "no memory on a GPU",
        SCORING,
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB."),
        "out of memory .*20.00 GiB",
    ),
    failing(
        "no memory for torch",
        SCORING,
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried"),
        "out of memory",
    ),
    failing(
        "no memory for evaluating",
        "modeling_empathy.evaluation.evaluate.evaluate_checkpoint",
        torch.OutOfMemoryError("CUDA out of memory."),
        "--batch_size",
        f"{EVALUATE} out.json",
    ),
    spoken(
        "no memory for the model of the package",
        "empathy score --input_path pairs.csv",
        2,
        "out of memory",
        output="pairs.scores.csv",
        before="import resource; resource.setrlimit(resource.RLIMIT_AS, (1_100_000_000, 1_100_000_000))",
    ),
    # What can't be printed.
    spoken(
        "a path that the terminal can't spell",
        f"{SCORE} ergebnis-ü.csv",
        0,
        r"2 pairs scored: ergebnis-\xfc.csv",
        output="ergebnis-ü.csv",
        environment={"PYTHONIOENCODING": "ascii"},
    ),
    spoken(
        "a path that is no text",
        "empathy score --model MODEL --input_path ä\udcff.csv",
        0,
        r"\udcff.scores.csv",
        output="ä\udcff.scores.csv",
    ),
    spoken("a printout that nobody reads", f"{SCORE} scores.csv", 0, stdout=closed_pipe),
    spoken("a notice on a full disk", f"{SCORE} scores.csv", 0, "standard output: No space left", stdout=full),
    spoken("metrics in a pipe that nobody reads", EVALUATE[:-14], 0, output="", stdout=closed_pipe),
    spoken("metrics on a full disk", EVALUATE[:-14], 2, "standard output: No space left", output="none", stdout=full),
    spoken("metrics on a full disk that are in a file", f"{EVALUATE} m.json", 0, output="m.json", stdout=full),
]
