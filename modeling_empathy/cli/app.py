"""The `empathy` command. Options are named as the original's, with underscores."""

from __future__ import annotations

import os

from .adapt import adapt
from .analyze import analyze
from .convert import convert
from .evaluate import evaluate
from .export import export_dataset, export_onnx
from .failures import run_command
from .interactions import interactions
from .options import new_app
from .pack import pack
from .prepare import prepare
from .score import score


# What computes is imported by the command that needs it, so that `--help` does not wait for torch.
app = new_app(
    name="empathy",
    help="Measures how empathy is communicated in text: the levels of three mechanisms, and the words that show them.",
)
for command in (prepare, convert, interactions, score, analyze, evaluate, export_dataset, export_onnx, adapt, pack):
    app.command()(command)


# How torch and oneDNN remember what they worked out for a shape of matrices; read when torch is imported.
_SHAPE_CACHES = ("LRU_CACHE_CAPACITY", "ONEDNN_PRIMITIVE_CACHE_CAPACITY")


def main() -> None:
    """Runs the command line."""
    for name in _SHAPE_CACHES:
        # Batches have ever new shapes: with the 1024 that both remember, memory grows for a long time.
        os.environ.setdefault(name, "64")
    run_command(app)


if __name__ == "__main__":  # as `accelerate launch --module modeling_empathy.cli.app` runs it
    main()
