"""The repositories that the stand-in for the Hub stores: files, commits, branches and pull requests, in memory."""

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

import yaml


# What the first commit of a new repository holds, as on the real Hub.
FIRST_FILES = {".gitattributes": b"*.safetensors filter=lfs diff=lfs merge=lfs -text\n"}


class RefusedError(Exception):
    """A request that the Hub refuses, with what its answer says."""

    def __init__(self, status: int, message: str, code: str | None = None, **headers: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.headers = headers


@dataclass(frozen=True)
class StoredFile:
    """A file's bytes, and whether git holds them or only a pointer to them."""

    content: bytes
    lfs: bool = False

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    @property
    def pointer(self) -> bytes:
        """What git holds instead of a large file."""
        version = "version https://git-lfs.github.com/spec/v1"
        return f"{version}\noid sha256:{self.sha256}\nsize {len(self.content)}\n".encode()

    @property
    def oid(self) -> str:
        """The id of git's blob."""
        blob = self.pointer if self.lfs else self.content
        return hashlib.sha1(b"blob %d\0" % len(blob) + blob).hexdigest()

    @property
    def compared_oid(self) -> str:
        """The id by which a client learns that it holds the same file already, also the file's ETag."""
        return self.sha256 if self.lfs else self.oid


@dataclass(frozen=True)
class Commit:
    """One state of a branch; never changed after it was made."""

    oid: str
    parent: str | None
    title: str
    description: str
    author: str
    date: str
    files: Mapping[str, StoredFile]

    def summary(self) -> dict[str, str]:
        """How the Hub speaks of it."""
        return {"id": self.oid, "title": self.title, "message": self.description, "date": self.date}


@dataclass
class Repository:
    """A model's or a dataset's commits, and the refs that point to them."""

    id: str
    type: str
    private: bool
    commits: dict[str, Commit] = field(default_factory=dict)
    # The full name, such as refs/heads/main, to the commit.
    refs: dict[str, str] = field(default_factory=dict)
    # sha256 to the large file that was uploaded, be it in a commit or not.
    objects: dict[str, StoredFile] = field(default_factory=dict)

    def __post_init__(self) -> None:
        files = {path: StoredFile(content) for path, content in FIRST_FILES.items()}
        self._record("refs/heads/main", None, files, "initial commit", "", self.id.split("/")[0])

    @property
    def url_path(self) -> str:
        """Where its page is, below the Hub's address."""
        return self.id if self.type == "model" else f"{self.type}s/{self.id}"

    def at(self, revision: str) -> Commit:
        """The commit that a branch, a tag, a full ref or the start of a commit's id stands for."""
        for ref in (revision, f"refs/heads/{revision}", f"refs/tags/{revision}"):
            if ref in self.refs:
                return self.commits[self.refs[ref]]
        if re.fullmatch(r"[0-9a-f]{7,40}", revision):
            for oid, commit in self.commits.items():
                if oid.startswith(revision):
                    return commit
        raise RefusedError(404, f"Invalid rev id: {revision}", "RevisionNotFound")

    def history(self, revision: str = "main") -> list[Commit]:
        """A revision's commits, newest first."""
        commits = [self.at(revision)]
        while commits[-1].parent:
            commits.append(self.commits[commits[-1].parent])
        return commits

    def last_change(self, path: str, revision: str) -> Commit:
        """The newest commit in which a file, or anything in a folder, is not as in the commit before."""

        def found(commit: Commit) -> dict[str, str]:
            return {name: file.oid for name, file in commit.files.items() if f"{name}/".startswith(f"{path}/")}

        history = self.history(revision)
        for commit, before in pairwise(history):
            if found(commit) != found(before):
                return commit
        return history[-1]

    def commit(self, revision: str, lines: bytes, author: str, as_pull_request: bool) -> tuple[Commit, int | None]:
        """Carries out a commit as its ndjson describes it: as a whole, or not at all.

        Returns:
            The commit, and the number of the pull request that it opened.
        """
        ref = self._branch(revision)
        items = [json.loads(line) for line in lines.split(b"\n") if line]
        header: dict[str, str] = next((item["value"] for item in items if item["key"] == "header"), {})
        if not header.get("summary"):
            raise RefusedError(400, "A commit needs a header with a summary")
        head = self.commits[self.refs[ref]]
        parent = header.get("parentCommit", head.oid)
        # A pull request starts from the commit that it names; a branch must not have moved on from it.
        if as_pull_request:
            head = self.at(parent)
        elif not head.oid.startswith(parent):
            raise RefusedError(412, "A commit has happened since. Please refresh and try again.")
        # On a copy, and checked before anything is recorded: a refusal in the middle changes nothing.
        files = dict(head.files)
        for item in items:
            if item["key"] != "header":
                self._apply(files, item["key"], item["value"])
        read_card(files)
        number = sum(name.startswith("refs/pr/") for name in self.refs) + 1 if as_pull_request else None
        ref = f"refs/pr/{number}" if number else ref
        made = self._record(ref, head.oid, files, header["summary"], header.get("description", ""), author)
        return made, number

    def _branch(self, revision: str) -> str:
        """The full ref that a commit moves: a branch or a pull request, never a tag or a bare commit."""
        ref = revision if revision.startswith("refs/pr/") else f"refs/heads/{revision}"
        if ref not in self.refs:
            raise RefusedError(404, f"Not a branch: {revision}", "RevisionNotFound")
        return ref

    def _apply(self, files: dict[str, StoredFile], key: str, value: dict[str, Any]) -> None:
        path = value["path"]
        if key == "file":
            files[path] = StoredFile(base64.b64decode(value["content"]))
        elif key == "lfsFile":
            # The bytes come before the commit; a pointer to nothing would be a file that nobody can download.
            if value["oid"] not in self.objects:
                raise RefusedError(400, "an LFS pointer pointed to a file that does not exist")
            files[path] = self.objects[value["oid"]]
        elif key in ("deletedFile", "deletedFolder"):
            folder = f"{path.rstrip('/')}/"
            gone = [name for name in files if name == path or (key == "deletedFolder" and name.startswith(folder))]
            if not gone:
                raise RefusedError(404, "A file with this name doesn't exist", "EntryNotFound")
            for name in gone:
                del files[name]
        else:
            raise RefusedError(400, f"Unknown operation: {key}")

    def _record(
        self, ref: str, parent: str | None, files: Mapping[str, StoredFile], title: str, description: str, author: str
    ) -> Commit:
        """Stores a commit and moves a ref to it."""
        date = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        # The number of commits is part of it, so that the same change made twice is two commits.
        hashed = [self.type, self.id, len(self.commits), parent, title, sorted((p, f.oid) for p, f in files.items())]
        oid = hashlib.sha1(json.dumps(hashed).encode()).hexdigest()
        self.commits[oid] = Commit(oid, parent, title, description, author, date, dict(files))
        self.refs[ref] = oid
        return self.commits[oid]

    def write(self, files: Mapping[str, bytes], revision: str, lfs: Mapping[str, bool], title: str) -> Commit:
        """Commits files without a client, as if someone else had pushed them."""
        head = self.at(revision)
        stored = {path: StoredFile(content, lfs[path]) for path, content in files.items()}
        self.objects |= {file.sha256: file for file in stored.values() if file.lfs}
        owner = self.id.split("/")[0]
        return self._record(self._branch(revision), head.oid, {**head.files, **stored}, title, "", owner)

    def info(self, revision: str, blobs: bool, expand: list[str]) -> dict[str, Any]:
        """What the Hub says of a repository at a revision."""
        commit, oldest = self.at(revision), self.history(revision)[-1]
        card = read_card(commit.files)
        file = commit.files.get("config.json")
        config = json.loads(file.content) if file and self.type == "model" else {}
        kept = ("architectures", "auto_map", "model_type", "custom_pipelines")
        info: dict[str, Any] = {
            "author": self.id.split("/")[0],
            "sha": commit.oid,
            "lastModified": commit.date,
            "createdAt": oldest.date,
            "private": self.private,
            "gated": False,
            "disabled": False,
            "downloads": 0,
            "likes": 0,
            "tags": _tags(card, commit.files, config),
            "siblings": [_sibling(path, file, blobs) for path, file in sorted(commit.files.items())],
            "usedStorage": sum(len(file.content) for file in commit.files.values()),
        }
        if card:
            info["cardData"] = card
        if self.type == "model":
            info["config"] = {key: config[key] for key in kept if key in config}
            library = card.get("library_name") or ("transformers" if config else None)
            info |= {"pipeline_tag": card.get("pipeline_tag"), "library_name": library}
            if "model-index" in card:
                info["model-index"] = card["model-index"]
        info = {key: value for key, value in info.items() if value is not None and (not expand or key in expand)}
        return {"_id": hashlib.md5(self.id.encode()).hexdigest()[:24], "id": self.id, **info}

    def entry(self, path: str, revision: str, expand: bool) -> dict[str, Any] | None:
        """What the Hub says of a file or a folder; None where there is neither."""
        files = self.at(revision).files
        if file := files.get(path):
            entry = {"type": "file", "oid": file.oid, "size": len(file.content), "path": path}
            if file.lfs:
                entry["lfs"] = {"oid": file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}
        elif any(name.startswith(f"{path}/") for name in files):
            entry = {"type": "directory", "oid": hashlib.sha1(path.encode()).hexdigest(), "size": 0, "path": path}
        else:
            return None
        if expand:
            entry["lastCommit"] = self.last_change(path, revision).summary()
        return entry

    def paths_below(self, folder: str, revision: str, recursive: bool) -> list[str]:
        """The files and folders in a folder, which is "" for the root."""
        start = f"{folder}/" if folder else ""
        files = [name for name in self.at(revision).files if name.startswith(start)]
        if folder and not files:
            raise RefusedError(404, f"{folder} does not exist on {revision}", "EntryNotFound")
        parts = [name.removeprefix(start).split("/") for name in files]
        depths = range(1, max(map(len, parts), default=0) + 1) if recursive else (1,)
        return sorted({start + "/".join(part[:depth]) for part in parts for depth in depths})


def read_card(files: Mapping[str, StoredFile]) -> dict[str, Any]:
    """The metadata at the start of the README; refused, as a commit of it is, where it is no YAML mapping."""
    readme = files.get("README.md")
    return parse_card(readme.content.decode("utf-8", "replace")) if readme else {}


def parse_card(text: str) -> dict[str, Any]:
    """The metadata between the two `---` at the start of a README's text."""
    matched = re.match(r"---[ \t]*\r?\n(.*?\r?\n)?---[ \t]*(\r?\n|$)", text, re.DOTALL)
    try:
        card = yaml.safe_load(matched[1] or "") if matched else None
    except yaml.YAMLError as error:
        raise RefusedError(400, f"Invalid YAML in README.md: {error}") from error
    if card is not None and not isinstance(card, dict):
        raise RefusedError(400, "The metadata in README.md is not a mapping")
    # YAML makes dates of some strings, and JSON has none.
    return json.loads(json.dumps(card or {}, default=str))


def _sibling(path: str, file: StoredFile, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": path}
    sibling: dict[str, Any] = {"rfilename": path, "size": len(file.content), "blobId": file.oid}
    if file.lfs:
        sibling["lfs"] = {"sha256": file.sha256, "size": len(file.content), "pointerSize": len(file.pointer)}
    return sibling


def _tags(card: dict[str, Any], files: Mapping[str, StoredFile], config: dict[str, Any]) -> list[str]:
    """The card's own tags and those that the Hub derives."""

    def listed(key: str) -> list[str]:
        value = card.get(key) or []
        return list(map(str, value)) if isinstance(value, list) else [str(value)]

    tags = ["transformers", config.get("model_type"), card.get("pipeline_tag")] if config else []
    tags += ["safetensors"] if any(path.endswith(".safetensors") for path in files) else []
    tags += ["custom_code"] if "auto_map" in config else []
    tags += [*listed("tags"), *listed("language"), *(f"license:{value}" for value in listed("license"))]
    return list(dict.fromkeys(filter(None, tags)))
