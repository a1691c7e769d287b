"""The Reddit part of EPITOME as a `datasets` builder: CSV files in, levels and character-aligned rationales out.

    from dataset_scripts.epitome import load_epitome

    corpus = load_epitome("explorations", data_dir="path/to/csvs")

Annotation scheme and corpus: Sharma et al., EMNLP 2020. Splits are a rule over `sp_id`
(`modeling_empathy.corpus.splits`), so they are the same on every machine and in every configuration.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets

from ..errors import InputError
from ..files.whole_files import write_whole
from ..model.mechanisms import MECHANISMS
from .alignment_report import AlignmentReport, log_alignment
from .annotated_csv import read_mechanism
from .annotated_files import annotation_of, row_features
from .contrast import MARKS, families, read_marks, splits_of
from .joined_mechanisms import join_mechanisms
from .pairs import TEXTS, JoinedPair
from .provenance import (
    CITATION,
    UPSTREAM_COMMIT,
    UPSTREAM_SHA256,
    contrast_folder,
    record_provenance,
    sample_folder,
    sha256_of,
)
from .splits import split_of
from .token_labels import label_responses


CORPUS_DIR_VARIABLE = "EMPATHY_CORPUS_DIR"
REPORT_NAME = "alignment_report.json"
SOURCES = ("auto", "sample", "contrast")

_UPSTREAM = f"https://raw.githubusercontent.com/behavioral-data/Empathy-Mental-Health/{UPSTREAM_COMMIT}/dataset"

_DESCRIPTION = """\
Pairs of a seeker post and a response post from peer support on Reddit, annotated with the level (no, weak, strong) at
which the response communicates each of three mechanisms of empathy, and with the rationales that show it.
"""


@dataclass
class EpitomeConfig(datasets.BuilderConfig):
    """What is built, and from where.

    Attributes:
        source: `"auto"` reads `data_dir`, else the folder in `EMPATHY_CORPUS_DIR`, else downloads the published files
            from their pinned commit; `"sample"` reads the synthetic sample, `"contrast"` the synthetic behaviour
            suite, whose rows have the columns `MARKS` too and are split by their families, without a validation split.
        base_url: Where the published files are downloaded from.
        salt: Put before `sp_id` in the split rule, for other splits.
        strict: Whether a rationale that can't be aligned is an error.
        tokenizer: Name or folder of a fast tokenizer for which `rationale_labels` are built too.
        max_length: Tokens of a response, special tokens included, with a `tokenizer`.
        unannotated: Whether a response at level 0 is `"none"` rationale or `"all"`, with a `tokenizer`.
    """

    version: datasets.Version | str | None = "1.0.0"
    source: str = "auto"
    base_url: str = _UPSTREAM
    salt: str = ""
    strict: bool = False
    tokenizer: str | None = None
    max_length: int = 128
    unannotated: str = "none"

    @property
    def mechanisms(self) -> Sequence[str]:
        """The mechanisms of this configuration."""
        return MECHANISMS if self.name == "all" else (self.name,)


class EpitomeReddit(datasets.GeneratorBasedBuilder):
    """Builds the corpus, one mechanism or all three joined.

    Example:
        ```python
        >>> builder = EpitomeReddit(config_name="all", source="sample")
        >>> builder.download_and_prepare()
        >>> builder.as_dataset(split="train")[0]["explorations"]["level"]
        0
        ```
    """

    BUILDER_CONFIG_CLASS = EpitomeConfig
    BUILDER_CONFIGS = [  # noqa: RUF012 - datasets reads it from the class
        *(
            EpitomeConfig(name=mechanism, description=f"{mechanism.replace('_', ' ').capitalize()} alone.")
            for mechanism in MECHANISMS
        ),
        EpitomeConfig(name="all", description="The three mechanisms joined, each post once in its fullest copy."),
    ]
    DEFAULT_CONFIG_NAME = "all"

    def __init__(self, *args: Any, hash: str | None = None, **kwargs: Any) -> None:
        # A builder made in code has no hash, one loaded as a script that of the script: either cache would survive
        # edits of the files and of the code behind them.
        folder = _local_folder(kwargs.get("source", "auto"), kwargs.get("data_dir"))
        super().__init__(*args, hash=_fingerprint(folder, kwargs.get("tokenizer")), **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        mechanisms = MECHANISMS if self.config.name == "all" else ()
        return datasets.DatasetInfo(
            description=_DESCRIPTION,
            citation=CITATION,
            features=row_features(
                mechanisms,
                with_token_labels=self.config.tokenizer is not None,
                marks=MARKS if self.config.source == "contrast" else (),
            ),
        )

    def _split_generators(self, dl_manager: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        # All that can fail fails here: datasets hides the errors of _generate_examples behind one of its own.
        report = AlignmentReport()
        files = self._files(dl_manager)
        record_provenance(self.info, dict(files.values()))
        read = {mechanism: (name, read_mechanism(path, report, name)) for mechanism, (name, path) in files.items()}
        if self.config.strict and report.unaligned:
            raise InputError(_unaligned_message(report))
        pairs = join_mechanisms(read)
        examples = [_example(pair) for pair in pairs]
        if self.config.tokenizer is not None:
            self._add_rationale_labels(examples, report)
        write_whole(
            Path(self._output_dir) / REPORT_NAME, lambda path: path.write_text(report.to_json(), encoding="utf-8")
        )
        # Until all is built, the output folder has a provisional name.
        built = Path(self._output_dir.removesuffix(".incomplete"))
        log_alignment(report, f"see {built / REPORT_NAME}")
        splits: dict[str, list[dict[str, Any]]] = {"train": [], "validation": [], "test": []}
        for example, split in zip(examples, self._splits_of(examples, files), strict=True):
            splits[split].append(
                example if self.config.name == "all" else {**example, **example.pop(self.config.name)}
            )
        return [
            datasets.SplitGenerator(name=split, gen_kwargs={"examples": tuple(rows)})
            for split, rows in splits.items()
            if rows  # datasets can't read a split without rows
        ]

    def _generate_examples(self, examples: Sequence[dict[str, Any]]) -> Iterator[tuple[int, dict[str, Any]]]:
        # The number is the key: the ids are none, because some pairs occur twice in the corpus.
        yield from enumerate(examples)

    def _splits_of(self, examples: Sequence[dict[str, Any]], files: Mapping[str, tuple[str, Path]]) -> list[str]:
        """The split of each example; those of the suite get what their rows have beside the published columns."""
        seekers = [example["sp_id"] for example in examples]
        if self.config.source != "contrast":
            return [split_of(sp_id, self.config.salt) for sp_id in seekers]
        known = families()
        # The files have the same rows in the same order: that was checked when they were joined.
        _, path = next(iter(files.values()))
        marks = read_marks(path, known)
        for example, mark in zip(examples, marks, strict=True):
            example.update(mark)
        return splits_of(marks, seekers, known)

    def _files(self, dl_manager: datasets.DownloadManager) -> dict[str, tuple[str, Path]]:
        """The file's name and place for each mechanism of the configuration."""
        folder = _local_folder(self.config.source, self.config.data_dir)
        if folder is not None:
            paths = {mechanism: _file_of(folder, mechanism) for mechanism in self.config.mechanisms}
            return {mechanism: (path.name, path) for mechanism, path in paths.items()}
        names = {mechanism: f"{mechanism.replace('_', '-')}-reddit.csv" for mechanism in self.config.mechanisms}
        urls = {mechanism: f"{self.config.base_url}/{name}" for mechanism, name in names.items()}
        try:
            downloaded = dl_manager.download(urls)
        except (OSError, RuntimeError) as error:
            raise InputError(
                f"The corpus can't be downloaded ({error}). Name a folder that holds it with data_dir or "
                f"{CORPUS_DIR_VARIABLE}, or use source='sample'."
            ) from error
        # The cache calls a download by a hash of its address, so that the name has to travel beside the path.
        files = {mechanism: (name, Path(downloaded[mechanism])) for mechanism, name in names.items()}
        for name, path in files.values():
            _check_sha256(path, name)
        return files

    def _add_rationale_labels(self, examples: Sequence[dict[str, Any]], report: AlignmentReport) -> None:
        # Here and below alone: without a tokenizer, building the corpus does without torch and transformers.
        from ..encoders import load_tokenizer

        mechanisms = self.config.mechanisms
        _, labels, cut = label_responses(
            load_tokenizer(self.config.tokenizer),
            [example["response_post"] for example in examples],
            [[example[mechanism] for mechanism in mechanisms] for example in examples],
            max_length=self.config.max_length,
            unannotated=self.config.unannotated,
        )
        for example, response_labels in zip(examples, labels, strict=True):
            for mechanism, token_labels in zip(mechanisms, response_labels, strict=True):
                example[mechanism]["rationale_labels"] = token_labels
        counts = {mechanism: sum(lost) for mechanism, *lost in zip(mechanisms, *cut, strict=True)}
        report.truncated = {"tokenizer": self.config.tokenizer, "max_length": self.config.max_length, "cut": counts}


