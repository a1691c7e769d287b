"""The page, served as a process of its own, and a browser that looks at it."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest


pytest.importorskip("gradio", reason="gradio is not here: pip install 'modeling-empathy[demo]'")

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@dataclass
class ServedPage:
    """A page that is served.

    Attributes:
        address: Where.
        temporary: The folder below which its process writes what it writes.
        output: What the process has printed, on both streams.
        process: The process.
    """

    address: str
    temporary: Path
    output: Path
    process: subprocess.Popen

    def kept(self) -> str:
        """All that the server has written so far, on the disk and on its streams."""
        files = [path for path in self.temporary.rglob("*") if path.is_file()]
        return "".join(path.read_text(errors="replace") for path in [*files, self.output])


@pytest.fixture(scope="session")
def page(tmp_path_factory) -> Iterator[ServedPage]:
    """The page of `empathy demo`, with the model that comes with the package."""
    folder = tmp_path_factory.mktemp("page")
    served = start_page(folder)
    yield served
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(300) == 0


def start_page(folder: Path, *options: str) -> ServedPage:
    temporary, output = folder / "temporary", folder / "output.txt"
    temporary.mkdir()
    environment = {**os.environ, "TMPDIR": str(temporary), "HF_HUB_OFFLINE": "1"}
    environment.pop("GRADIO_TEMP_DIR", None)
    command = [sys.executable, "-m", "modeling_empathy.cli.app", "demo", *options]
    with output.open("w") as file:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=file, text=True, env=environment)
    assert process.stdout is not None
    for line in process.stdout:
        if "http://" in line:
            address = next(word for word in line.split() if word.startswith("http://"))
            return ServedPage(address, temporary, output, process)
    raise AssertionError(output.read_text())


@pytest.fixture(scope="session")
def browser():
    """Chromium, without a network beyond this machine."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not here: make install")
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    if path is None:
        pytest.skip("there is no Chromium: apt-get install chromium")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-quic"]
    with playwright.sync_playwright() as started:
        opened = started.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()
