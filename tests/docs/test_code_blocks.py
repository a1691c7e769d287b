"""Every block of code in README.md and docs/ is run, or says why not; what is shown as its output, it prints."""

import json
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from docs.hooks.command_line import commands
from modeling_empathy import EmpathyPipeline
from modeling_empathy.corpus.provenance import sample_folder
from tests.docs.pages import PAGES, ROOT, Block, blocks


# What a block may say in `<!-- not run: ... -->`, before its fence.
REASONS = {
    "installs packages",
    "needs a cluster",
    "needs a GPU",
    "needs a page that is served",
    "needs files of your own",
    "needs the Hub",
    "run by .ci/run",
    "takes too long",
}
# What is run, and what is data or output.
RUN, SHOWN = ("bash", "python"), ("csv", "json", "text")
# Of the repository, what a block may name by its path, as from a checkout.
CHECKOUT = ("benchmarks", "dataset_scripts", "examples", "metrics", "push_to_hub.py", "train_hf.py")
ALL = [block for page in PAGES for block in blocks(page)]
WITH_CODE = [page for page in PAGES if any(block.language in RUN and not block.reason for block in blocks(page))]


def name(block: Block) -> str:
    return f"{block.page.relative_to(ROOT)}:{block.line}"


def test_a_block_is_run_or_says_why_not():
    assert len(ALL) > 40
    for block in ALL:
        assert block.language in (*RUN, *SHOWN), f"{name(block)}: a block of {block.language or 'no language'}"
        assert block.reason is None or block.reason in REASONS, f"{name(block)}: {block.reason} is no reason"
        assert block.reason is None or block.language in RUN, f"{name(block)}: an excuse for what is not run anyway"


def test_most_blocks_are_run():
    code = [block for block in ALL if block.language in RUN]
    assert sum(block.reason is None for block in code) > len(code) / 2


def test_a_fence_is_of_a_block_that_was_read():
    for page in PAGES:
        fences = re.findall(r"(?m)^ *```", page.read_text(encoding="utf-8"))
        assert len(fences) == 2 * len(blocks(page)), page


@pytest.mark.parametrize("block", [block for block in ALL if block.language == "bash"], ids=name)
def test_commands_have_the_options_that_a_block_gives_them(block):
    known = {words: {one for option in options for one in option.names} for words, (_, options) in commands().items()}
    subprocess.run(["bash", "-n", "-c", block.code], check=True)
    for command in re.findall(r"(?:^|[ ;|])empathy (.+)", block.code.replace("\\\n", " ")):
        words = shlex.split(command, comments=True)
        called = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert called in known, f"{name(block)}: there is no empathy {called}"
        assert {word for word in words if word.startswith("--")} <= known[called] | _of_transformers(called)


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The model of the package as a folder of its own, as training leaves one."""
    folder = tmp_path_factory.mktemp("model")
    EmpathyPipeline.default(device="cpu").save_pretrained(folder)
    return folder


@pytest.fixture
def checkout(tmp_path, model) -> Path:
    """A folder in which a reader might type: scripts and data of the repository, pairs, a corpus, a trained model."""
    for entry in CHECKOUT:
        copy = shutil.copytree if (ROOT / entry).is_dir() else shutil.copy
        copy(ROOT / entry, tmp_path / entry)
    shutil.copytree(sample_folder(), tmp_path / "path" / "to" / "csvs", ignore=shutil.ignore_patterns("*.md"))
    shutil.copytree(model, tmp_path / "output" / "corpus", copy_function=os.link)
    (tmp_path / "pairs.csv").write_text(
        "id,seeker_post,response_post,source\n"
        "a,I failed again and feel useless.,I'm so sorry. Did something happen at work?,made up\n"
        "b,The flat is so quiet since she left.,That must feel so lonely.,made up\n"
    )
    commands_folder = tmp_path / ".bin"
    commands_folder.mkdir()
    for command, module in (("empathy", "-m modeling_empathy.cli.app"), ("python", "")):
        script = commands_folder / command
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {module} "$@"\n')
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
    return tmp_path


@pytest.mark.slow
@pytest.mark.parametrize("page", WITH_CODE, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_does_what_it_says(page, checkout):
    run = [block for block in blocks(page) if block.language in RUN and block.reason is None]
    for block in blocks(page):
        if block.title is not None:
            (checkout / block.title).parent.mkdir(exist_ok=True)
            (checkout / block.title).write_text(block.code)
    environment = os.environ | {
        "PATH": f"{checkout / '.bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TERMINAL_WIDTH": "120",
    }
    done = subprocess.run(
        [sys.executable, "-m", "tests.docs.run_page"],
        input=json.dumps([{"language": block.language, "code": block.code} for block in run]),
        cwd=checkout,
        env=environment,
        capture_output=True,
        text=True,
    )
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert answers, done.stderr
    for block, answer in zip(run, answers, strict=False):
        assert answer["error"] is None, f"{name(block)}: {answer['error']}"
        shown = shown_output(block)
        if shown is not None:
            assert lines_of(answer["printed"]) == lines_of(shown), f"{name(block)} prints something else"
    assert len(answers) == len(run), done.stderr


def shown_output(block: Block) -> str | None:
    """What stands right behind a block as its output; None where nothing does."""
    of_page = blocks(block.page)
    behind = of_page[of_page.index(block) + 1 :][:1]
    is_output = bool(behind) and behind[0].follows and behind[0].language == "text" and behind[0].title is None
    return behind[0].code if is_output else None


def lines_of(text: str) -> list[str]:
    """Without white space at the ends of lines, which no reader sees."""
    return [line.rstrip() for line in text.strip("\n").splitlines()]


def test_outputs_are_shown_and_compared():
    assert sum(shown_output(block) is not None for block in ALL if block.language in RUN and not block.reason) > 5


def _of_transformers(command: str) -> set[str]:
    """Options of training that the reference leaves to transformers."""
    from modeling_empathy.training.parsing import training_parser

    if command != "train":
        return set()
    return {one for action in training_parser()._actions for one in action.option_strings}
