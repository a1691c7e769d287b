"""What a run does: which files, in which shards, by which model, how; the same plan gives the same bytes."""

from __future__ import annotations

import json
import os
from bisect import bisect_left
from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, NamedTuple

from .. import __version__
from ..checkpoints.identity import ModelIdentity
from ..errors import RowError
from ..files.input_files import InputFile
from ..files.row import Row
from ..files.rows import count_rows, read_rows
from ..model.encoded_pairs import OWN_STRIDE
from ..scoring.engine import PAIRS_PER_CHUNK
from .input_pairs import InputColumns, read_pairs
from .kept_columns import KeptColumns


# A shard is a minute or two of one core's work at most; of shorter inputs, several workers shall have some each.
_MOST_CHUNKS_OF_A_SHARD = 8
_SHARDS_OF_SHORT_INPUTS = 32


class PlannedFile(NamedTuple):
    """An input file as it was when the run was planned.

    Attributes:
        path: As of [`InputFile`].
        name: Likewise.
        file_format: Likewise.
        size: Bytes.
        sha256: Of its bytes.
        rows: How many it has.
    """

    path: str
    name: str
    file_format: str
    size: int
    sha256: str
    rows: int

    @property
    def file(self) -> InputFile:
        """What is read."""
        return InputFile(self.path, self.name, self.file_format)


class Piece(NamedTuple):
    """Rows of one file.

    Attributes:
        file: Its position among the inputs.
        start: The first row, counted from 0.
        rows: How many.
    """

    file: int
    start: int
    rows: int


@dataclass(frozen=True)
class ScoringOptions:
    """What decides about an output, beside model and inputs.

    Attributes:
        columns: Where the inputs have what is scored.
        rationale_format: `"spans"` or `"mask"`.
        stride: As in [`~modeling_empathy.model.pipeline_empathy.EmpathyPipeline`].
        skip_errors: Whether rows that can't be used are listed and left out.
        file_format: Of the shards.
        shard_rows: Rows of the input in a shard; by the length of the input when left out.
        backend: What computes.
        dtype: What it computes in.
        device: Its kind: `cpu` or `cuda`.
    """

    columns: InputColumns = field(default_factory=InputColumns)
    rationale_format: str = "spans"
    stride: int | str | None = OWN_STRIDE
    skip_errors: bool = False
    file_format: str = "parquet"
    shard_rows: int | None = None
    backend: str = "torch"
    dtype: str = "fp32"
    device: str = "cpu"


