#!/usr/bin/env python
"""Trains and evaluates the empathy bi-encoder.

    python train_hf.py --encoder embedded --source sample
    python train_hf.py --recipe embedded --data_dir path/to/csvs --output_dir output/all
    python train_hf.py --recipe original --data_dir path/to/csvs --output_dir output/original
    python train_hf.py --train_path explorations.csv --lambda_EI 1.0 --save_model --save_model_path output/EX.pth
    accelerate launch --config_file examples/accelerate/one_gpu_bf16.yaml \\
        train_hf.py --recipe roberta-base --output_dir output/roberta-base

Every option can stand in a YAML or JSON file (`--config`); what is on the command line wins. The arguments of the
original train.py work too, with their meaning there; `--train_path` brings its recipe with it.
"""

from modeling_empathy.cli.failures import reporting, run_command


def train() -> None:
    """Runs the command line."""
    # The import takes seconds, in which somebody may think better of it.
    with reporting("train_hf.py"):
        from modeling_empathy.cli.train import main

        main(description=__doc__, program="train_hf.py")


if __name__ == "__main__":
    run_command(train)
