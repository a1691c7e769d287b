"""A server on this machine that answers the Hub's real clients as the Hub does, from repositories in memory.

Large files come and go through a second address of the same server, as on the real Hub, so that a client's rules for
another host apply: it sends no token there.
"""

import codecs
import hashlib
import json
import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

from tests.hub.stand_in.repositories import Commit, RefusedError, Repository, StoredFile, parse_card
from tests.hub.stand_in.server import Answer, FaultyService, json_answer


# As huggingface_hub asks. A revision's slashes are quoted, except that HfFileSystem leaves refs/pr and refs/convert.
_API = r"/api/(?P<type>models|datasets|spaces)/(?P<id>[^/]+/[^/]+)"
_PAGE = r"/(?:(?P<type>datasets|spaces)/)?(?P<id>[^/]+/[^/]+)"
_REVISION = r"(?P<revision>refs/(?:pr|convert)/[^/]+|[^/]+)"
_ROUTES = [
    (method, re.compile(pattern), name)
    for method, pattern, name in (
        ("GET", "/api/whoami-v2", "_whoami"),
        ("POST", "/api/repos/create", "_create"),
        ("POST", "/api/validate-yaml", "_validate_yaml"),
        ("GET", rf"{_API}(?:/revision/{_REVISION})?", "_info"),
        ("GET", rf"{_API}/refs", "_refs"),
        ("GET", rf"{_API}/commits/{_REVISION}", "_commits"),
        ("GET", rf"{_API}/tree/{_REVISION}(?:/(?P<path>.*))?", "_tree"),
        ("POST", rf"{_API}/paths-info/{_REVISION}", "_paths_info"),
        ("POST", rf"{_API}/preupload/{_REVISION}", "_preupload"),
        ("POST", rf"{_API}/commit/{_REVISION}", "_commit"),
        ("POST", rf"{_API}/branch/(?P<branch>.+)", "_create_branch"),
        ("POST", rf"{_API}/tag/{_REVISION}", "_create_tag"),
        ("GET", rf"{_PAGE}/resolve/{_REVISION}/(?P<path>.+)", "_resolve"),
        ("POST", rf"{_PAGE}\.git/info/lfs/objects/batch", "_lfs_batch"),
        ("POST", rf"{_PAGE}\.git/info/lfs/objects/verify", "_lfs_verify"),
        ("PUT", r"/lfs/(?P<type>\w+)/(?P<id>[^/]+/[^/]+)/(?P<oid>\w+)/(?P<size>\d+)", "_store"),
        ("GET", r"/lfs/(?P<type>\w+)/(?P<id>[^/]+/[^/]+)/(?P<oid>\w+)", "_stored"),
    )
]


@dataclass(frozen=True)
class Account:
    """Whom a token stands for, and whether it may write."""

    user: str
    write: bool
    organizations: tuple[str, ...] = ()

    def owns(self, repo_id: str) -> bool:
        return repo_id.split("/")[0] in (self.user, *self.organizations)


@dataclass
class _Asked:
    """A request that has arrived as a whole."""

    groups: dict[str, str]
    query: dict[str, list[str]]
    body: bytes
    account: Account | None

    def flag(self, name: str) -> bool:
        return self.query.get(name, [""])[0] in ("1", "true", "True")

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def revision(self) -> str:
        return self.groups.get("revision") or "main"


def _refusal(error: RefusedError) -> Answer:
    # A header holds one line of latin-1 at most; the body has the message as it is.
    message = " ".join(str(error).split()).encode("ascii", "replace").decode()
    headers = {"X-Error-Message": message, **({"X-Error-Code": error.code} if error.code else {}), **error.headers}
    return json_answer({"error": str(error)}, error.status, **headers)


def _is_text(sample: bytes) -> bool:
    """Whether the first bytes of a file, which may end within a character, are text."""
    try:
        return "\0" not in codecs.getincrementaldecoder("utf-8")().decode(sample)
    except UnicodeDecodeError:
        return False


