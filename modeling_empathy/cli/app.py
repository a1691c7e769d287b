"""The `empathy` command. Options are named as the original's, with underscores."""

from __future__ import annotations

import os

import typer

from .adapt import adapt
from .analyze import analyze
from .convert import convert
from .demo import demo
from .evaluate import evaluate
from .export import export_dataset, export_onnx
from .failures import reporting, run_command
from .interactions import interactions
from .options import new_app
from .pack import pack
from .prepare import prepare
from .push import app as push_app
from .score import score


TRAINING = """Trains and evaluates the empathy bi-encoder.

    empathy train --encoder embedded --source sample
    empathy train --recipe embedded --data_dir path/to/csvs --output_dir output/all
    empathy train --recipe original --data_dir path/to/csvs --output_dir output/original
    accelerate launch --config_file one_gpu.yaml --module modeling_empathy.cli.app train --recipe roberta-base

Every option can stand in a YAML or JSON file (`--config`); what is on the command line wins. The arguments of the
original train.py work too, with their meaning there; `--train_path` brings its recipe with it.
"""

# What computes is imported by the command that needs it, so that `--help` does not wait for torch.
app = new_app(
    name="empathy",
    help="Measures how empathy is communicated in text: the levels of three mechanisms, and the words that show them.",
)
_COMMANDS = (prepare, convert, interactions, score, analyze, evaluate, export_dataset, export_onnx, adapt, pack, demo)
for command in _COMMANDS:
    app.command()(command)
app.add_typer(push_app)


# Its options, which a file may hold as well, are of another parser, which also says what they mean.
@app.command(add_help_option=False, context_settings={"ignore_unknown_options": True, "allow_extra_args": True})
def train(context: typer.Context) -> None:
    """Train and evaluate a model, as train_hf.py does; its own --help explains every option."""
    # The import takes seconds, in which somebody may think better of it.
    with reporting("empathy train"):
        from .train import main

        main(context.args, TRAINING, "empathy train")


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
