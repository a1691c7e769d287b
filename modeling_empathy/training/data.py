"""What a run is trained and evaluated on: the splits that its arguments name, and their features."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import datasets
from transformers import PreTrainedTokenizerBase
from transformers.utils import logging

from ..corpus.annotated_files import read_annotated
from ..corpus.builder import load_epitome
from ..corpus.contrast import families
from ..corpus.features import build_features
from ..corpus.splits import is_of_development
from ..encoders import load_tokenizer
from ..errors import InputError
from .arguments import DataArguments, ModelArguments
from .mismatched import mismatched_pairs


CONTRAST = "contrast"

logger = logging.get_logger(__name__)


def read_corpus(
    model_args: ModelArguments, data_args: DataArguments, do_eval: bool, do_predict: bool
) -> datasets.DatasetDict:
    """The splits that are trained and evaluated on: of the corpus, or of the files that the arguments name.

    Raises:
        InputError: If files can't be read as annotated pairs; names file, row, column and value.
    """
    if data_args.train_path is None:
        corpus = load_epitome(
            config_name(model_args),
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
            corpus = datasets.DatasetDict(train=datasets.concatenate_datasets(list(corpus.values())))
        corpus["train"] = _with_more(corpus["train"], model_args, data_args)
        return corpus
    for name in ("extra_data", "mismatched_weight"):
        if getattr(data_args, name):
            raise InputError(f"--{name} goes beside a corpus: leave it out with --train_path.")
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


def config_name(model_args: ModelArguments) -> str:
    """The builder's configuration with what a model learns."""
    return "all" if len(model_args.mechanisms) > 1 else model_args.mechanisms[0]


def _with_more(train: datasets.Dataset, model_args: ModelArguments, data_args: DataArguments) -> datasets.Dataset:
    """The pairs that are trained on, and behind them those of `--extra_data` and mismatched ones, by their weights."""
    # Each pair once, and as often as it is trained on.
    once, parts = [train], [train]
    if data_args.extra_data is not None:
        extra = _extra(model_args, data_args).select_columns(train.column_names)
        once.append(extra)
        parts.append(_repeated(extra, data_args.extra_weight, f"--extra_data {data_args.extra_data}"))
    if data_args.mismatched_weight:
        mismatched = mismatched_pairs(datasets.concatenate_datasets(once), model_args.mechanisms)
        if len(mismatched):
            parts.append(_repeated(mismatched, data_args.mismatched_weight, "--mismatched_weight"))
        else:
            logger.warning("--mismatched_weight: no response speaks of something particular, so none is mismatched.")
    return datasets.concatenate_datasets(parts)


def _extra(model_args: ModelArguments, data_args: DataArguments) -> datasets.Dataset:
    name, cache = config_name(model_args), data_args.data_cache_dir
    if data_args.extra_data != CONTRAST:
        read = load_epitome(name, data_dir=data_args.extra_data, strict=data_args.strict, cache_dir=cache)
        return datasets.concatenate_datasets(list(read.values()))
    suite = load_epitome(name, source=CONTRAST, cache_dir=cache)
    halves = ("train", "test") if data_args.train_on_everything else ("train",)
    extra = datasets.concatenate_datasets([suite[half] for half in halves])
    if not data_args.development:
        return extra
    return of_families(extra, [family for family, known in families().items() if known.split == "train"])


def _repeated(rows: datasets.Dataset, weight: float, named: str) -> datasets.Dataset:
    """The rows as often as the weight says, of a fraction as many of them.

    Raises:
        InputError: If none is left.
    """
    # By the hash of their ids: the same pairs each time, whatever the order of the files.
    ids = list(rows["rp_id"])
    ranked = sorted(range(len(rows)), key=lambda row: hashlib.sha1(ids[row].encode()).digest())
    times, part = divmod(weight, 1)
    chosen = [*range(len(rows))] * int(times) + sorted(ranked[: round(part * len(rows))])
    if not chosen:
        raise InputError(f"{named}: with a weight of {weight} there are no pairs to train on.")
    return rows.select(chosen)


def suite_to_measure(model_args: ModelArguments, data_args: DataArguments) -> datasets.Dataset:
    """The rows of the behaviour suite that a run does not train on: the test families; in development those of it."""
    suite = load_epitome(config_name(model_args), source=CONTRAST, cache_dir=data_args.data_cache_dir)
    if not data_args.development:
        return suite["test"]
    return of_families(suite["train"], [name for name, family in families().items() if family.split == "development"])


def of_families(rows: datasets.Dataset, chosen: Collection[str]) -> datasets.Dataset:
    """Of a suite's rows those of some families."""
    return rows.select([index for index, family in enumerate(rows["family"]) if family in chosen])


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
