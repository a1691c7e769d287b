"""Requests that are too large end before anybody reads them."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from modeling_empathy.demo.limits import Limits, RequestLimit


LIMITS = Limits(characters=10, file_bytes=100_000)


def status_of(path: str, body: bytes, declared: int | None, chunk: int = 1000) -> int:
    """What is answered to a request, by an application that reads all of it and is content."""
    sent: list[dict] = []
    chunks = [body[start : start + chunk] for start in range(0, len(body), chunk)]

    async def receive():
        return {"type": "http.request", "body": chunks.pop(0), "more_body": bool(chunks)}

    async def send(message):
        sent.append(message)

    async def application(scope, receive, send):
        while (await receive())["more_body"]:
            pass
        await send({"type": "http.response.start", "status": 200, "headers": []})

    headers = [] if declared is None else [(b"content-length", str(declared).encode())]
    scope = {"type": "http", "path": path, "headers": headers}
    # In a thread of its own: where a browser is open, this one has a loop already.
    with ThreadPoolExecutor(1) as thread:
        thread.submit(asyncio.run, RequestLimit(application, LIMITS)(scope, receive, send)).result()
    return sent[0]["status"]


@pytest.mark.parametrize("is_declared", [True, False])
def test_a_request_is_taken_up_to_its_limit(is_declared):
    for path, largest in (("/gradio_api/queue/join", LIMITS.request_bytes), ("/gradio_api/upload", 120_000)):
        for size, status in ((largest, 200), (largest + 1, 413)):
            body = b"a" * size
            assert status_of(path, body, size if is_declared else None) == status, (path, size)