def load_epitome(config_name: str = "all", **kwargs: Any) -> datasets.DatasetDict:
    """Builds the corpus, or reads what was built before, and returns its splits.

    Args:
        config_name: `emotional_reactions`, `interpretations`, `explorations` or `all`.
        **kwargs: `data_dir`, `cache_dir` and the attributes of [`EpitomeConfig`].

    Returns:
        `train`, `validation` and `test`; of a small corpus, one of them may have no rows.

    Raises:
        InputError: Where the files can't be read as annotated pairs; names file, row, column and value.
    """
    builder = EpitomeReddit(config_name=config_name, **kwargs)
    builder.download_and_prepare()
    built = builder.as_dataset()
    # Empty splits are left out of what is built, and callers count on all three.
    without_rows = datasets.Dataset.from_dict({name: [] for name in builder.info.features}, info=builder.info.copy())
    return datasets.DatasetDict({split: built.get(split, without_rows) for split in ("train", "validation", "test")})


def _example(pair: JoinedPair) -> dict[str, Any]:
    texts = {column: getattr(pair, column) for column in TEXTS}
    annotations = pair.annotations.items()
    return texts | {
        mechanism: annotation_of(pair.response_post, level, spans) for mechanism, (level, spans) in annotations
    }


def _local_folder(source: str, data_dir: str | os.PathLike[str] | None) -> Path | None:
    """The folder that is read, or None where the published files are downloaded."""
    if source not in SOURCES:
        raise ValueError(f"source={source!r}: use one of {', '.join(SOURCES)}.")
    if source in ("sample", "contrast"):
        return sample_folder() if source == "sample" else contrast_folder()
    folder = data_dir or os.environ.get(CORPUS_DIR_VARIABLE)
    if not folder:
        return None
    if not Path(folder).is_dir():
        named_by = "data_dir" if data_dir else CORPUS_DIR_VARIABLE
        raise InputError(f"{named_by} names {str(folder)!r}, which is not a folder.")
    return Path(folder)


