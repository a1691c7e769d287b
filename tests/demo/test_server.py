"""How the page is served: on the port that was asked for, until a signal, with messages where that can't be."""

import os
import signal
import socket
import sys

import pytest

from modeling_empathy.demo.server import PORT_VARIABLE, free_port, serving
from modeling_empathy.errors import InputError
from tests.demo.conftest import start_page


def test_a_port_that_is_taken_is_said_before_anything_is_loaded(monkeypatch):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(InputError, match=f"--port {port} can't be used"):
            free_port(port)
        monkeypatch.setenv(PORT_VARIABLE, str(port))
        with pytest.raises(InputError, match=f"{PORT_VARIABLE} {port} can't be used"):
            free_port(None)
    assert free_port(port) == free_port(None) == port


@pytest.mark.parametrize("value", ["none", "70000"])
def test_what_is_no_port_is_said(monkeypatch, value):
    monkeypatch.setenv(PORT_VARIABLE, value)
    with pytest.raises(InputError, match=PORT_VARIABLE):
        free_port(None)


def test_without_gradio_it_is_said_how_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "gradio", None)
    monkeypatch.setattr("modeling_empathy.errors.find_spec", lambda name: None)
    with pytest.raises(InputError, match=r"modeling-empathy\[demo\]"), serving():
        pass


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_and_nothing_stays(tmp_path, number, monkeypatch):
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]
    monkeypatch.setenv(PORT_VARIABLE, str(port))
    served = start_page(tmp_path)
    assert served.address == f"http://127.0.0.1:{port}/"
    assert any(served.temporary.glob("empathy-demo-*"))
    os.kill(served.process.pid, number)
    assert served.process.wait(300) == 0
    assert "Traceback" not in served.output.read_text()
    assert not list(served.temporary.glob("empathy-demo-*"))
