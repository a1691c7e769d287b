"""What an attack is, and the ways to make one in a line: a command that must refuse, or one that must go well."""

from __future__ import annotations

import io
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from typer.testing import CliRunner

from modeling_empathy.cli.app import app
from modeling_empathy.cli.push import app as push_app
from tests.tiny_models import tiny_model
from tests.tokenizers_for_tests import wordpiece_tokenizer


# Name in the working folder to content; of a folder, a function that makes it at that path.
Files = Mapping[str, bytes | str | Callable[[Path], object]]

REPOSITORY = Path(__file__).parents[2]

GOOD_PAIRS = "id,seeker_post,response_post\n1,I feel alone.,I am so sorry. What happened?\n2,I failed.,Why?\n"


class Attack(NamedTuple):
    """Something that somebody might do to the package, by accident or not.

    Attributes:
        name: What is done, as the test is called.
        attempt: Does it in an empty folder, the working folder, and raises an `AssertionError` if harm came of it.
    """

    name: str
    attempt: Callable[[Path], None]


def refused(name: str, files: Files, command: str, says: str, code: int = 2) -> Attack:
    """A command must refuse: its message matches, it shows no stack, and it leaves the folder as it was.

    Args:
        name: Of the attack.
        files: What is in the folder before.
        command: The command line, as [`run`] takes it.
        says: What its output matches anywhere, a regular expression; a line break counts as a space.
        code: Its exit code.
    """

    def attempt(folder: Path) -> None:
        write(files, folder)
        before = contents(folder)
        exit_code, output = run(command)
        assert exit_code == code, f"exit code {exit_code}: {output}"
        assert "Traceback" not in output, output
        assert re.search(says, output), output
        assert contents(folder) == before, "the folder is not as it was before"

    return Attack(name, attempt)


def done(name: str, files: Files, command: str, check: Callable[[Path], object] = lambda folder: True) -> Attack:
    """A command must go well.

    Args:
        name: Of the attack.
        files: What is in the folder before.
        command: The command line, as [`run`] takes it.
        check: Is given the folder afterwards; asserts or says whether all is well.
    """

    def attempt(folder: Path) -> None:
        write(files, folder)
        exit_code, output = run(command)
        assert exit_code == 0, f"exit code {exit_code}: {output}"
        assert check(folder) in (True, None), f"not what was expected: {output}"

    return Attack(name, attempt)


def damaged(
    name: str,
    damage: Callable[[Path], object],
    says: str,
    command: str = "empathy score --model checkpoint --input_path pairs.csv",
) -> Attack:
    """A command must refuse a good checkpoint, in the folder `checkpoint`, to which something was done.

    Args:
        name: Of the attack.
        damage: Is given the checkpoint's folder.
        says: As of [`refused`].
        command: Likewise.
    """

    def checkpoint(path: Path) -> None:
        shutil.copytree(good_checkpoint(), path)
        damage(path)

    return refused(name, {"checkpoint": checkpoint, "pairs.csv": GOOD_PAIRS}, command, says)


@cache
def good_checkpoint() -> Path:
    """The folder of a tiny model with its tokenizer; `MODEL` in a command line."""
    folder = Path(tempfile.mkdtemp(prefix="empathy-attacks-"))
    tiny_model("bert", max_post_length=32).save_pretrained(folder)
    wordpiece_tokenizer().save_pretrained(folder)
    return folder


def run(command: str, stdin: bytes | None = None) -> tuple[int, str]:
    """Runs a command in this process.

    Args:
        command: `empathy …`, `push_to_hub.py …` or `train_hf.py …`; `MODEL` stands for [`good_checkpoint`].
        stdin: What it reads from standard input.

    Returns:
        Its exit code, and all that it printed in one line.
    """
    program, *arguments = shlex.split(command.replace("MODEL", str(good_checkpoint())))
    if program == "train_hf.py":
        exit_code, output = _trained(arguments)
    else:
        result = CliRunner().invoke({"empathy": app, "push_to_hub.py": push_app}[program], arguments, input=stdin)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        exit_code, output = result.exit_code, result.output
    return exit_code, " ".join(re.sub(r"\x1b\[[0-9;]*m|[│╭╮╰╯─]", " ", output).split())


def start(command: str, folder: Path, before: str = "", **options: Any) -> subprocess.Popen[str]:
    """Starts a command in a process, and a process group, of its own.

    Args:
        command: As of [`run`].
        folder: Where it runs.
        before: Python that the process runs first, as to set its limits.
        **options: Of `subprocess.Popen`: what is said here as well wins; `environment` is added to this one's.
    """
    program, *arguments = shlex.split(command.replace("MODEL", str(good_checkpoint())))
    script = REPOSITORY / program
    run_it = (
        "from modeling_empathy.cli.app import main; main()"
        if program == "empathy"
        else (f"import runpy, sys; sys.argv[0] = {program!r}; runpy.run_path({str(script)!r}, run_name='__main__')")
    )
    environment = {
        **os.environ,
        "PYTHONPATH": str(REPOSITORY),
        "HF_HUB_OFFLINE": "1",
        **options.pop("environment", {}),
    }
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(
        [sys.executable, "-c", f"{before}\n{run_it}", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        errors="surrogateescape",
        start_new_session=True,
        **{**streams, **options},
    )


def _trained(arguments: list[str]) -> tuple[int, str]:
    from modeling_empathy.cli.train import main

    output = io.StringIO()
    with mock.patch.object(sys, "argv", ["train_hf.py", *arguments]), redirect_stdout(output), redirect_stderr(output):
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0), output.getvalue()
    return 0, output.getvalue()


def write(files: Files, folder: Path) -> None:
    """Makes files in a folder."""
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if callable(content):
            content(path)
        else:
            path.write_bytes(content.encode() if isinstance(content, str) else content)


def contents(folder: Path) -> dict[str, bytes | None]:
    """Every path below a folder with its bytes."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