@dataclass(frozen=True)
class Plan:
    """A run.

    Attributes:
        files: The inputs, in their order.
        options: What decides about the output.
        models: What scores.
        mechanisms: What is scored.
        kept: Kept column to the kind of its values.
        package_version: Of the package that planned it.
    """

    files: Sequence[PlannedFile]
    options: ScoringOptions
    models: Sequence[ModelIdentity]
    mechanisms: Sequence[str]
    kept: Mapping[str, str]
    package_version: str = __version__

    @property
    def rows(self) -> int:
        """Rows of all inputs."""
        return sum(file.rows for file in self.files)

    @property
    def shard_rows(self) -> int:
        """Rows of the input in a shard."""
        if self.options.shard_rows is not None:
            return self.options.shard_rows
        chunks = self.rows // (_SHARDS_OF_SHORT_INPUTS * PAIRS_PER_CHUNK)
        return PAIRS_PER_CHUNK * min(max(chunks, 1), _MOST_CHUNKS_OF_A_SHARD)

    @property
    def shards(self) -> int:
        """How many there are; one where no file has a row that can be read."""
        return max(1, -(-self.rows // self.shard_rows))

    @cached_property
    def _begins(self) -> list[int]:
        """The first row of each file, counted over all files."""
        return list(accumulate((file.rows for file in self.files), initial=0))[:-1]

    def pieces(self, shard: int) -> list[Piece]:
        """The rows of a shard; an empty file, which may have rows that can't be read, is a piece of no rows."""
        size, last = self.shard_rows, self.shards - 1
        start = shard * size
        end = min(start + size, self.rows)
        pieces = []
        for position in range(max(0, bisect_left(self._begins, start) - 1), len(self.files)):
            begin, rows = self._begins[position], self.files[position].rows
            if begin > end or (begin == end and shard < last):
                break
            first, behind = max(start, begin), min(end, begin + rows)
            if first < behind or (not rows and min(begin // size, last) == shard):
                pieces.append(Piece(position, first - begin, behind - first))
        return pieces

    def left(self, done: Container[int], task: int = 0, tasks: int = 1) -> list[int]:
        """The shards that are not done; of several tasks, one's own: by their numbers, whatever is done meanwhile."""
        return [shard for shard in range(task, self.shards, tasks) if shard not in done]

    def reads_the_same(
        self, bytes_of: Sequence[tuple[str, int, str]], columns: InputColumns, skip_errors: bool
    ) -> bool:
        """Whether files (name, size, sha256), read with these options, have the rows that the plan knows."""
        of_plan = [(file.name, file.size, file.sha256) for file in self.files]
        options = (self.options.columns, self.options.skip_errors)
        return of_plan == list(bytes_of) and options == (columns, skip_errors)

    def differences(self, other: Plan) -> list[str]:
        """In what another plan, of which something is done already, would not give the same output."""
        found = []
        if list(self.models) != list(other.models):
            shown = " and ".join(model.label for model in other.models) or "a model without a name"
            found.append(f"the model is not {shown}")
        if self.package_version != other.package_version:
            found.append(f"the package is not of version {other.package_version}")
        mine, theirs = self._flat_options(), other._flat_options()
        found += [f"{name} is not {theirs[name]!r}" for name in theirs if mine[name] != theirs[name]]
        return found + self._changed_files(other)

    def _flat_options(self) -> dict[str, Any]:
        # As JSON has them, in which the other plan was kept.
        return json.loads(json.dumps(asdict(self.options)))

    def _changed_files(self, other: Plan) -> list[str]:
        mine = {file.name: (file.size, file.sha256) for file in self.files}
        theirs = {file.name: (file.size, file.sha256) for file in other.files}
        if [file.name for file in self.files] == [file.name for file in other.files]:
            return [f"the input {name} has changed" for name in mine if mine[name] != theirs[name]]
        gone, new = theirs.keys() - mine.keys(), mine.keys() - theirs.keys()
        return [f"the input {name} is gone" for name in sorted(gone)[:3]] + [
            f"the input {name} is new" for name in sorted(new)[:3]
        ] or ["the inputs are in another order"]

    def to_json(self) -> str:
        """The plan as a text."""
        data = asdict(self) | {
            "files": [file._asdict() for file in self.files],
            "models": [model._asdict() for model in self.models],
        }
        return json.dumps(data, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Plan:
        """The plan of [`to_json`]'s text.

        Raises:
            ValueError: If the text is none.
        """
        try:
            data = json.loads(text)
            options = data["options"]
            columns = InputColumns(
                {ours: tuple(theirs) for ours, theirs in options["columns"]["sources"].items()},
                tuple(options["columns"]["keep"]),
                options["columns"]["keep_all"],
            )
            return cls(
                files=[PlannedFile(**file) for file in data["files"]],
                options=ScoringOptions(**options | {"columns": columns}),
                models=[
                    ModelIdentity(**model | {"mechanisms": tuple(model["mechanisms"])}) for model in data["models"]
                ],
                mechanisms=data["mechanisms"],
                kept=data["kept"],
                package_version=data["package_version"],
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"no plan of a run ({error!r})") from None


class PlannedInputs(NamedTuple):
    """What the inputs hold.

    Attributes:
        files: The files.
        kept: Kept column to the kind of its values.
        usable: Whether a pair was seen that can be scored, or nobody looked.
        first_error: Of what can't be used, the first; None if all can, as far as anybody looked.
        errors: How many can't be used.
    """

    files: list[PlannedFile]
    kept: dict[str, str]
    usable: bool
    first_error: RowError | None
    errors: int


def plan_inputs(
    files: Sequence[InputFile],
    columns: InputColumns,
    skip_errors: bool,
    known: Plan | None = None,
    on_file: Callable[[], object] = lambda: None,
) -> PlannedInputs:
    """Looks through the inputs: hashes all bytes, and reads the rows of formats that do not say how many there are.

    Args:
        files: The inputs.
        columns: Where they have what is scored.
        skip_errors: Whether a row that can't be used is an error.
        known: A plan of an earlier run; if it is of the same bytes, no row is read again.
        on_file: Called when a file is done.

    Raises:
        InputError: If a file can't be read or lacks a column.
        RowError: Unless `skip_errors`, of the first row that can't be used, in formats whose rows are read.
    """
    bytes_of = [(file.name, file.size(), file.sha256()) for file in files]
    if known is not None and known.reads_the_same(bytes_of, columns, skip_errors):
        # The paths are those of today: the same files may be somewhere else.
        pairs = zip(files, known.files, strict=True)
        planned = [PlannedFile(_from_anywhere(file.path), *earlier[1:]) for file, earlier in pairs]
        return PlannedInputs(planned, dict(known.kept), True, None, 0)
    look = _Look(columns, skip_errors)
    planned = []
    for file, (name, size, sha256) in zip(files, bytes_of, strict=True):
        planned.append(
            PlannedFile(_from_anywhere(file.path), name, file.file_format, size, sha256, look.rows_of(file))
        )
        on_file()
    # What was asked for by name has a column, whether or not a row has a value there.
    kinds = dict.fromkeys(columns.keep, "text") | look.kept.kinds()
    return PlannedInputs(planned, kinds, look.is_usable, look.first_error, look.errors)


def _from_anywhere(path: str) -> str:
    """A path that leads to the same file in a process that is started somewhere else."""
    return path if "://" in path else os.path.abspath(path)


class _Look:
    """What is learned of files that are looked through one after the other."""

    def __init__(self, columns: InputColumns, skip_errors: bool) -> None:
        self._columns, self._skip_errors = columns, skip_errors
        self.kept, self.is_usable = KeptColumns(), False
        self.first_error: RowError | None = None
        self.errors = 0

    def rows_of(self, file: InputFile) -> int:
        """How many rows a file has."""
        needed: Sequence[str] = ()

        def check(header: Sequence[str], name: str) -> Sequence[str]:
            nonlocal needed
            needed = self._columns.needed(header, name)
            return needed

        counted = count_rows(file, check)
        if counted is not None:
            self.kept.see_types(file, [column for column in needed if self._columns.is_kept(column)])
            self.is_usable = self.is_usable or counted > 0
            return counted
        rows = 0

        def counting() -> Iterator[Row]:
            nonlocal rows
            for row in read_rows(file, check, on_error=self._report):
                rows += 1
                yield row

        for pair in read_pairs(counting(), self._columns, self._report):
            self.is_usable = True
            self.kept.see_row(pair.kept)
        return rows

    def _report(self, error: RowError) -> None:
        if not self._skip_errors:
            raise error
        self.errors += 1
        self.first_error = self.first_error or error
