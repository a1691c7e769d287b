"""The folder of a run: shards, a mark for each that is whole, the plan, and a lock for the process that fills it.

    scores/part-000000.parquet     a shard
    scores/manifest.json           what scored it, for people and for the analysis
    scores/_errors/part-….jsonl    rows that could not be used
    scores/_run/plan.json          what the run is, by which it is gone on with
    scores/_run/done/000000.json   that a shard is whole: its rows and bytes

On a disk a shard is written under a temporary name and moved into place, then marked. Behind a URL of fsspec it is
written beside and sent whole, which is all that object stores know.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO
from weakref import WeakSet

from fsspec.core import url_to_fs

from ..errors import InputError
from ..files.whole_files import clear_dead, fcntl, whole_file
from .plan import Plan


_PLAN, _DONE, _LOCK = "_run/plan.json", "_run/done", "_run/lock"
MANIFEST = "manifest.json"
# Seconds.
_PATIENCE = 5.0


@dataclass(frozen=True)
class ShardSummary:
    """What became of a shard.

    Attributes:
        pairs: Scored pairs.
        truncated: Pairs of which a post was longer than the model reads.
        skipped: Rows that could not be used.
        bytes: Of the shard's file.
    """

    pairs: int
    truncated: int
    skipped: int
    bytes: int


class FolderLock:
    """A hold on a folder, alone or shared."""

    def __init__(self, path: str, descriptor: int | None) -> None:
        self._path, self._descriptor = path, descriptor

    def own(self) -> None:
        """Holds it alone.

        Raises:
            InputError: If another run holds it.
        """
        self._take("LOCK_EX")

    def share(self) -> None:
        """Holds it with the tasks of the same run.

        Raises:
            InputError: If another run holds it.
        """
        self._take("LOCK_SH")

    def _take(self, operation: str) -> None:
        if fcntl is None or self._descriptor is None:
            return
        patient_until = time.monotonic() + _PATIENCE
        while True:
            try:
                fcntl.flock(self._descriptor, getattr(fcntl, operation) | fcntl.LOCK_NB)
            except BlockingIOError:
                # The workers of a run that was killed end a moment after it.
                if time.monotonic() < patient_until:
                    time.sleep(0.1)
                    continue
                raise InputError(
                    f"Another run is writing to {self._path}: wait for its end, or name another output."
                ) from None
            except OSError:
                pass  # a disk that knows no locks
            return


class OutputFolder:
    """A folder of shards, on this machine or behind a URL of fsspec.

    Args:
        path: Where it is; it need not be there yet.

    Attributes:
        path: As it was given, without a slash behind it.
        root: As its file system calls it.
        is_local: Whether that is this machine's.
    """

    def __init__(self, path: str) -> None:
        self.path = path.rstrip("/") or path
        self.is_local = "://" not in path
        self._files, self.root = url_to_fs(self.path)
        # Folders that the lock made, the innermost first.
        self._made: list[Path] = []

    def check_ours(self) -> None:
        """Refuses a folder that is something else than the output of a run.

        Raises:
            InputError: If it has files, and no plan of a run.
        """
        if self._files.isfile(self._at(_PLAN)) or not self._files.exists(self.root):
            return
        # What a run leaves that was ended before it had a plan is none either.
        if not self._files.isdir(self.root) or any(name != "_run" for name in self._names("")):
            raise InputError(
                f"{self.path} is there already and is no output of empathy score: remove it, or name another folder."
            )

    def plan(self) -> Plan | None:
        """The plan of the run that the folder is of; None where there is none.

        Raises:
            InputError: If it can't be read.
        """
        if not self._files.isfile(self._at(_PLAN)):
            return None
        try:
            return Plan.from_json(self._files.cat_file(self._at(_PLAN)).decode("utf-8"))
        except ValueError as error:
            raise InputError(f"{self.path}/{_PLAN} can't be read: {error}. --start_over begins anew.") from None

    def begin(self, plan: Plan) -> None:
        """Writes the plan down."""
        self._write_text(_PLAN, plan.to_json())

    def clear(self) -> None:
        """Removes what a run has made: the plan first, without which the rest is nothing, and nothing else."""
        if self._files.isfile(self._at(_PLAN)):
            self._files.rm_file(self._at(_PLAN))
        for entry in self._names(""):
            if entry in ("_errors", MANIFEST) or entry.startswith(("part-", ".empathy-")):
                self._files.rm(self._at(entry), recursive=True)
        if self._files.exists(self._at(_DONE)):
            self._files.rm(self._at(_DONE), recursive=True)

    def remove(self) -> None:
        """Removes the folder of a run on this machine whose output is somewhere else by now."""
        # Under another name first: a folder that is half gone must not be taken for a run to go on with.
        gone = Path(self.path).with_name(f"{Path(self.path).name}.gone")
        shutil.rmtree(gone, ignore_errors=True)
        os.replace(self.path, gone)
        shutil.rmtree(gone, ignore_errors=True)

    def clear_dead(self) -> None:
        """Removes what processes have left that were ended in the middle of a shard."""
        if self.is_local:
            for name in ("", "_errors", _DONE):
                clear_dead(Path(self._at(name)))

    def remove_if_nothing_is_done(self) -> None:
        """Removes the folder if no shard is whole: a run that failed at once leaves nothing."""
        if self.is_local and not self.done():
            self.clear()
            with suppress(OSError):
                shutil.rmtree(self._at("_run"))
                os.rmdir(self.root)
                for folder in self._made:
                    if folder.exists():
                        folder.rmdir()

    def done(self) -> dict[int, ShardSummary]:
        """Number to summary of the shards that are whole."""
        found = {}
        sizes = self._sizes()
        for name in self._names(_DONE):
            with suppress(ValueError, TypeError):  # a mark that can't be read is none
                number = int(name.removesuffix(".json"))
                summary = ShardSummary(**json.loads(self._files.cat_file(self._at(f"{_DONE}/{name}"))))
                # Who copies or cuts a folder may have lost what is marked.
                if any(sizes.get(f"{part_name(number)}{ending}") == summary.bytes for ending in _ENDINGS):
                    found[number] = summary
        return found

    def part(self, number: int, file_format: str) -> str:
        """Where a shard is."""
        return f"{self.path}/{part_name(number)}.{file_format}"

    @contextmanager
    def new_file(self, name: str) -> Iterator[Path]:
        """A path to write a file of the folder to, which has its place once the block ends without an error."""
        if self.is_local:
            with whole_file(Path(self.path) / name) as temporary:
                yield temporary
            return
        with tempfile.TemporaryDirectory() as folder:
            temporary = Path(folder) / Path(name).name
            yield temporary
            self._files.makedirs(self._at(name).rpartition("/")[0], exist_ok=True)
            self._files.put_file(str(temporary), self._at(name))

    def mark(self, number: int, summary: ShardSummary) -> None:
        """Says that a shard is whole."""
        self._write_text(f"{_DONE}/{number:06d}.json", json.dumps(asdict(summary)))

    def write_manifest(self, manifest: dict[str, Any]) -> None:
        """Writes what readers of the output want to know."""
        self._write_text(MANIFEST, json.dumps(manifest, ensure_ascii=False, indent=2) + "\n")

    @contextmanager
    def locked(self, shared: bool = False) -> Iterator[FolderLock]:
        """Holds the folder for this process, as long as it lives; on a disk that knows locks.

        Args:
            shared: Whether others that ask for a share may hold it too, as the tasks of one run.

        Raises:
            InputError: If another run holds it.
        """
        if not self.is_local or fcntl is None:
            yield FolderLock(self.path, None)
            return
        path = Path(self._at(_LOCK))
        while True:
            self._made = [folder for folder in path.parents if not folder.exists()]
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a") as file:
                _held.add(file)
                lock = FolderLock(self.path, file.fileno())
                lock.share() if shared else lock.own()
                if path.exists():  # or the run that held it has removed the folder, and the lock is on nothing
                    yield lock
                    return

    def _at(self, name: str) -> str:
        return f"{self.root}/{name}".rstrip("/")

    def _names(self, folder: str) -> list[str]:
        if not self._files.isdir(self._at(folder)):
            return []
        return [Path(entry).name for entry in self._files.ls(self._at(folder), detail=False)]

    def _sizes(self) -> dict[str, int]:
        if not self._files.isdir(self.root):
            return {}
        return {Path(entry["name"]).name: entry["size"] for entry in self._files.ls(self.root, detail=True)}

    def _write_text(self, name: str, text: str) -> None:
        with self.new_file(name) as temporary:
            temporary.write_text(text, encoding="utf-8", errors="surrogateescape")


# A process that is forked shares its parent's locks, and would hold them when that is gone.
_held: WeakSet[TextIO] = WeakSet()


def _let_go() -> None:
    for file in list(_held):
        file.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_let_go)


_ENDINGS = (".parquet", ".csv", ".jsonl")


def part_name(number: int) -> str:
    """What a shard is called, without its ending."""
    return f"part-{number:06d}"
