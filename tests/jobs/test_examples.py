"""The examples for clusters are commands that there are, and of ten lines."""

import re
import shlex
from pathlib import Path

import pytest

from modeling_empathy.cli.app import app
from tests.command_lines import printed_by


EXAMPLES = sorted((Path(__file__).parents[2] / "examples" / "cluster").glob("*.sh"))


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_uses_options_that_there_are(path):
    text = path.read_text()
    assert text.count("\n") <= 10
    [command] = re.findall(r"empathy score(?:.*\\\n)+.*\n", text)
    words = shlex.split(command.replace("\\\n", " "))
    known = printed_by(app, "score", "--help")
    options = {word for word in words if word.startswith("--")}
    assert options and all(option in known for option in options)
    assert f"--executor {path.stem}" in text


def test_there_are_three_of_them():
    assert [path.stem for path in EXAMPLES] == ["jobs", "ray", "slurm"]
