"""Where annotated pairs come from, known by the bytes of the files they were read from, and what that allows.

A name or a path proves nothing: a folder called "sample" may hold private messages. Files are known by their sha256.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import InputError


if TYPE_CHECKING:
    import datasets


UPSTREAM = "https://github.com/behavioral-data/Empathy-Mental-Health"
UPSTREAM_COMMIT = "0e11f98901527550885dbf253bd2af92dbcec43b"
UPSTREAM_SHA256 = {
    "emotional-reactions-reddit.csv": "225b28ffdc257f8a997d557eb937e78b68235e6203c87c7e2203d00fef8545cc",
    "interpretations-reddit.csv": "2cedbe4252c919d22a6f46685afa16d3192a91e3306c2d4a386be12a30ad3f29",
    "explorations-reddit.csv": "9efa1af8e0537c16894379598f2076cb380ae18aacd9a8d26ebd381f5b7f9645",
}
CITATION = """\
@inproceedings{sharma2020empathy,
  title = {A Computational Approach to Understanding Empathy Expressed in Text-Based Mental Health Support},
  author = {Sharma, Ashish and Miner, Adam S. and Atkins, David C. and Althoff, Tim},
  booktitle = {Proceedings of EMNLP},
  year = {2020}
}
"""

_HEADING = "Read from:"
_LINE = re.compile(r"^  (.+): sha256 ([0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Provenance:
    """What data are, and under which terms.

    Attributes:
        name: `"epitome-reddit"`, the published files; `"synthetic-sample"`, the sample that comes along; both of them
            with or without the behaviour suite beside it, which alone is `"synthetic-contrast"`; `"other"`.
        title: The same in a few words.
        licence: As the Hub calls it: `"other"`, `"apache-2.0"` or `"unknown"`.
        terms: What the licence says of the data and of models trained on them, in a sentence or two.
        is_synthetic: Whether no person wrote the texts in search of support or in answer to somebody who did.
        homepage: Where the data come from.
        licence_name: A short name of a licence that the Hub calls `"other"`.
        licence_link: Where that licence stands.
        model_licence_name: A short name of the licence of models trained on them, where it is another.
        model_licence_link: Where that licence stands.
        files: Name to sha256 of each file that was read; empty where nothing is known of them.
    """

    name: str
    title: str
    licence: str
    terms: str
    is_synthetic: bool = False
    homepage: str | None = None
    licence_name: str | None = None
    licence_link: str | None = None
    model_licence_name: str | None = None
    model_licence_link: str | None = None
    files: dict[str, str] = field(default_factory=dict)

    @property
    def needs_permission(self) -> bool:
        """Whether somebody must say that the texts may be published: all but the synthetic sample are people's."""
        return not self.is_synthetic

    def to_dict(self) -> dict[str, Any]:
        """The attributes, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Provenance:
        """What [`to_dict`] gave: its name and its files count, the terms are today's.

        Raises:
            InputError: If there is no such name.
        """
        # A record is a file that anybody can edit: what it says of licences is not believed.
        known = {provenance.name: provenance for provenance in (_PUBLISHED, _SAMPLE, _CONTRAST, _OTHER)}
        if values.get("name") not in known:
            raise InputError(f"A record of where data come from names {values.get('name')!r}, not {', '.join(known)}.")
        return replace(known[values["name"]], files=dict(values.get("files", {})))


_PUBLISHED = Provenance(
    name="epitome-reddit",
    title="EPITOME, the Reddit part of the published corpus",
    licence="other",
    licence_name="university-of-washington-attribution",
    licence_link=f"{UPSTREAM}/blob/{UPSTREAM_COMMIT}/Althoff%20attribution%20only%20license.docx",
    terms=(
        "Copyright 2019-2020 University of Washington. Developed in the Behavioral Data Science Group. The data come "
        "under an attribution licence; models trained on them under a licence for non-profit academic research that "
        "asks for the citation of Sharma et al. (EMNLP 2020)."
    ),
    homepage=UPSTREAM,
    model_licence_name="university-of-washington-non-profit-academic",
    model_licence_link=f"{UPSTREAM}/blob/{UPSTREAM_COMMIT}/Althoff%20academic%20license.docx",
)
_SAMPLE = Provenance(
    name="synthetic-sample",
    title="a synthetic sample in the format of EPITOME",
    licence="apache-2.0",
    terms="Apache License 2.0. Every text, id and label was written for this sample; none comes from a person's post.",
    is_synthetic=True,
)
_CONTRAST = Provenance(
    name="synthetic-contrast",
    title="a synthetic behaviour suite in the format of EPITOME",
    licence="apache-2.0",
    terms="Apache License 2.0. Every text, id and label was written for this suite; none comes from a person's post.",
    is_synthetic=True,
)
_OTHER = Provenance(
    name="other",
    title="annotated pairs of unknown origin",
    licence="unknown",
    terms="The licence is unknown: ask whoever the data come from before you pass on the texts or a model of them.",
)


def sample_folder() -> Path:
    """The folder of the sample that comes along, wherever its package is installed."""
    return Path(str(importlib.resources.files("dataset_scripts"))) / "sample"


def contrast_folder() -> Path:
    """The folder of the behaviour suite that comes along; see [`~modeling_empathy.corpus.contrast`]."""
    return sample_folder().with_name("contrast")


def provenance_of_files(files: Mapping[str, Path]) -> Provenance:
    """Says what files are, from their bytes.

    Args:
        files: The name that a file goes by, and where it lies.

    Returns:
        The published corpus or what comes along if every file is one of its files, whatever it is called; else
        `"other"`.
    """
    return _provenance_of_sums((name, sha256_of(path)) for name, path in files.items())


def provenance_of_corpus(
    corpus: datasets.DatasetDict | datasets.Dataset | datasets.DatasetInfo | Mapping[str, Any],
) -> Provenance:
    """Says what a data set was read from, as [`record_provenance`] noted it.

    Args:
        corpus: What the builder or [`~modeling_empathy.corpus.annotated_files.read_annotated`] gave, its splits or its
            info. A data set that was made otherwise, or that has such a split, is `"other"`. Of rows that were
            appended to one later nothing is known.
    """
    parts = list(corpus.values()) if isinstance(corpus, Mapping) else [corpus]
    sums_by_part = [_LINE.findall(getattr(part, "info", part).description or "") for part in parts]
    provenance = _provenance_of_sums(pair for sums in sums_by_part for pair in sums)
    # One split of unknown rows may hold anything, whatever the others are.
    return provenance if all(sums_by_part) else replace(_OTHER, files=provenance.files)


def record_provenance(info: datasets.DatasetInfo, files: Mapping[str, Path]) -> None:
    """Notes in a data set's info what it was read from: names and sha256 in its description, licence and homepage.

    `datasets` keeps these through its cache, `map`, `select` and `save_to_disk`.
    """
    provenance = provenance_of_files(files)
    # What was noted before is replaced and not added to: it was of other files.
    about = (info.description or "").partition(f"{_HEADING}\n")[0].strip()
    read = "".join(f"  {name}: sha256 {digest}\n" for name, digest in provenance.files.items())
    info.description = "\n\n".join(part for part in (about, f"{_HEADING}\n{read}") if part)
    info.license = provenance.terms
    info.homepage = provenance.homepage or ""


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _provenance_of_sums(sums: Iterable[tuple[str, str]]) -> Provenance:
    files: dict[str, str] = {}
    for name, digest in sums:
        while files.get(name, digest) != digest:
            name += " (another)"  # files of one name, from several folders
        files[name] = digest
    digests = set(files.values())
    # The suite goes beside the others in training, and changes nothing of their terms.
    contrast = _sha256_in(contrast_folder())
    corpus = digests - contrast
    # At least one file of it: the empty set is a part of every other.
    if corpus and corpus <= set(UPSTREAM_SHA256.values()):
        return replace(_PUBLISHED, files=files)
    if corpus and corpus <= _sha256_in(sample_folder()):
        return replace(_SAMPLE, files=files)
    return replace(_CONTRAST if digests and not corpus else _OTHER, files=files)


@lru_cache  # files of an installed package
def _sha256_in(folder: Path) -> frozenset[str]:
    return frozenset(map(sha256_of, folder.glob("*.csv")))
