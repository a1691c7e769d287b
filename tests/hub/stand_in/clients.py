"""What tests of the stand-in Hub share: a few files, and clients by hand, in this process and in others."""

import http.client
import json
import subprocess
import sys
import textwrap
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.hub.stand_in.hub import StandInHub, environment
from tests.hub.stand_in.repositories import Repository


ID = "user/name"
SMALL = {"config.json": b'{"a": 1}', "folder/café 1.txt": "été".encode(), "empty": b""}
LARGE = {"large.txt": b"text " * 1000, "weights.bin": bytes(range(256))}


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    """Writes files to a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def files_of(folder: str | Path) -> dict[str, bytes]:
    """Reads all files of a folder."""
    paths = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in paths}


def send(url: str, method: str = "GET", body: bytes | None = None, timeout: float = 20, **headers: str) -> Any:
    """One request by hand; the status, the headers and the body of its answer."""
    address = urlsplit(url)
    # Not by huggingface_hub, which follows redirects and tries again: a test sees each answer as it is.
    connection = http.client.HTTPConnection(address.netloc, timeout=timeout)
    try:
        connection.request(method, f"{address.path}?{address.query}", body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def state(repository: Repository) -> Any:
    """All that a commit may change."""
    return dict(repository.commits), dict(repository.refs)


def run(script: str, hub: StandInHub, home: Path, token: str | None) -> Any:
    """What a script printed last, as JSON, in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment(hub, home, token),
        # A library that asks whether to trust the code ends instead of waiting.
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])
