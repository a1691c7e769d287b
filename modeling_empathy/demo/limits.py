"""How much the page takes: of a text, a file, a request, and of people at once."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass
from typing import Any


_Scope = MutableMapping[str, Any]
_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
# Bytes of a request beside its texts or its file: names, quotes, escapes.
_ENVELOPE = 20_000
# A character takes up to twelve bytes as JSON escapes it, and a request has up to five texts.
_BYTES_OF_CHARACTER, _TEXTS = 12, 5


@dataclass(frozen=True)
class Limits:
    """What the page takes.

    Attributes:
        characters: Of a post.
        file_bytes: Of an uploaded file.
        rows: Pairs of a file.
        seconds: That one request may compute.
        waiting: Requests that wait for their turn; one is computed at a time.
        kept_seconds: After which uploaded files and the scores that were made of them are removed.
    """

    characters: int = 5_000
    file_bytes: int = 2_000_000
    rows: int = 500
    seconds: float = 120.0
    waiting: int = 64
    kept_seconds: int = 600

    @property
    def request_bytes(self) -> int:
        """Of a request that is no upload."""
        return self.characters * _BYTES_OF_CHARACTER * _TEXTS + _ENVELOPE


class _TooLarge(Exception):
    """A request goes on behind its limit."""


class RequestLimit:
    """Refuses requests that are too large before they are read, or once they have gone on for too long.

    Without it, a text of any length would be taken into memory before its length is looked at.

    Args:
        app: The application behind it.
        limits: What is taken.
    """

    def __init__(self, app: Callable[[_Scope, _Receive, _Send], Awaitable[None]], limits: Limits) -> None:
        self._app, self._limits = app, limits

    async def __call__(self, scope: _Scope, receive: _Receive, send: _Send) -> None:
        """Handles a request, as ASGI has it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        is_upload = scope["path"].rstrip("/").endswith("/upload")
        largest = self._limits.file_bytes + _ENVELOPE if is_upload else self._limits.request_bytes
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > largest:
            await _refuse(send, is_upload, self._limits)
            return
        received, has_answered = 0, False

        async def counted() -> MutableMapping[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > largest:
                raise _TooLarge
            return message

        async def watched(message: MutableMapping[str, Any]) -> None:
            nonlocal has_answered
            has_answered = True
            await send(message)

        try:
            await self._app(scope, counted, watched)
        except _TooLarge:
            if not has_answered:
                await _refuse(send, is_upload, self._limits)


async def _refuse(send: _Send, is_upload: bool, limits: Limits) -> None:
    what = f"A file may have up to {limits.file_bytes / 1e6:g} MB" if is_upload else too_long(limits)
    body = f"{what}.".encode()
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"content-length", str(len(body)).encode())]
    # What is still to come is not read.
    headers.append((b"connection", b"close"))
    await send({"type": "http.response.start", "status": 413, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def too_long(limits: Limits) -> str:
    """What is said of a text that is too long."""
    return f"A text may have up to {limits.characters:,} characters"
