"""How far long work is: a live line for each phase on a terminal, a line now and then in a log."""

from __future__ import annotations

import io
import sys
from typing import Any

from tqdm.auto import tqdm as live_line
from tqdm.std import tqdm


SECONDS_BETWEEN_LINES = 60.0


def phase(name: str, total: int | None = None, unit: str = "", *, is_shown: bool = True, delay: float = 0.0) -> tqdm:
    """A line that says what is being done and how far it is; a context manager, which `update` counts on.

    Args:
        name: What is being done.
        total: How many there are to do, if that is known.
        unit: Of what; without one nothing is counted, and the line says how long it takes.
        is_shown: Whether there is a line at all.
        delay: Seconds that must have passed before it appears.
    """
    options: dict[str, Any] = {"total": total, "desc": name, "delay": delay, "disable": not is_shown}
    options |= {"unit": f" {unit}"} if unit else {"bar_format": "{desc} [{elapsed}]"}
    if _is_drawn_over():
        return live_line(dynamic_ncols=True, **options)
    if not unit:
        return tqdm(file=_Log(), leave=False, **options | {"bar_format": "{desc}"})
    counted = "{n_fmt} of {total_fmt}" if total is not None else "{n_fmt}"
    options["bar_format"] = f"{{desc}}: {counted}{{unit}} [{{elapsed}}<{{remaining}}, {{rate_fmt}}{{postfix}}]"
    return tqdm(file=_Log(), mininterval=SECONDS_BETWEEN_LINES, **options)


def hide_other_bars() -> None:
    """Switches off the bars of datasets and transformers, which count what takes a moment; downloads keep theirs."""
    import datasets
    from huggingface_hub.utils import are_progress_bars_disabled, enable_progress_bars
    from transformers.utils import logging

    datasets.disable_progress_bars()
    shows_downloads = not are_progress_bars_disabled()
    logging.disable_progress_bar()
    # transformers switches those of downloads off with its own.
    if shows_downloads:
        enable_progress_bars()


class _Log(io.TextIOBase):
    """Standard error, where nothing can be drawn over: of a live line, each state becomes a line with an end."""

    def write(self, text: str) -> int:
        """Writes what is more than the moving of a cursor."""
        if (line := text.strip()) and sys.stderr is not None:
            sys.stderr.write(f"{line}\n")
        return len(text)

    def flush(self) -> None:
        """As of any file."""
        if sys.stderr is not None:
            sys.stderr.flush()


def _is_drawn_over() -> bool:
    # Of a notebook the output is no terminal, and can be drawn over.
    return "ipykernel" in sys.modules or (sys.stderr is not None and sys.stderr.isatty())
