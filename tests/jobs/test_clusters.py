"""Shards handed to datatrove: here in several processes and by Ray, rendered for Slurm and Hugging Face Jobs."""

import re
import shutil
import signal
import subprocess
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from modeling_empathy.cli.app import app
from modeling_empathy.errors import InputError
from modeling_empathy.jobs.clusters import Cluster
from modeling_empathy.jobs.output_folder import OutputFolder
from modeling_empathy.scoring.engine import ScoringEngine
from tests.command_lines import printed_by, refused_by
from tests.jobs.runs import checkpoint, files_of, run, write_pairs


pytest.importorskip("datatrove", reason="datatrove is not installed: pip install 'modeling-empathy[cluster]'")

from datatrove.data import Document
from datatrove.executor import LocalPipelineExecutor
from datatrove.pipeline.readers import ParquetReader
from datatrove.pipeline.writers import ParquetWriter

from modeling_empathy.jobs.datatrove_steps import ScoreDocuments


GOLDEN = Path(__file__).parent / "golden"
ROWS = 230


def test_local_processes_give_what_one_process_gives(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    run(source, tmp_path / "whole")
    summary = run(source, tmp_path / "scores", executor=Cluster("local", tasks=3, workers=2))
    assert (summary.pairs, summary.is_whole) == (ROWS, True)
    assert files_of(tmp_path / "scores") == files_of(tmp_path / "whole")
    logs = list((tmp_path / "scores" / "_run" / "logs").glob("*/completions/*"))
    assert len(logs) == 3


def test_what_another_executor_has_begun_is_gone_on_with(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    run(source, tmp_path / "whole")
    run(source, tmp_path / "scores")
    for number in (1, 3):
        (tmp_path / "scores" / f"part-00000{number}.parquet").unlink()
    assert run(source, tmp_path / "scores", executor=Cluster("local", tasks=5, workers=1)).earlier == 3
    assert files_of(tmp_path / "scores") == files_of(tmp_path / "whole")


def test_an_error_of_a_task_is_the_command_s(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)

    class Vanishing(Cluster):
        def executor(self, work):
            source.unlink()
            return super().executor(work)

    with pytest.raises(FileNotFoundError, match=r"pairs\.csv"):
        run(source, tmp_path / "scores", executor=Vanishing("local", tasks=2, workers=2))


def test_ray_gives_what_one_process_gives(tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'modeling-empathy[cluster]'")
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    run(source, tmp_path / "whole")
    ray.init(num_cpus=2, include_dashboard=False, log_to_driver=False, _temp_dir="/tmp/ray-of-tests")
    try:
        summary = run(source, tmp_path / "scores", executor=Cluster("ray", tasks=2, workers=2))
    finally:
        ray.shutdown()
    assert (summary.pairs, summary.is_whole) == (ROWS, True)
    assert files_of(tmp_path / "scores") == files_of(tmp_path / "whole")


def test_a_ray_that_a_run_begins_ends_with_it_and_takes_no_signal_away(tmp_path):
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install 'modeling-empathy[cluster]'")

    def stop(number, frame):
        raise KeyboardInterrupt

    def ended(self):
        raise KeyboardInterrupt if signal.getsignal(signal.SIGTERM) is stop else AssertionError("the signal is Ray's")

    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    before = signal.signal(signal.SIGTERM, stop)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("datatrove.executor.RayPipelineExecutor.run", ended)
            with pytest.raises(KeyboardInterrupt):
                run(source, tmp_path / "scores", executor=Cluster("ray", tasks=2, workers=2))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert not ray.is_initialized() and not (tmp_path / "scores").exists()


def masked(text: str, folder: Path) -> str:
    """Without what is of this machine and this moment."""
    text = text.replace(str(folder), "FOLDER").replace(str(Path(folder).resolve()), "FOLDER")
    text = re.sub(r"logs/[0-9-]+", "logs/LAUNCH", text)
    text = re.sub(r"source \S+", "source VENV/bin/activate", text)
    return re.sub(r"--python 3\.\d+", "--python 3.x", re.sub(r"==\d+\.\d+\.\d+", "==VERSION", text))


def test_the_script_for_slurm_is_as_it_is_kept(tmp_path):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    command = ["score", "--model", checkpoint(), "--input_path", source, "--output_path", tmp_path / "scores"]
    command += ["--shard_rows", 10, "--executor", "slurm", "--tasks", 20, "--workers", 5, "--dry_run"]
    for option in ("partition=cpu", "time=12:00:00"):
        command += ["--executor_option", option]
    printed = printed_by(app, *command)
    script = printed[printed.index("#!/bin/bash") : printed.index("0 of 23 shards are done")]
    assert masked(script, tmp_path) == (GOLDEN / "launch_script.slurm").read_text()
    if shutil.which("sbatch"):
        (tmp_path / "script").write_text(script)
        subprocess.run(["sbatch", "--test-only", tmp_path / "script"], check=True)
    # What it would have done is done here.
    assert run(source, tmp_path / "scores", shard_rows=10, about_model={}).pairs == ROWS


def test_slurm_is_submitted_once_and_the_same_command_finishes(tmp_path, monkeypatch):
    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    calls = tmp_path / "calls"
    (tmp_path / "bin").mkdir()
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.write_text(f'#!/bin/sh\necho "$@" >> {calls}\necho Submitted batch job 7\n')
    sbatch.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    slurm = Cluster("slurm", tasks=4, workers=2, settings={"partition": "cpu"})
    summary = run(source, tmp_path / "scores", executor=slurm)
    assert (summary.is_whole, summary.earlier, summary.shards) == (False, 0, 5)
    assert len(calls.read_text().splitlines()) == 2, "the array, and datatrove's job that merges statistics"
    [pickle] = (tmp_path / "scores" / "_run" / "logs").glob("*/executor.pik")
    for task in range(4):
        monkeypatch.setenv("SLURM_ARRAY_TASK_ID", str(task))
        monkeypatch.setenv("SLURM_NODELIST", "here")
        (tmp_path / "bin" / "scontrol").write_text("#!/bin/sh\necho here\n")
        (tmp_path / "bin" / "scontrol").chmod(0o755)
        import dill

        with pickle.open("rb") as file:
            dill.load(file).run()
    monkeypatch.delenv("SLURM_ARRAY_TASK_ID")
    assert len(OutputFolder(str(tmp_path / "scores")).done()) == 5
    summary = run(source, tmp_path / "scores", executor=slurm)
    assert (summary.is_whole, summary.pairs, summary.earlier) == (True, ROWS, 5)


def test_jobs_are_given_the_command_that_is_kept(tmp_path, monkeypatch):
    import huggingface_hub

    source = write_pairs(tmp_path / "pairs.csv", ROWS)
    url = f"memory://{tmp_path.name}/scores"
    shown = []
    with_option = {"flavor": "cpu-upgrade", "timeout": "2h"}
    run(source, url, executor=Cluster("jobs", 2, -1, with_option, shown.append))
    assert masked(shown[0], Path(f"/{tmp_path.name}")) == (GOLDEN / "jobs_command.txt").read_text()

    submitted = []

    class Job:
        id, url = "1", "https://example.org"

        class status:
            stage = "COMPLETED"

    def run_uv_job(script, **given):
        submitted.append(given)
        monkeypatch.setenv("DATATROVE_JOB_ARRAY_INDEX", given["env"]["DATATROVE_JOB_ARRAY_INDEX"])
        import dill
        import fsspec

        with fsspec.open(f"memory://{given['script_args'][0].removeprefix('memory://')}", "rb") as file:
            dill.load(file).run()
        monkeypatch.delenv("DATATROVE_JOB_ARRAY_INDEX")
        return Job

    monkeypatch.setattr(huggingface_hub, "run_uv_job", run_uv_job)
    monkeypatch.setattr(huggingface_hub, "inspect_job", lambda **given: Job)
    cluster = Cluster("jobs", 2, -1, with_option | {"token": "hf_test", "poll_interval": 0})
    summary = run(source, url, executor=cluster)
    assert (summary.pairs, summary.is_whole) == (ROWS, True)
    assert len(submitted) == 2 and {given["flavor"] for given in submitted} == {"cpu-upgrade"}


def test_documents_are_scored_between_a_reader_and_a_writer(tmp_path):
    engine = ScoringEngine.from_pretrained(checkpoint())
    (tmp_path / "posts").mkdir()
    lines = [{"id": str(n), "answer": f"I am sorry {n}", "seeker_post": "I feel alone"} for n in range(30)]
    pq.write_table(pa.Table.from_pylist(lines), tmp_path / "posts" / "x.parquet")
    pipeline = [
        ParquetReader(str(tmp_path / "posts"), text_key="answer"),
        ScoreDocuments(checkpoint()),
        ParquetWriter(str(tmp_path / "scores"), output_filename="x.parquet"),
    ]
    LocalPipelineExecutor(pipeline, logging_dir=str(tmp_path / "logs")).run()
    scored = pq.read_table(next((tmp_path / "scores").glob("*.parquet"))).to_pylist()
    expected = list(engine([(line["seeker_post"], line["answer"]) for line in lines]))
    assert [row["metadata"]["ER_label"] for row in scored] == [one["emotional_reactions"]["level"] for one in expected]
    with pytest.raises(InputError, match=r"document 1: expected text, and in metadata\['seeker_post'\]"):
        list(ScoreDocuments(checkpoint()).run([Document("text", "1")]))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--tasks", 3], "are for --executor"),
        (["--executor", "local", "--workers", 0], "expected a number from 1, or -1"),
        (["--workers", 0], "expected a number from 1"),
        (["--executor", "local", "--dry_run"], "nothing is"),
        (["--executor", "slurm", "--dtype", "auto"], "name fp32 or bf16"),
        (["--executor", "slurm", "--executor_option", "partition"], "expected a name and a value"),
        (["--executor", "slurm", "--executor_option", "nonsense=1", "--dry_run"], "--executor slurm: .*nonsense"),
    ],
)
def test_what_can_not_be_done_is_said(tmp_path, options, said):
    source = write_pairs(tmp_path / "pairs.csv", 20)
    message = refused_by(
        app, "score", "--model", checkpoint(), "--input_path", source, "--output_path", tmp_path / "scores", *options
    )
    assert re.search(said, message), message


def test_without_datatrove_it_is_asked_for(tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "datatrove.executor", None)
    source = write_pairs(tmp_path / "pairs.csv", 20)
    with pytest.raises(InputError, match=r"pip install 'modeling-empathy\[cluster\]'"):
        run(source, tmp_path / "scores", executor=Cluster("local", 1))