def _file_of(folder: Path, mechanism: str) -> Path:
    paths = sorted(folder.glob(f"{mechanism.replace('_', '[-_]')}*.csv"))
    # Of two files, none is chosen: one may be a copy that somebody edited.
    if len(paths) != 1:
        listed = ", ".join(path.name for path in paths or sorted(folder.glob("*.csv"))) or "no CSV file"
        raise InputError(
            f"{folder}: expected one file {mechanism.replace('_', '-')}-*.csv, found {len(paths)}; there is {listed}."
        )
    return paths[0]


def _check_sha256(path: Path, name: str) -> None:
    digest = sha256_of(path)
    if digest != UPSTREAM_SHA256[name]:
        path.unlink()  # or the next try would find it in the cache
        raise InputError(
            f"{name}: the downloaded file has sha256 {digest}, expected {UPSTREAM_SHA256[name]}; "
            "the download is damaged or the file was changed. Try again."
        )


def _unaligned_message(report: AlignmentReport) -> str:
    listed = "\n".join(
        f"  {place['file']}, row {place['row']} (line {place['line']}), column 'rationales': {place['rationale']!r}"
        for place in report.unaligned
    )
    return f"{len(report.unaligned)} rationales are not in their response (strict=True):\n{listed}"


def _fingerprint(folder: Path | None, tokenizer: str | None) -> str:
    """Changes with the files that are read, with the code that reads them and with a tokenizer's folder."""
    digest = hashlib.sha256()
    # All of the package, although little of it decides what the built data hold: no list of modules has to be kept.
    paths = sorted(Path(__file__).parents[1].rglob("*.py"))
    if folder is not None:
        paths += sorted(folder.glob("*.csv"))
    if tokenizer is not None:
        from ..encoders import resolve_encoder

        # Vocabularies and settings, not the weights that may lie beside them.
        files = Path(resolve_encoder(tokenizer)).glob("*")
        paths += sorted(path for path in files if path.suffix in {".json", ".txt", ".model"})
    for path in paths:
        digest.update((path.name + sha256_of(path)).encode())
    return digest.hexdigest()[:16]
