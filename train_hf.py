#!/usr/bin/env python
"""Trains and evaluates the empathy bi-encoder.

    python train_hf.py --encoder embedded --source sample
    python train_hf.py --config recipes/embedded.yaml --data_dir path/to/csvs --output_dir output/all
    python train_hf.py --recipe original --data_dir path/to/csvs --output_dir output/original
    python train_hf.py --train_path explorations.csv --lambda_EI 1.0 --save_model --save_model_path output/EX.pth
    accelerate launch --config_file examples/accelerate/one_gpu_bf16.yaml \\
        train_hf.py --config recipes/roberta-base.yaml --output_dir output/roberta-base

Every option can stand in a YAML or JSON file (`--config`); what is on the command line wins. The arguments of the
original train.py work too, with their meaning there; `--train_path` brings its recipe with it.
"""

import sys
from pathlib import Path

import datasets

from dataset_scripts.epitome import load_epitome
from modeling_empathy.arguments import DataArguments, ModelArguments, parse_arguments
from modeling_empathy.corpus.annotated_files import read_annotated
from modeling_empathy.corpus.splits import is_of_development
from modeling_empathy.encoders import load_tokenizer
from modeling_empathy.errors import InputError
from modeling_empathy.training import train_and_report


def main() -> None:
    model_args, data_args, training_args = parse_arguments(description=__doc__)
    try:
        with training_args.main_process_first(desc="building the data set"):
            corpus = read_corpus(model_args, data_args, training_args.do_eval, training_args.do_predict)
        train_and_report(corpus, model_args, data_args, training_args)
    except InputError as error:
        print(f"train_hf.py: error: {error}", file=sys.stderr)
        sys.exit(2)


def read_corpus(
    model_args: ModelArguments, data_args: DataArguments, do_eval: bool, do_predict: bool
) -> datasets.DatasetDict:
    """The splits that are trained and evaluated on: of the corpus, or of the files that the arguments name."""
    if data_args.train_path is None:
        corpus = load_epitome(
            "all" if len(model_args.mechanisms) > 1 else model_args.mechanisms[0],
            source=data_args.source,
            data_dir=data_args.data_dir,
            salt=data_args.salt,
            strict=data_args.strict,
            cache_dir=data_args.data_cache_dir,
        )
        if data_args.development:
            train = corpus["train"]
            held_out = [is_of_development(sp_id, data_args.salt) for sp_id in train["sp_id"]]
            corpus["train"], corpus["test"] = (
                train.select([row for row, held in enumerate(held_out) if held == is_test])
                for is_test in (False, True)
            )
        if data_args.train_on_everything:
            return datasets.DatasetDict(train=datasets.concatenate_datasets(list(corpus.values())))
        return corpus
    paths = {
        "train": data_args.train_path,
        "validation": data_args.dev_path if do_eval else None,
        "test": data_args.test_path if do_predict else None,
    }
    tokenizer = load_tokenizer(
        model_args.encoder, revision=model_args.encoder_revision, as_original=model_args.original_tokenization
    )
    return datasets.DatasetDict(
        {split: read_annotated(Path(path), tokenizer, data_args.max_length) for split, path in paths.items() if path}
    )


if __name__ == "__main__":
    main()