class StandInHub(FaultyService):
    """The Hub: start it with `with StandInHub() as hub`.

    Attributes:
        endpoint: Its address, for `HfApi(endpoint=...)` or HF_ENDPOINT.
        user: Whose repositories `token` writes and `read_token` reads.
        requests: Every request so far, those that failed by plan among them, as (method, path, authorized).
    """

    def __init__(self, *, user: str = "user", lfs_above: int = 100_000, page_size: int = 1000) -> None:
        """Binds two free ports.

        Args:
            user: The name of the first user.
            lfs_above: Files of more bytes go through large file storage, and so do smaller ones that are no text.
            page_size: The most entries in one page of a listing.
        """
        super().__init__(ports=2)
        # Another name of the same host, since some clients follow redirects to the host they asked.
        self.endpoint, self._storage = self.addresses[0], self.addresses[1].replace("127.0.0.1", "localhost")
        self.user, self.lfs_above, self.page_size = user, lfs_above, page_size
        self._repositories: dict[tuple[str, str], Repository] = {}
        self._accounts: dict[str, Account] = {}
        self._secret = secrets.token_hex()
        self.token, self.read_token = self.add_user(user), self.add_user(user, write=False)

    def add_user(self, user: str, *, write: bool = True, organizations: tuple[str, ...] = ()) -> str:
        """Makes a token for a user, who exists from then on."""
        token = f"hf_{secrets.token_hex(16)}"
        self._accounts[token] = Account(user, write, organizations)
        return token

    def repository(self, repo_id: str, repo_type: str = "model") -> Repository:
        """A stored repository, to look at `private`, `refs` and more; KeyError where there is none."""
        return self._repositories[repo_type, repo_id]

    def exists(self, repo_id: str, repo_type: str = "model") -> bool:
        """Whether there is such a repository."""
        return (repo_type, repo_id) in self._repositories

    def files(self, repo_id: str, revision: str = "main", repo_type: str = "model") -> dict[str, bytes]:
        """All files at a revision, the `.gitattributes` of the first commit among them."""
        commit = self.repository(repo_id, repo_type).at(revision)
        return {path: file.content for path, file in sorted(commit.files.items())}

    def commits(self, repo_id: str, revision: str = "main", repo_type: str = "model") -> list[Commit]:
        """The commits of a revision, newest first."""
        return self.repository(repo_id, repo_type).history(revision)

    def put(
        self,
        repo_id: str,
        files: Mapping[str, bytes],
        *,
        revision: str = "main",
        repo_type: str = "model",
        private: bool = False,
        title: str = "Add files",
    ) -> Commit:
        """Commits files without a client, as if someone else had; makes the repository where it is missing."""
        with self.lock:
            new = Repository(repo_id, repo_type, private)
            repository = self._repositories.setdefault((repo_type, repo_id), new)
            lfs = {path: self._is_lfs(len(content), content[:512]) for path, content in files.items()}
            return repository.write(files, revision, lfs, title)

    def answer(self, method: str, path: str, headers: Message, body: bytes) -> Answer:
        """Carries out a request, or says why not."""
        url = urlsplit(path)
        with self.lock:
            try:
                scheme, _, token = headers.get("Authorization", "").partition(" ")
                account = self._accounts.get(token)
                if scheme and account is None:
                    raise RefusedError(401, "Invalid credentials in Authorization header")
                for route_method, pattern, name in _ROUTES:
                    if route_method == method.replace("HEAD", "GET") and (matched := pattern.fullmatch(url.path)):
                        groups = {key: unquote(value) for key, value in matched.groupdict().items() if value}
                        asked = _Asked(groups, parse_qs(url.query), body, account)
                        return getattr(self, name)(asked).part(headers.get("Range"))
                raise RefusedError(404, "Sorry, we can't find the page you are looking for.")
            except RefusedError as error:
                return _refusal(error)

    def _find(self, asked: _Asked) -> Repository:
        """The repository of a request, which does not exist for those who may not read it."""
        kind = asked.groups.get("type", "models").removesuffix("s")
        repository = self._repositories.get((kind, asked.groups["id"]))
        if repository and (not repository.private or (asked.account and asked.account.owns(repository.id))):
            return repository
        # The Hub tells nobody whether a repository is missing or private, and asks who is unknown to log in.
        if asked.account is None:
            raise RefusedError(401, "Invalid username or password.", "RepoNotFound")
        raise RefusedError(404, "Repository not found", "RepoNotFound")

    def _find_to_write(self, asked: _Asked, as_pull_request: bool = False) -> tuple[Repository, Account]:
        """The repository of a request that changes it; anyone with a token to write may open a pull request."""
        repository = self._find(asked)
        if asked.account is None:
            raise RefusedError(401, "Invalid username or password.", "RepoNotFound")
        if not asked.account.write or not (as_pull_request or asked.account.owns(repository.id)):
            raise RefusedError(403, f"You don't have the rights to write to {repository.id}")
        return repository, asked.account

    def _whoami(self, asked: _Asked) -> Answer:
        account = asked.account
        if account is None:
            raise RefusedError(401, "Invalid username or password.")
        access = {"displayName": "test", "role": "write" if account.write else "read"}
        organizations = [{"type": "org", "name": name} for name in account.organizations]
        auth = {"type": "access_token", "accessToken": access}
        return json_answer({"type": "user", "name": account.user, "orgs": organizations, "auth": auth})

    def _create(self, asked: _Asked) -> Answer:
        if asked.account is None:
            raise RefusedError(401, "Invalid username or password.")
        wanted = asked.json
        kind = wanted.get("type") or "model"
        namespace = wanted.get("organization") or asked.account.user
        repo_id = f"{namespace}/{wanted['name']}"
        if not asked.account.write or not asked.account.owns(repo_id):
            raise RefusedError(403, f"You don't have the rights to create a {kind} under the namespace {namespace}")
        if kind == "space" and not wanted.get("sdk"):
            raise RefusedError(400, "A Space needs an SDK")
        known = self._repositories.get((kind, repo_id))
        private = wanted.get("visibility") == "private" or bool(wanted.get("private"))
        repository = self._repositories[kind, repo_id] = known or Repository(repo_id, kind, private)
        answer = {"url": f"{self.endpoint}/{repository.url_path}", "name": repo_id, "id": repo_id}
        # The answer has the url as well, by which `create_repo(exist_ok=True)` goes on.
        if known:
            return json_answer({"error": f"You already created this {kind} repo", **answer}, 409)
        return json_answer(answer)

    def _validate_yaml(self, asked: _Asked) -> Answer:
        try:
            card = parse_card(asked.json["content"])
        except RefusedError as error:
            return json_answer({"errors": [{"message": str(error)}], "warnings": []}, 400)
        warnings = [] if card else [{"message": "empty or missing yaml metadata in repo card"}]
        return json_answer({"errors": [], "warnings": warnings})

    def _info(self, asked: _Asked) -> Answer:
        return json_answer(self._find(asked).info(asked.revision, asked.flag("blobs"), asked.query.get("expand", [])))

    def _refs(self, asked: _Asked) -> Answer:
        kinds = {"branches": "heads", "converts": "convert", "tags": "tags", "pullRequests": "pr"}
        refs: dict[str, list[dict[str, str]]] = {kind: [] for kind in kinds}
        for ref, oid in self._find(asked).refs.items():
            for kind, start in kinds.items():
                if ref.startswith(f"refs/{start}/"):
                    refs[kind].append({"name": ref.split("/", 2)[2], "ref": ref, "targetCommit": oid})
        return json_answer(refs)

    def _commits(self, asked: _Asked) -> Answer:
        history = self._find(asked).history(asked.revision)
        return json_answer([{**commit.summary(), "authors": [{"user": commit.author}]} for commit in history])

    def _tree(self, asked: _Asked) -> Answer:
        repository, folder, expand = self._find(asked), asked.groups.get("path", "").strip("/"), asked.flag("expand")
        recursive = asked.flag("recursive")
        paths = repository.paths_below(folder, asked.revision, recursive)
        start = int(asked.query.get("cursor", ["0"])[0])
        # The Hub's cursor is opaque; here it is the number of the first entry of the next page.
        end = start + self.page_size
        entries = [repository.entry(path, asked.revision, expand) for path in paths[start:end]]
        if end >= len(paths):
            return json_answer(entries)
        kind, revision = f"{repository.type}s", quote(asked.revision, safe="")
        page = f"{self.endpoint}/api/{kind}/{repository.id}/tree/{revision}/{quote(folder, safe='')}".rstrip("/")
        query = f"recursive={str(recursive).lower()}&expand={str(expand).lower()}&cursor={end}"
        return json_answer(entries, Link=f'<{page}?{query}>; rel="next"')

    def _paths_info(self, asked: _Asked) -> Answer:
        repository, form = self._find(asked), parse_qs(asked.body.decode())
        expand = form.get("expand") in (["true"], ["True"])
        entries = [repository.entry(path.strip("/"), asked.revision, expand) for path in form.get("paths", [])]
        return json_answer([entry for entry in entries if entry])

    def _is_lfs(self, size: int, sample: bytes) -> bool:
        return size > self.lfs_above or not _is_text(sample)

    def _preupload(self, asked: _Asked) -> Answer:
        files = self._find_to_write(asked, asked.flag("create_pr"))[0].at(asked.revision).files
        modes = []
        for file in asked.json["files"]:
            lfs = self._is_lfs(file["size"], codecs.decode(file["sample"].encode(), "base64"))
            # By this id the client finds that a file is unchanged, and leaves it out of the commit.
            known = {"oid": files[file["path"]].compared_oid} if file["path"] in files else {}
            mode = {"path": file["path"], "uploadMode": "lfs" if lfs else "regular", "shouldIgnore": False}
            modes.append({**mode, **known})
        return json_answer({"files": modes})

    def _commit(self, asked: _Asked) -> Answer:
        as_pull_request = asked.flag("create_pr")
        repository, account = self._find_to_write(asked, as_pull_request)
        commit, number = repository.commit(asked.revision, asked.body, account.user, as_pull_request)
        page = f"{self.endpoint}/{repository.url_path}"
        answer = {"success": True, "commitOid": commit.oid, "commitUrl": f"{page}/commit/{commit.oid}"}
        return json_answer({**answer, **({"pullRequestUrl": f"{page}/discussions/{number}"} if number else {})})

    def _create_ref(self, repository: Repository, ref: str, revision: str) -> Answer:
        if ref in repository.refs:
            raise RefusedError(409, f"Reference already exists: {ref}")
        repository.refs[ref] = repository.at(revision).oid
        return json_answer({})

    def _create_branch(self, asked: _Asked) -> Answer:
        repository = self._find_to_write(asked)[0]
        start = (asked.json if asked.body else {}).get("startingPoint") or "main"
        return self._create_ref(repository, f"refs/heads/{asked.groups['branch']}", start)

    def _create_tag(self, asked: _Asked) -> Answer:
        repository = self._find_to_write(asked)[0]
        return self._create_ref(repository, f"refs/tags/{asked.json['tag']}", asked.revision)

    def _resolve(self, asked: _Asked) -> Answer:
        repository, path = self._find(asked), asked.groups["path"]
        commit = repository.at(asked.revision)
        headers = {"X-Repo-Commit": commit.oid}
        file = commit.files.get(path)
        if file is None:
            raise RefusedError(404, "Entry not found", "EntryNotFound", **headers)
        headers |= {"ETag": f'"{file.oid}"', "Accept-Ranges": "bytes"}
        if not file.lfs:
            return Answer(200, file.content, {"Content-Type": "text/plain; charset=utf-8", **headers})
        # A client reads the file's own id and size here, since what it is led to is another host's.
        headers |= {"X-Linked-Etag": f'"{file.sha256}"', "X-Linked-Size": str(len(file.content))}
        return Answer(302, b"", {"Location": self._signed("GET", repository, file.sha256), **headers})

    def _lfs_batch(self, asked: _Asked) -> Answer:
        wanted = asked.json
        # Clients name no ref where the commit will be a pull request, which others may open too.
        repository, _ = self._find_to_write(asked, as_pull_request="ref" not in wanted)
        verify = {"href": f"{self.endpoint}/{repository.url_path}.git/info/lfs/objects/verify", "header": {}}
        objects = []
        for item in wanted["objects"]:
            oid, size = item["oid"], item["size"]
            upload = {"href": self._signed("PUT", repository, f"{oid}/{size}"), "header": {}}
            # Nothing to do for bytes that are in the storage already.
            actions = {} if oid in repository.objects else {"actions": {"upload": upload, "verify": verify}}
            objects.append({"oid": oid, "size": size, "authenticated": True, **actions})
        return json_answer({"transfer": "basic", "objects": objects})

    def _lfs_verify(self, asked: _Asked) -> Answer:
        repository, wanted = self._find_to_write(asked, as_pull_request=True)[0], asked.json
        stored = repository.objects.get(wanted["oid"])
        if stored is None or len(stored.content) != wanted["size"]:
            raise RefusedError(400, "The object was not uploaded as announced")
        return json_answer({})

    def _signed(self, method: str, repository: Repository, name: str) -> str:
        """An address in the storage that works without a token, for this method only."""
        path = f"/lfs/{repository.type}s/{repository.id}/{name}"
        return f"{self._storage}{path}?signature={self._signature(method, path)}"

    def _signature(self, method: str, path: str) -> str:
        return hashlib.sha256(f"{self._secret} {method} {path}".encode()).hexdigest()

    def _find_signed(self, method: str, asked: _Asked) -> Repository:
        path = "/lfs/" + "/".join(asked.groups[key] for key in ("type", "id", "oid", "size") if key in asked.groups)
        if asked.query.get("signature") != [self._signature(method, path)]:
            raise RefusedError(403, "The signature does not match")
        return self._repositories[asked.groups["type"].removesuffix("s"), asked.groups["id"]]

    def _store(self, asked: _Asked) -> Answer:
        repository, stored = self._find_signed("PUT", asked), StoredFile(asked.body, lfs=True)
        if str(len(asked.body)) != asked.groups["size"] or stored.sha256 != asked.groups["oid"]:
            raise RefusedError(400, "The bytes that arrived have another size or checksum than announced")
        repository.objects[stored.sha256] = stored
        return Answer(200)

    def _stored(self, asked: _Asked) -> Answer:
        stored = self._find_signed("GET", asked).objects[asked.groups["oid"]]
        return Answer(200, stored.content, {"ETag": f'"{stored.sha256}"', "Accept-Ranges": "bytes"})


def environment(hub: StandInHub, home: str | Path, token: str | None = None) -> dict[str, str]:
    """The environment of a process whose libraries take the stand-in for the Hub.

    Args:
        hub: Where they connect to.
        home: The folder of their caches, empty for a client that has never downloaded anything.
        token: Of the user who is logged in; None for nobody.
    """
    # Of who runs the tests: their token, caches and mirrors are not to be used.
    foreign = ("HF_", "HUGGINGFACE_", "HUGGING_FACE_", "TRANSFORMERS_", "XDG_CACHE_HOME")
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(foreign) and not name.lower().endswith("_proxy")
    }
    return {
        **kept,
        "HF_ENDPOINT": hub.endpoint,
        "HF_HOME": str(home),
        "HF_HUB_OFFLINE": "0",
        # Xet's uploads and downloads have a protocol of their own, which the stand-in does not speak.
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
        "HF_HUB_DISABLE_UPDATE_CHECK": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
        **({"HF_TOKEN": token} if token else {}),
    }
