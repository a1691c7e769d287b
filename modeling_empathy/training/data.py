"""What a run is trained and evaluated on: the splits that its arguments name, and their features."""

from __future__ import annotations

from pathlib import Path

import datasets
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from ..corpus.annotated_files import read_annotated
from ..corpus.builder import load_epitome
from ..corpus.features import build_features
from ..corpus.splits import is_of_development
from ..encoders import load_tokenizer
from .arguments import DataArguments, ModelArguments


logger = logging.get_logger(__name__)


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
            is_held_out = [is_of_development(sp_id, data_args.salt) for sp_id in train["sp_id"]]
            corpus["train"], corpus["test"] = (
                train.select([row for row, held_out in enumerate(is_held_out) if held_out == is_test])
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
    # A prepared file holds labels of tokens: they are checked against those of the encoder that will be trained.
    tokenizer = tokenizer_of(model_args, data_args)
    return datasets.DatasetDict(
        {split: read_annotated(Path(path), tokenizer, data_args.max_length) for split, path in paths.items() if path}
    )


def tokenizer_of(model_args: ModelArguments, data_args: DataArguments) -> PreTrainedTokenizerBase:
    """The tokenizer of the encoder that is trained.

    Raises:
        InputError: If it can't be loaded, or the encoder reads fewer tokens than posts may have.
    """
    return load_tokenizer(
        model_args.encoder,
        as_original=model_args.original_tokenization,
        max_length=data_args.max_length,
        revision=model_args.encoder_revision,
    )


def features_of(
    corpus: datasets.DatasetDict,
    tokenizer: PreTrainedTokenizerBase,
    model_args: ModelArguments,
    data_args: DataArguments,
) -> dict[str, datasets.Dataset]:
    """The splits as the model reads them; says how many rationales the cut shortened."""
    features = {
        split: build_features(
            rows,
            tokenizer,
            model_args.mechanisms,
            max_length=data_args.max_length,
            # The heuristic is one of training; what is measured is always what was annotated.
            unannotated=data_args.unannotated if split == "train" else "none",
        )
        for split, rows in corpus.items()
    }
    cut = sum(sum(split["truncated_rationales"]) for split in features.values())
    if cut:
        logger.warning(
            f"{cut} rationales reach past the first {data_args.max_length} tokens of their response and were cut."
        )
    return features
