"""Each pair once, whatever ends a run: stopped, killed, with other workers, on a damaged or a foreign output."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from modeling_empathy.errors import InputError
from modeling_empathy.jobs import output_folder
from modeling_empathy.jobs.executors import Processes, in_this_process
from modeling_empathy.jobs.input_pairs import InputColumns
from modeling_empathy.jobs.output_folder import OutputFolder
from modeling_empathy.jobs.score_shards import score_shards
from tests.attacks.signals import USUAL
from tests.jobs.runs import checkpoint, files_of, rows_of, run, write_pairs


ROWS = 230  # in shards of 50


class Interrupted(Exception):
    """In place of what ends a run."""


def stopping_after(pairs: int):
    """An executor that is interrupted behind so many pairs."""

    def executor(work):
        seen = 0

        def count(done):
            nonlocal seen
            seen += done
            if seen > pairs:
                raise Interrupted

        score_shards(work.plan, work.engines, work.folder, work.shards, count)
        return True

    return executor


@pytest.mark.parametrize("target", ["scores", "scores.csv", "scores.jsonl", "scores.parquet"])
def test_a_run_that_is_ended_goes_on_and_gives_the_bytes_of_one_that_was_not(tmp_path, target):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    whole, resumed = tmp_path / "whole" / target, tmp_path / "resumed" / target
    assert run(source, whole).pairs == ROWS
    ended = 0
    for pairs in (0, 60, 40, 110):
        with pytest.raises(Interrupted):
            run(source, resumed, executor=stopping_after(pairs))
        ended += 1
        assert not resumed.is_file(), "nothing half-written"
    summary = run(source, resumed)
    assert (summary.pairs, ended) == (ROWS, 4) and 0 < summary.earlier < summary.shards == 5
    if target == "scores":
        assert files_of(resumed) == files_of(whole) and len(rows_of(resumed)) == ROWS
        again = run(source, resumed, load=None)
        assert again.earlier == again.shards, "nothing is scored twice"
    else:
        assert resumed.read_bytes() == whole.read_bytes()
        assert [path.name for path in resumed.parent.iterdir()] == [target], "the shards are gone when it is whole"


def test_other_workers_may_go_on_and_give_the_same(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    run(source, tmp_path / "whole")
    with pytest.raises(Interrupted):
        run(source, tmp_path / "resumed", executor=stopping_after(60))
    assert run(source, tmp_path / "resumed", executor=Processes(2)).earlier == 1
    assert files_of(tmp_path / "resumed") == files_of(tmp_path / "whole")


def change(source: Path) -> None:
    source.write_text(source.read_text().replace("p7,", "p007,"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"stride": None}, "stride is not 'own'"),
        ({"rationale_format": "mask"}, "rationale_format is not 'spans'"),
        ({"shard_rows": 60}, "shard_rows is not 50"),
        ({"columns": InputColumns({"id": ("id",)})}, "columns is not"),
        ({"skip_errors": True}, "skip_errors is not False"),
        ({"model": "another"}, "the model is not "),
        ({}, "the input pairs.csv has changed"),
    ],
)
def test_another_run_is_not_gone_on_with(tmp_path, given, said):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    with pytest.raises(Interrupted):
        run(source, tmp_path / "scores", executor=stopping_after(60))
    before = files_of(tmp_path / "scores")
    if given.get("model") == "another":
        given = {"model": str(shutil.copytree(checkpoint(), tmp_path / "another"))}
        weights = Path(given["model"]) / "model.safetensors"
        weights.write_bytes(weights.read_bytes()[:-1] + b"\1")
    if not given:
        change(source)
    with pytest.raises(InputError, match=f"scores was begun by another run: .*{said}.*--start_over"):
        run(source, tmp_path / "scores", **given)
    assert files_of(tmp_path / "scores") == before, "what is done stays"
    summary = run(source, tmp_path / "scores", start_over=True, **given)
    assert (summary.pairs, summary.earlier) == (ROWS, 0)


def test_inputs_that_are_gone_new_or_in_another_order_are_named(tmp_path):
    for name in "abc":
        write_pairs(tmp_path / f"{name}.csv", 30)
    a, b, c = (tmp_path / f"{name}.csv" for name in "abc")
    with pytest.raises(Interrupted):
        run([a, b], tmp_path / "scores", executor=stopping_after(55))
    for sources, said in (([a], "b.csv is gone"), ([a, b, c], "c.csv is new"), ([b, a], "in another order")):
        with pytest.raises(InputError, match=said):
            run(sources, tmp_path / "scores")
    assert run([a, b], tmp_path / "scores").pairs == 60


def test_a_shard_that_was_cut_or_lost_is_scored_again(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    run(source, tmp_path / "scores")
    before = files_of(tmp_path / "scores")
    (tmp_path / "scores" / "part-000001.parquet").write_bytes(b"PAR1")
    (tmp_path / "scores" / "part-000003.parquet").unlink()
    (tmp_path / "scores" / "_run" / "done" / "000004.json").write_text("{")
    assert run(source, tmp_path / "scores").earlier == 2
    assert files_of(tmp_path / "scores") == before


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", 10)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("precious")
    for start_over in (False, True):
        with pytest.raises(InputError, match="is no output of empathy score"):
            run(source, tmp_path / "mine", start_over=start_over)
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


def test_a_second_run_of_one_output_is_refused_while_the_first_lives(tmp_path, monkeypatch):
    monkeypatch.setattr(output_folder, "_PATIENCE", 0.1)
    source = write_pairs(tmp_path / "pairs.csv", ROWS)

    def second(work):
        for options in ({}, {"start_over": True}):
            with pytest.raises(InputError, match="Another run is writing to"):
                run(source, tmp_path / "scores", **options)
        return in_this_process(work)

    assert run(source, tmp_path / "scores", executor=second).pairs == ROWS


@pytest.mark.parametrize("target", ["scores", "scores.csv"])
def test_a_failure_before_the_first_shard_leaves_nothing(tmp_path, target):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)

    def no_model():
        raise InputError("no such model")

    with pytest.raises(InputError, match="no such model"):
        run(source, tmp_path / target, load=no_model)
    with pytest.raises(Interrupted):
        run(source, tmp_path / target, executor=stopping_after(10))
    assert [path.name for path in tmp_path.iterdir()] == ["pairs.csv"]


def test_an_input_that_changes_or_vanishes_while_it_is_scored_ends_the_run_and_keeps_what_is_done(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    content = source.read_bytes()

    def meanwhile(change):
        def executor(work):
            score_shards(work.plan, work.engines, work.folder, work.shards[:2])
            change()
            score_shards(work.plan, work.engines, work.folder, work.shards[2:])
            return True

        return executor

    with pytest.raises(FileNotFoundError, match=r"pairs\.csv"):
        run(source, tmp_path / "scores", executor=meanwhile(source.unlink))
    source.write_bytes(content)
    with pytest.raises(InputError, match=r"pairs\.csv has changed since the run began"):
        shorter = b"".join(content.splitlines(keepends=True)[:200])
        run(source, tmp_path / "scores", executor=meanwhile(lambda: source.write_bytes(shorter)))
    assert len(OutputFolder(str(tmp_path / "scores")).done()) == 4
    source.write_bytes(content)
    assert run(source, tmp_path / "scores").pairs == ROWS


def test_the_manifest_says_what_scored_what_and_how_often_it_errs(tmp_path):
    confusion = {"explorations": [[3, 1, 0], [0, 2, 0], [0, 0, 4]]}
    source = write_pairs(tmp_path / "pairs.csv", 60)
    run(source, tmp_path / "scores", about_model={"confusion": confusion})
    manifest = json.loads((tmp_path / "scores" / "manifest.json").read_text())
    assert manifest["is_whole"] and (manifest["pairs"], manifest["shards"]) == (60, 2)
    assert manifest["about_model"]["confusion"] == confusion
    assert [(file["name"], file["rows"]) for file in manifest["inputs"]] == [("pairs.csv", 60)]
    assert len(manifest["inputs"][0]["sha256"]) == len(manifest["models"][0]["sha256"]) == 64
    assert manifest["options"]["dtype"] == "fp32" and str(tmp_path) not in json.dumps(manifest)


def test_a_folder_behind_a_url_gets_the_same(tmp_path):
    import fsspec

    source = write_pairs(tmp_path / "pairs.csv", 120)
    run(source, tmp_path / "scores")
    url = f"memory://{tmp_path.name}/scores"
    with pytest.raises(Interrupted):
        run(source, url, executor=stopping_after(60))
    assert run(source, url).earlier == 1
    files, root = fsspec.core.url_to_fs(url)
    for name, content in files_of(tmp_path / "scores").items():
        assert files.cat_file(f"{root}/{name}") == content


COMMAND = f"{USUAL}; from modeling_empathy.cli.app import main; main()"


def start(source: Path, target: Path, *options: object) -> subprocess.Popen:
    arguments = [
        "score",
        "--model",
        checkpoint(),
        "--input_path",
        source,
        "--output_path",
        target,
        "--shard_rows",
        100,
    ]
    command = [sys.executable, "-c", COMMAND, *map(str, [*arguments, *options])]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_for_shards(folder: Path, *shards: int) -> None:
    end = time.monotonic() + 120
    while not OutputFolder(str(folder)).done().keys() >= set(shards):
        assert time.monotonic() < end, "no shard in two minutes"
        time.sleep(0.02)


@pytest.mark.parametrize("executor", [("--workers", 2), ("--executor", "local", "--tasks", 4, "--workers", 2)])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_command_and_its_workers_leave_no_process_and_the_next_one_finishes(tmp_path, number, executor):
    source = write_pairs(tmp_path / "pairs.csv", 3000)
    run(source, tmp_path / "whole", shard_rows=100, about_model={"confusion": {}})
    killed = start(source, tmp_path / "scores", *executor)
    # Of each worker one: datatrove's hear Ctrl-C until they have begun a task.
    wait_for_shards(tmp_path / "scores", 0, 1)
    children = subprocess.run(["ps", "-o", "pid=", "--ppid", str(killed.pid)], capture_output=True, text=True).stdout
    if number == signal.SIGKILL:
        os.kill(killed.pid, number)
    else:
        os.killpg(killed.pid, number)  # as a terminal sends Ctrl-C
    _, told = killed.communicate()
    assert killed.returncode == -number and "Traceback" not in told, told
    for child in map(int, children.split()):
        end = time.monotonic() + 30
        while Path(f"/proc/{child}").exists() and "zombie" not in Path(f"/proc/{child}/status").read_text():
            assert time.monotonic() < end, "a worker lives on without the command"
            time.sleep(0.05)
    finished = start(source, tmp_path / "scores")
    out, err = finished.communicate()
    assert finished.returncode == 0 and "shards were done already" in out, err
    assert files_of(tmp_path / "scores") == files_of(tmp_path / "whole")


def test_a_disk_that_is_full_ends_with_one_line_that_names_the_output(tmp_path, monkeypatch):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)

    def full(work):
        score_shards(work.plan, work.engines, work.folder, work.shards[:2])
        raise OSError(28, "No space left on device", f"{work.folder.path}/part-000002.csv")

    with pytest.raises(OSError, match="No space") as error:
        run(source, tmp_path / "scores.csv", executor=full)
    assert error.value.filename == str(tmp_path / "scores.csv")
    assert run(source, tmp_path / "scores.csv").earlier == 2


def test_a_read_only_folder_shows_before_a_model_is_loaded(tmp_path, monkeypatch):
    source = write_pairs(tmp_path / "pairs.csv", 10)
    mkdir = Path.mkdir

    def refused(path, *args, **kwargs):
        if "locked" in str(path):
            raise PermissionError(13, "Permission denied", str(path))
        mkdir(path, *args, **kwargs)

    monkeypatch.setattr(Path, "mkdir", refused)  # root, as whom tests may run, is let write anywhere
    with pytest.raises(PermissionError) as error:
        run(source, tmp_path / "locked" / "scores.csv", load=pytest.fail)
    assert error.value.filename == str(tmp_path / "locked" / "scores.csv")


def test_shards_of_parquet_have_one_schema(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", 120)
    run(source, tmp_path / "scores")
    schemas = {pq.read_schema(part) for part in (tmp_path / "scores").glob("*.parquet")}
    assert len(schemas) == 1


def test_processes_of_accelerate_share_the_shards_and_pad_nothing(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    run(source, tmp_path / "whole", about_model={"confusion": {}})
    config = Path(__file__).parents[2] / "examples" / "accelerate" / "two_cpu_processes.yaml"
    command = [sys.executable, "-m", "accelerate.commands.launch", "--config_file", config]
    command += ["--module", "modeling_empathy.cli.app", "score", "--model", checkpoint(), "--shard_rows", 50]
    command += ["--input_path", source, "--output_path", tmp_path / "scores"]
    for first in (True, False):
        done = subprocess.run(list(map(str, command)), capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout.count(f"{ROWS} pairs scored") == 1, done.stderr
        assert ("5 of 5 shards were done already" in done.stdout) != first
        assert files_of(tmp_path / "scores") == files_of(tmp_path / "whole")
