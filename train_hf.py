#!/usr/bin/env python
"""Trains and evaluates the empathy bi-encoder.

    python train_hf.py --encoder embedded --source sample
    python train_hf.py --config recipes/embedded.yaml --data_dir path/to/csvs --output_dir output/all
    accelerate launch --config_file examples/accelerate/one_gpu_bf16.yaml \\
        train_hf.py --config recipes/roberta-base.yaml --output_dir output/roberta-base

Every option can stand in a YAML or JSON file (`--config`); what is on the command line wins.
"""

import sys

from dataset_scripts.epitome import load_epitome
from modeling_empathy.arguments import parse_arguments
from modeling_empathy.errors import InputError
from modeling_empathy.training import train_and_report


def main() -> None:
    model_args, data_args, training_args = parse_arguments(description=__doc__)
    try:
        with training_args.main_process_first(desc="building the data set"):
            corpus = load_epitome(
                "all" if len(model_args.mechanisms) > 1 else model_args.mechanisms[0],
                source=data_args.source,
                data_dir=data_args.data_dir,
                salt=data_args.salt,
                strict=data_args.strict,
                cache_dir=data_args.data_cache_dir,
            )
    except InputError as error:
        print(f"train_hf.py: error: {error}", file=sys.stderr)
        sys.exit(2)
    train_and_report(corpus, model_args, data_args, training_args)


if __name__ == "__main__":
    main()
