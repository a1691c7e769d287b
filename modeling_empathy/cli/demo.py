"""`empathy demo`: the page on which a response can be scored and looked at, on this machine."""

from __future__ import annotations

from typing import Annotated

import typer

from .failures import reports_errors, say
from .options import Device, OptionalModelPath


@reports_errors("empathy", "the page is no longer served")
def demo(
    model: OptionalModelPath = None,
    port: Annotated[
        int | None,
        typer.Option(
            "--port", help="Where it listens (default: GRADIO_SERVER_PORT, or the first from 7860 that is free)."
        ),
    ] = None,
    host: Annotated[
        str,
        typer.Option("--host", help="For whom it listens: this machine alone, or with 0.0.0.0 all that can reach it."),
    ] = "127.0.0.1",
    device: Device = None,
) -> None:
    """Serve a page on which a response can be scored and looked at, with the words that show empathy marked.

    Without --model, it is the one that is part of the package. Nothing that is typed is stored or logged.

        empathy demo
        empathy demo --model output/corpus --port 8000
    """
    from ..demo.server import serve
    from ..phases import hide_other_bars

    hide_other_bars()
    say("Loading the model ...")
    serve(model, host=host, port=port, device=device, on_ready=_say_address)
    say("The page is no longer served.")


def _say_address(address: str) -> None:
    say(f"The page is at {address} (Ctrl-C ends it)", is_result=True)
