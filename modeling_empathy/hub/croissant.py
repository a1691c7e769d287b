"""Describes exported Parquet files in the Croissant format, with mlcroissant, which is an extra."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets

from ..corpus.builder import EpitomeReddit
from ..corpus.provenance import Provenance
from .dataset_files import ExportedSplit


CROISSANT_NAME = "croissant.json"


def write_croissant(
    path: Path, builders: Sequence[EpitomeReddit], splits: Sequence[ExportedSplit], provenance: Provenance
) -> None:
    """Describes the files in the Croissant format: a record set for each, since only a single file has a checksum."""
    import mlcroissant as mlc

    features = {builder.config.name: builder.info.features for builder in builders}
    licence = "https://www.apache.org/licenses/LICENSE-2.0" if provenance.is_synthetic else provenance.licence_link
    metadata = mlc.Metadata(
        name=provenance.name,
        description=builders[0].info.description,
        license=[licence] if licence else None,
        url=provenance.homepage,
        cite_as=builders[0].info.citation,
        version=str(builders[0].info.version),
        distribution=[
            mlc.FileObject(
                id=file.path,
                name=file.path,
                content_url=file.path,
                content_size=f"{file.size} B",
                encoding_formats=["application/x-parquet"],
                sha256=file.sha256,
            )
            for file in splits
        ],
        record_sets=[
            mlc.RecordSet(
                id=f"{file.configuration}/{file.split}",
                name=f"{file.configuration}/{file.split}",
                fields=[
                    _croissant_field(feature, file, [column])
                    for column, feature in features[file.configuration].items()
                ],
            )
            for file in splits
        ],
    )
    path.write_text(json.dumps(metadata.to_json(), indent=2, default=str) + "\n", encoding="utf-8")


def _croissant_field(feature: Any, split: ExportedSplit, names: list[str]) -> Any:
    """A column, or a part of one: `names` leads to it from the column."""
    import mlcroissant as mlc

    types = {"string": mlc.DataType.TEXT, "int32": mlc.DataType.INT32, "int64": mlc.DataType.INT64}
    is_list = isinstance(feature, datasets.List)
    inner = feature.feature if is_list else feature
    arguments: dict[str, Any] = {
        "id": "/".join([split.configuration, split.split, *names]),
        "name": names[-1],
        **({"is_array": True, "array_shape": "-1"} if is_list else {}),
    }
    if isinstance(inner, dict):
        parts = [_croissant_field(part, split, [*names, name]) for name, part in inner.items()]
        return mlc.Field(sub_fields=parts, **arguments)
    source = mlc.Source(
        file_object=split.path,
        extract=mlc.Extract(column=names[0]),
        transforms=[mlc.Transform(json_path=name) for name in names[1:]],
    )
    return mlc.Field(data_types=[types[inner.dtype]], source=source, **arguments)
