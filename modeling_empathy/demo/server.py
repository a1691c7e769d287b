"""Serves the page: on which port, within which limits, and until when."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError, check_installed
from .kept_files import removing_old_files
from .limits import Limits


if TYPE_CHECKING:
    import gradio as gr


STYLE = Path(__file__).with_name("style.css")
PORT_VARIABLE = "GRADIO_SERVER_PORT"
_PORTS = range(1, 2**16)
_ACCENT, _QUIET, _QUIET_IN_DARK = "#0a5ca8", "#4d5560", "#b6bec9"


def serve(
    model: str | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    device: str | None = None,
    limits: Limits | None = None,
    on_ready: Callable[[str], object] = print,
) -> None:
    """Serves the page until the process is asked to end.

    Args:
        model: A folder or a repository on the Hub; the model that comes with the package when left out.
        host: On which it listens; as gradio has it when left out: `GRADIO_SERVER_NAME`, or this machine alone.
        port: Likewise: `GRADIO_SERVER_PORT`, or the first one from 7860 that is free.
        device: Where it computes.
        limits: How much is taken.
        on_ready: Called with the address.

    Raises:
        InputError: If gradio is missing, the port is taken, or the model can't be loaded.
    """
    with serving(model, host=host, port=port, device=device, limits=limits) as address, _until_asked() as asked:
        on_ready(address)
        asked.wait()


@contextmanager
def _until_asked() -> Iterator[threading.Event]:
    """An event that is set by a signal to end: for a server, that is how its work is done, and no error."""
    asked = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield asked  # Python lets no other thread handle signals.
        return
    replaced = {number: signal.signal(number, lambda *_: asked.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked
    finally:
        for number, handler in replaced.items():
            signal.signal(number, handler)


@contextmanager
def serving(
    model: str | None = None,
    *,
    host: str | None = None,
    port: int | None = None,
    device: str | None = None,
    limits: Limits | None = None,
) -> Iterator[str]:
    """Serves the page within the context, whose value is the address; see [`serve`]."""
    check_installed("gradio", "demo", "The page needs")
    # Before the model, which takes seconds.
    port = free_port(port)
    with tempfile.TemporaryDirectory(prefix="empathy-demo-") as folder:
        # Uploads and what is made of them, in a folder that goes with this process; gradio reads both when a page is
        # made, and when it is imported it asks whether it may tell its makers.
        os.environ.update({"GRADIO_TEMP_DIR": folder, "GRADIO_ANALYTICS_ENABLED": "False"})
        from .app import build_page
        from .scoring import PageScorer

        scorer = PageScorer(model, limits, device)
        page = build_page(scorer, Path(folder))
        with removing_old_files(Path(folder), scorer.limits.kept_seconds):
            try:
                yield _launched(page, scorer.limits, host, port)
            finally:
                page.close(verbose=False)


def free_port(port: int | None) -> int | None:
    """The port that somebody chose, by argument or environment; None where nobody did.

    Raises:
        InputError: If it is none, or taken.
    """
    named = "--port"
    if port is None and (value := os.environ.get(PORT_VARIABLE)):
        named = PORT_VARIABLE
        if not value.isdecimal():
            raise InputError(f"{PORT_VARIABLE}={value}: expected a number.")
        port = int(value)
    if port is None:
        return None
    if port not in _PORTS:
        raise InputError(f"{named} {port}: expected a port from {_PORTS[0]} to {_PORTS[-1]}.")
    with socket.socket() as tried:
        tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            tried.bind(("127.0.0.1", port))
        except OSError as error:
            raise InputError(f"{named} {port} can't be used ({error.strerror}): name another.") from None
    return port


def _launched(page: gr.Blocks, limits: Limits, host: str | None, port: int | None) -> str:
    try:
        _, address, _ = page.launch(**launch_options(limits), server_name=host, server_port=port)
    except OSError as error:
        raise InputError(f"The page can't be served on {host or 'this machine'}, port {port}: {error}") from None
    return address


def launch_options(limits: Limits) -> dict[str, Any]:
    """How gradio serves the page: nothing kept, nothing told, nothing loaded from elsewhere."""
    import gradio as gr
    from starlette.middleware import Middleware

    from .limits import RequestLimit

    # Its own fonts would be fetched from somebody who learns who is here.
    theme = gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"])
    # Its own colours are too pale to be read by everybody.
    theme.set(
        button_primary_background_fill=_ACCENT,
        button_primary_background_fill_hover=_ACCENT,
        button_primary_background_fill_dark=_ACCENT,
        button_primary_background_fill_hover_dark=_ACCENT,
        button_primary_text_color="#ffffff",
        color_accent=_ACCENT,
        slider_color=_ACCENT,
        body_text_color_subdued=_QUIET,
        body_text_color_subdued_dark=_QUIET_IN_DARK,
        block_info_text_color=_QUIET,
        block_info_text_color_dark=_QUIET_IN_DARK,
    )
    return {
        "prevent_thread_lock": True,
        "quiet": True,
        "share": False,
        "css_paths": [STYLE],
        "theme": theme,
        "footer_links": ["api"],
        "max_file_size": limits.file_bytes,
        # Left on, every result would be kept in the browser.
        "run_history": False,
        "enable_monitoring": False,
        "ssr_mode": False,
        "mcp_server": False,
        "app_kwargs": {"middleware": [Middleware(RequestLimit, limits=limits)]},
    }
