"""A web service in this process whose requests a test can look at, and make go wrong."""

import json
import os
import re
import socket
import struct
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple, TypeVar


_Service = TypeVar("_Service", bound="FaultyService")


class Request(NamedTuple):
    """What a client asked for: the path as sent, with its query, and whether it sent a token."""

    method: str
    path: str
    authorized: bool


@dataclass
class Answer:
    """What a client is told."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def part(self, wanted: str | None) -> "Answer":
        """The part of a file that a Range header asks for; all of it where there is no such header."""
        matched = re.fullmatch(r"bytes=(?:(\d+)-(\d*)|-(\d+))", wanted or "")
        if not matched or self.status != 200:
            return self
        first, last, tail = matched.groups()
        size = len(self.body)
        start = int(first) if first else max(size - int(tail), 0)
        end = min(int(last) + 1, size) if last else size
        if start >= end:
            # With the size, by which a client can tell that it has all of the file already.
            return Answer(416, b"", {"Content-Range": f"bytes */{size}"})
        return Answer(206, self.body[start:end], self.headers | {"Content-Range": f"bytes {start}-{end - 1}/{size}"})


def json_answer(value: Any, status: int = 200, **headers: str) -> Answer:
    """An answer whose body is JSON."""
    return Answer(status, json.dumps(value).encode(), {"Content-Type": "application/json; charset=utf-8", **headers})


@dataclass
class Fault:
    """What `FaultyService.fail` plans; `met` counts the requests that it happened to."""

    method: str
    pattern: str
    times: int
    after: int
    answer: Answer | None
    reset: bool
    delay: float
    trickle: bool
    met: int = 0

    def meets(self, method: str, path: str) -> bool:
        """Whether it happens to this request, and counts it."""
        if self.method not in ("*", method) or not re.search(self.pattern, path) or self.met == self.times:
            return False
        self.after -= 1
        self.met += self.after < 0
        return self.after < 0


class FaultyService:
    """Serves what `answer` says on one or more ports of this machine, within a `with` statement.

    Attributes:
        addresses: Where it listens.
        requests: Every request so far, those that went wrong by plan among them.
        lock: Held while a request is carried out, so that each sees the state whole.
    """

    def __init__(self, ports: int = 1) -> None:
        self.requests: list[Request] = []
        self.lock = threading.RLock()
        # Set at the end, so that an answer that is delayed does not hold up the test.
        self.closing = threading.Event()
        self._faults: list[Fault] = []
        self._servers = [_Server(self) for _ in range(ports)]
        self.addresses = [f"http://127.0.0.1:{server.server_port}" for server in self._servers]

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        """Carries out a request that arrived as a whole."""
        raise NotImplementedError

    def __enter__(self: _Service) -> _Service:
        for server in self._servers:
            # Looks for the end every 20 ms: the default of half a second would be waited for in each test.
            threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for server in self._servers:
            server.stop()

    def fail(
        self,
        method: str,
        path_pattern: str,
        status: int | None = None,
        *,
        times: int = 1,
        headers: Mapping[str, str] | None = None,
        after: int = 0,
        reset: bool = False,
        delay: float = 0,
        trickle: bool = False,
        body: str | bytes | Mapping[str, Any] | None = None,
    ) -> Fault:
        """Plans that requests go wrong.

        A request that gets a status is not carried out, nor is one whose body the reset cuts off.

        Args:
            method: Of the requests; "*" for any.
            path_pattern: A regular expression that is searched for in the path as sent, with its query.
            status: Of the answer; None for the usual answer, which a delay makes slow.
            times: To how many requests it happens.
            headers: Of the answer, such as Retry-After or X-Error-Code.
            after: How many matching requests are let through before.
            reset: Resets the connection within the request's body; where it has none, within the answer's.
            delay: Seconds before the answer.
            trickle: Spreads the delay over the answer's body instead.
            body: Of the answer; a mapping is sent as JSON.
        """
        if body is None:
            body = {"error": f"Planned failure: {status}"}
        answer = json_answer(body) if isinstance(body, Mapping) else Answer()
        if isinstance(body, str | bytes):
            answer.body = body.encode() if isinstance(body, str) else body
        answer.status, answer.headers = status or 200, answer.headers | dict(headers or {})
        fault = Fault(method, path_pattern, times, after, answer if status else None, reset, delay, trickle)
        with self.lock:
            self._faults.append(fault)
        return fault

    def arrived(self, method: str, path: str, authorized: bool) -> Fault | None:
        """Notes a request, before anything is done; the fault that happens to it."""
        with self.lock:
            self.requests.append(Request(method, path, authorized))
            return next((fault for fault in self._faults if fault.meets(method, path)), None)


class _Server(ThreadingHTTPServer):
    """One port; it knows its open connections, which a client would otherwise keep alive after the end."""

    daemon_threads = True

    def __init__(self, service: FaultyService) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.service = service
        self.connections: set[socket.socket] = set()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Says what broke, unless the client went away, as clients in tests do."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)

    def stop(self) -> None:
        self.shutdown()
        self.server_close()
        for connection in list(self.connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    """Reads requests and writes answers; what they mean is the service's."""

    protocol_version = "HTTP/1.1"
    # Headers and body are written apart: Nagle's algorithm would hold the body back until the client has acknowledged
    # the headers, which it does some 40 ms later.
    disable_nagle_algorithm = True
    server: _Server

    def _serve(self) -> None:
        service = self.server.service
        fault = service.arrived(self.command, self.path, "Authorization" in self.headers)
        if fault and not fault.trickle:
            service.closing.wait(fault.delay)
        chunked = "chunked" in self.headers.get("Transfer-Encoding", "")
        announced = int(self.headers.get("Content-Length", 0))
        if fault and fault.reset and (chunked or announced):
            # Half of it, so that the client is still sending.
            self.rfile.read(announced // 2)
            return self._reset()
        body = self._read_chunks() if chunked else self.rfile.read(announced)
        answer = (
            fault.answer if fault and fault.answer else service.answer(self.command, self.path, self.headers, body)
        )
        sent = b"" if self.command == "HEAD" else answer.body
        self.send_response(answer.status)
        for name, value in {"Content-Length": str(len(answer.body)), **answer.headers}.items():
            self.send_header(name, value)
        self.end_headers()
        if fault and fault.reset:
            self.wfile.write(sent[: len(sent) // 2])
            return self._reset()
        if not (fault and fault.trickle):
            self.wfile.write(sent)
            return None
        step = max(len(sent) // 10, 1)
        for start in range(0, len(sent), step):
            service.closing.wait(fault.delay / 10)
            self.wfile.write(sent[start : start + step])

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = _serve

    def _read_chunks(self) -> bytes:
        """The body of a request whose length its client did not know."""
        parts = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def _reset(self) -> None:
        """Ends the connection without a goodbye: with no time to linger, closing it resets it."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        # Past Python's own closing, which says goodbye first (`shutdown`), so that there is nothing left to reset.
        os.close(self.connection.detach())

    def log_message(self, format: str, *args: Any) -> None:
        """The service's `requests` are the log."""
