"""The stand-in for the Hub, as the Hub's real clients see it."""

import http.client
import io
import json
import socket
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit

import numpy
import pyarrow
import pyarrow.parquet
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi, constants, snapshot_download
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from safetensors.numpy import save
from tokenizers import Tokenizer, models, pre_tokenizers

from tests.stand_in_hub import StandInHub, environment
from tests.stand_in_repositories import FIRST_FILES, Repository


ID = "user/name"
SMALL = {"config.json": b'{"a": 1}', "folder/café 1.txt": "été".encode(), "empty": b""}
LARGE = {"large.txt": b"text " * 1000, "weights.bin": bytes(range(256))}


@pytest.fixture
def hub() -> Iterator[StandInHub]:
    with StandInHub(lfs_above=1000) as hub:
        yield hub


@pytest.fixture
def api(hub, monkeypatch) -> HfApi:
    """The owner's client in this process, which the other tests keep offline."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_DISABLE_XET", True)
    return HfApi(endpoint=hub.endpoint, token=hub.token)


@pytest.fixture
def waits(monkeypatch) -> list[float]:
    """How long the client meant to wait between its attempts, in place of waiting."""
    waited: list[float] = []
    clock = SimpleNamespace(sleep=waited.append)
    monkeypatch.setattr("huggingface_hub.utils._http.time", clock)
    monkeypatch.setattr("huggingface_hub.file_download.time", clock)
    return waited


def folder_of(folder: Path, files: dict[str, bytes]) -> Path:
    """Writes files to a folder."""
    for path, content in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    return folder


def files_of(folder: str | Path) -> dict[str, bytes]:
    """Reads all files of a folder."""
    found = (path for path in Path(folder).rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def send(url: str, method: str = "GET", body: bytes | None = None, timeout: float = 20, **headers: str) -> Any:
    """One request by hand; the status, the headers and the body of its answer."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.netloc, timeout=timeout)
    try:
        connection.request(method, f"{address.path}?{address.query}", body, headers)
        response = connection.getresponse()
        return response.status, response.headers, response.read()
    finally:
        connection.close()


def state(repository: Repository) -> Any:
    """All that a commit may change."""
    return dict(repository.commits), dict(repository.refs)


def run(script: str, hub: StandInHub, home: Path, token: str | None) -> Any:
    """What a script printed last, as JSON, in a process of its own."""
    process = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script)],
        env=environment(hub, home, token),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout.splitlines()[-1])


# Repositories, commits and downloads


def test_who_one_is(hub, api):
    assert api.whoami()["name"] == "user"
    assert api.whoami()["auth"]["accessToken"]["role"] == "write"
    assert api.whoami(token=hub.read_token)["auth"]["accessToken"]["role"] == "read"
    lab = api.whoami(token=hub.add_user("other", organizations=("lab",)))
    assert (lab["name"], lab["orgs"][0]["name"]) == ("other", "lab")


@pytest.mark.parametrize(("repo_type", "page"), [("model", ID), ("dataset", f"datasets/{ID}")])
def test_a_repository_is_created_once(hub, api, repo_type, page):
    url = api.create_repo(ID, repo_type=repo_type, private=True)
    assert (url, url.repo_id, url.repo_type) == (f"{hub.endpoint}/{page}", ID, repo_type)
    assert hub.repository(ID, repo_type).private
    assert hub.files(ID, repo_type=repo_type) == FIRST_FILES
    assert api.create_repo("name", repo_type=repo_type, exist_ok=True) == url
    with pytest.raises(HfHubHTTPError) as caught:
        api.create_repo(ID, repo_type=repo_type)
    assert caught.value.response.status_code == 409
    assert hub.repository(ID, repo_type).private
    assert not hub.exists(ID, "dataset" if repo_type == "model" else "model")


@pytest.mark.parametrize("repo_type", ["model", "dataset"])
def test_a_folder_arrives_and_comes_back(hub, api, tmp_path, repo_type):
    sent = SMALL | LARGE
    folder = folder_of(tmp_path / "sent", sent)
    api.create_repo(ID, repo_type=repo_type)
    made = api.upload_folder(
        repo_id=ID, repo_type=repo_type, folder_path=folder, commit_message="All", commit_description="of it"
    )
    assert hub.files(ID, repo_type=repo_type) == sent | FIRST_FILES
    newest, first = hub.commits(ID, repo_type=repo_type)
    assert (newest.oid, newest.title, newest.description, newest.author) == (made.oid, "All", "of it", "user")
    assert newest.parent == first.oid
    assert {path for path, file in newest.files.items() if file.lfs} == set(LARGE)
    assert sum(request.method == "PUT" for request in hub.requests) == len(LARGE)
    assert not any(request.authorized for request in hub.requests if request.path.startswith("/lfs/"))

    info = api.repo_info(ID, repo_type=repo_type, files_metadata=True)
    assert info.sha == made.oid
    assert {file.rfilename: file.size for file in info.siblings if file.lfs} == {k: len(v) for k, v in LARGE.items()}
    tree = list(api.list_repo_tree(ID, repo_type=repo_type, recursive=True, expand=True))
    assert [entry.path for entry in tree] == sorted([*sent, *FIRST_FILES, "folder"])
    assert {entry.last_commit.title for entry in tree if entry.path not in FIRST_FILES} == {"All"}
    assert [entry.path for entry in api.list_repo_tree(ID, "folder", repo_type=repo_type)] == ["folder/café 1.txt"]
    found = api.get_paths_info(ID, ["folder", "large.txt", "none"], repo_type=repo_type)
    assert [entry.path for entry in found] == ["folder", "large.txt"]
    assert [commit.title for commit in api.list_repo_commits(ID, repo_type=repo_type)] == ["All", "initial commit"]

    got = snapshot_download(
        ID, repo_type=repo_type, endpoint=hub.endpoint, token=hub.token, cache_dir=tmp_path / "cache"
    )
    assert files_of(got) == sent | FIRST_FILES


def test_only_what_has_changed_is_sent_and_fetched(hub, api, tmp_path):
    folder = folder_of(tmp_path / "sent", SMALL | LARGE)
    cache = {"endpoint": hub.endpoint, "cache_dir": tmp_path / "cache"}
    api.create_repo(ID)
    first = api.upload_folder(repo_id=ID, folder_path=folder)
    snapshot_download(ID, **cache)

    hub.requests.clear()
    assert api.upload_folder(repo_id=ID, folder_path=folder).oid == first.oid
    snapshot_download(ID, **cache)
    snapshot_download(ID, **cache, force_download=False, revision=first.oid)
    assert not [request for request in hub.requests if request.method == "PUT" or "/commit/" in request.path]
    assert not [request for request in hub.requests if request.method == "GET" and "/api/" not in request.path]

    hub.put(ID, {"config.json": b"{}"})
    hub.requests.clear()
    assert files_of(snapshot_download(ID, **cache)) == SMALL | LARGE | FIRST_FILES | {"config.json": b"{}"}
    fetched = [request.path for request in hub.requests if request.method == "GET" and "/api/" not in request.path]
    assert [path.split("/")[-1] for path in fetched] == ["config.json"]


def test_large_listings_come_in_pages(api, hub):
    hub.page_size = 2
    names = [f"{index}.txt" for index in range(7)]
    hub.put(ID, dict.fromkeys(names, b"x"))
    assert api.list_repo_files(ID) == sorted([*names, *FIRST_FILES])
    assert sum("/tree/" in request.path for request in hub.requests) == 4


def test_branches_tags_and_pull_requests(hub, api):
    start = hub.put(ID, {"a": b"1"})
    api.create_branch(ID, branch="v/2")
    api.create_branch(ID, branch="v/2", exist_ok=True)
    with pytest.raises(HfHubHTTPError, match="already exists"):
        api.create_branch(ID, branch="v/2")
    api.create_tag(ID, tag="old", revision=start.oid[:8])
    api.upload_file(repo_id=ID, path_or_fileobj=b"2", path_in_repo="a", revision="v/2")
    proposed = api.upload_file(repo_id=ID, path_or_fileobj=b"3", path_in_repo="a", revision="v/2", create_pr=True)
    assert (proposed.pr_num, proposed.pr_revision) == (1, "refs/pr/1")
    api.upload_file(repo_id=ID, path_or_fileobj=LARGE["large.txt"], path_in_repo="b", revision="refs/pr/1")
    expected = {"main": b"1", "v/2": b"2", "refs/pr/1": b"3", "old": b"1", start.oid: b"1"}
    assert {revision: hub.files(ID, revision)["a"] for revision in expected} == expected
    assert hub.files(ID, "refs/pr/1")["b"] == LARGE["large.txt"]
    assert len(hub.commits(ID, "refs/pr/1")) == 5
    refs = api.list_repo_refs(ID, include_pull_requests=True)
    assert {ref.name: ref.target_commit for ref in refs.branches} == {
        "main": start.oid,
        "v/2": hub.commits(ID, "v/2")[0].oid,
    }
    assert [ref.ref for ref in refs.tags + refs.pull_requests] == ["refs/tags/old", "refs/pr/1"]
    with pytest.raises(RevisionNotFoundError):
        api.model_info(ID, revision="v3")
    with pytest.raises(RevisionNotFoundError):
        api.upload_file(repo_id=ID, path_or_fileobj=b"4", path_in_repo="a", revision="old")


def test_files_and_folders_are_deleted(hub, api):
    hub.put(ID, SMALL | LARGE)
    operations = [
        CommitOperationDelete("folder/"),
        CommitOperationDelete("large.txt"),
        CommitOperationAdd("new", b"n"),
    ]
    api.create_commit(ID, operations, commit_message="Less")
    assert set(hub.files(ID)) == {*FIRST_FILES, "config.json", "empty", "weights.bin", "new"}


def test_the_card_and_the_config_are_read(hub, api):
    card = "---\nlicense: mit\npipeline_tag: text-classification\ntags: [empathy]\n---\nHello\n"
    config = {"model_type": "ours", "auto_map": {"AutoModel": "code.Ours"}, "vocab_size": 3}
    api.create_repo(ID)
    api.create_commit(
        ID,
        [
            CommitOperationAdd("README.md", card.encode()),
            CommitOperationAdd("config.json", json.dumps(config).encode()),
        ],
        commit_message="Card",
    )
    info = api.model_info(ID)
    assert (info.pipeline_tag, info.library_name, info.card_data.license) == (
        "text-classification",
        "transformers",
        "mit",
    )
    assert {"empathy", "custom_code", "license:mit", "ours"} <= set(info.tags)
    assert info.config == {"model_type": "ours", "auto_map": {"AutoModel": "code.Ours"}}
    assert api.model_info(ID, expand=["pipeline_tag"]).siblings is None
    with pytest.raises(ValueError, match="Invalid metadata in README"):
        api.upload_file(repo_id=ID, path_or_fileobj=b"---\na: [\n---\n", path_in_repo="README.md")
    with pytest.warns(UserWarning, match="empty or missing yaml metadata"):
        api.upload_file(repo_id=ID, path_or_fileobj=b"Hello", path_in_repo="README.md")


def test_files_are_served_whole_and_in_parts(hub, api):
    commit = hub.put(ID, SMALL | LARGE)
    url = f"{hub.endpoint}/{ID}/resolve/main"
    status, headers, body = send(f"{url}/config.json")
    assert (status, body) == (200, SMALL["config.json"])
    assert (headers["X-Repo-Commit"], headers["ETag"]) == (commit.oid, f'"{commit.files["config.json"].oid}"')
    status, same, body = send(f"{url}/config.json", "HEAD")
    assert (status, same["ETag"], same["Content-Length"], body) == (200, headers["ETag"], "8", b"")
    status, headers, _ = send(f"{url}/large.txt")
    assert (status, headers["X-Linked-Size"]) == (302, "5000")
    assert headers["X-Linked-Etag"] == f'"{commit.files["large.txt"].sha256}"'
    assert urlsplit(headers["Location"]).netloc != urlsplit(hub.endpoint).netloc
    large = LARGE["large.txt"]
    for wanted, part in (("0-4", large[:5]), ("4990-", large[4990:]), ("-3", large[-3:]), ("4998-9999", large[4998:])):
        status, sent, body = send(headers["Location"], Range=f"bytes={wanted}")
        assert (status, body) == (206, part)
        assert sent["Content-Range"].endswith("/5000")
    assert send(headers["Location"], Range="bytes=5000-")[0] == 416
    assert send(headers["Location"].replace("signature=", "signature=0"))[0] == 403
    status, headers, _ = send(f"{url}/none")
    assert (status, headers["X-Error-Code"], headers["X-Repo-Commit"]) == (404, "EntryNotFound", commit.oid)
    assert send(f"{hub.endpoint}/api/unknown")[0] == 404


def test_what_arrives_in_the_storage_must_be_what_was_announced(hub, api):
    api.create_repo(ID)
    token = {"Authorization": f"Bearer {hub.token}"}
    large = hub.put("user/elsewhere", LARGE).files["large.txt"]
    wanted = {"oid": large.sha256, "size": 5000}
    batch = f"{hub.endpoint}/{ID}.git/info/lfs/objects/batch"
    answer = json.loads(send(batch, "POST", json.dumps({"objects": [wanted]}).encode(), **token)[2])
    actions = answer["objects"][0]["actions"]
    verify = (actions["verify"]["href"], "POST", json.dumps(wanted).encode())
    pointer = {"key": "lfsFile", "value": {"path": "large.txt", **wanted}}
    lines = "\n".join(map(json.dumps, [{"key": "header", "value": {"summary": "Pointer"}}, pointer])).encode()
    commit = (f"{hub.endpoint}/api/models/{ID}/commit/main", "POST", lines)
    for body in (b"", b"x" * 5000, large.content[:-1]):
        assert send(actions["upload"]["href"], "PUT", body)[0] == 400
    assert send(actions["upload"]["href"].replace("/5000?", "/4999?"), "PUT", b"x" * 4999)[0] == 403
    assert send(*verify, **token)[0] == 400
    assert send(*commit, **token)[0] == 400
    assert send(actions["upload"]["href"], "PUT", large.content)[0] == 200
    assert send(*verify, **token)[0] == 200
    assert send(*commit, **token)[0] == 200
    assert hub.files(ID)["large.txt"] == large.content
    again = json.loads(send(batch, "POST", json.dumps({"objects": [wanted]}).encode(), **token)[2])
    assert "actions" not in again["objects"][0]


# Tokens


def test_a_private_repository_does_not_exist_for_others(hub, api):
    hub.put(ID, LARGE, private=True)
    hub.put(ID, LARGE, repo_type="dataset", private=True)
    other = hub.add_user("other")
    for repo_type in ("model", "dataset"):
        for token, status in ((False, 401), (other, 404)):
            with pytest.raises(RepositoryNotFoundError) as caught:
                api.repo_info(ID, repo_type=repo_type, token=token)
            assert caught.value.response.status_code == status
            with pytest.raises(RepositoryNotFoundError):
                api.hf_hub_download(ID, "large.txt", repo_type=repo_type, token=token)
        assert api.repo_info(ID, repo_type=repo_type, token=hub.read_token).private
    with pytest.raises(RepositoryNotFoundError):
        api.upload_file(repo_id=ID, path_or_fileobj=b"1", path_in_repo="a", token=other)


def test_a_wrong_token_is_refused_everywhere(hub, api):
    hub.put(ID, SMALL)
    with pytest.raises(HfHubHTTPError, match="Invalid user token"):
        api.whoami(token="hf_wrong")
    with pytest.raises(HfHubHTTPError, match="Invalid credentials") as caught:
        api.model_info(ID, token="hf_wrong")
    assert caught.value.response.status_code == 401
    assert not isinstance(caught.value, RepositoryNotFoundError)


def test_writing_needs_the_right(hub, api):
    hub.put(ID, SMALL)
    other, before = hub.add_user("other"), state(hub.repository(ID))
    for token in (hub.read_token, other):
        for attempt in (
            lambda token: api.upload_file(repo_id=ID, path_or_fileobj=b"1", path_in_repo="a", token=token),
            lambda token: api.create_branch(ID, branch="b", token=token),
            lambda token: api.create_repo("user/another", token=token),
        ):
            with pytest.raises(HfHubHTTPError) as caught:
                attempt(token)
            assert caught.value.response.status_code == 403
    with pytest.raises(RepositoryNotFoundError):
        api.upload_file(repo_id=ID, path_or_fileobj=b"1", path_in_repo="a", token=False)
    assert state(hub.repository(ID)) == before
    assert not hub.exists("user/another")
    large = LARGE["large.txt"]
    proposed = api.upload_file(repo_id=ID, path_or_fileobj=large, path_in_repo="a", token=other, create_pr=True)
    assert hub.files(ID, proposed.pr_revision)["a"] == large
    assert hub.commits(ID, proposed.pr_revision)[0].author == "other"
    assert hub.files(ID) == SMALL | FIRST_FILES


# What goes wrong


@pytest.mark.parametrize("status", [401, 403, 404, 409, 412, 429, 500])
def test_planned_failures_answer_instead(hub, status):
    hub.put(ID, SMALL)
    url = f"{hub.endpoint}/api/models/{ID}"
    fault = hub.fail(
        "GET", "/api/models", status, times=2, after=1, headers={"Retry-After": "7"}, body={"error": "no"}
    )
    answers = [send(url) for _ in range(5)]
    assert [answer[0] for answer in answers] == [200, status, status, 200, 200]
    assert (answers[1][1]["Retry-After"], json.loads(answers[1][2])) == ("7", {"error": "no"})
    assert (fault.met, len(hub.requests)) == (2, 5)
    hub.fail("*", f"{ID}$|name.$", status, body="plain")
    assert send(url, "POST", b"x" * 100)[::2] == (status, b"plain")


def test_the_client_waits_as_it_is_told_and_tries_again(hub, api, waits):
    api.create_repo(ID)
    hub.fail("POST", "/preupload/", 429, headers={"Retry-After": "3"})
    hub.fail("PUT", "/lfs/", 500, times=2)
    hub.fail("POST", "/verify", reset=True)
    api.upload_file(repo_id=ID, path_or_fileobj=LARGE["large.txt"], path_in_repo="a")
    assert hub.files(ID)["a"] == LARGE["large.txt"]
    assert waits == [4, 1, 2, 1]


def test_an_upload_that_is_cut_off_leaves_nothing(hub, api, waits):
    api.create_repo(ID)
    before = state(hub.repository(ID))
    hub.fail("PUT", "/lfs/", reset=True, times=6)
    with pytest.raises(RuntimeError, match="Error while uploading 'a'"):
        api.upload_file(repo_id=ID, path_or_fileobj=LARGE["large.txt"] * 200, path_in_repo="a")
    assert (state(hub.repository(ID)), hub.repository(ID).objects) == (before, {})
    assert len(waits) == 5


@pytest.mark.parametrize("plan", [{"status": 500}, {"status": 412}, {"status": 429}, {"reset": True}])
def test_a_failed_commit_changes_nothing(hub, api, plan):
    hub.put(ID, SMALL)
    before = state(hub.repository(ID))
    operations = [CommitOperationAdd("a", b"1"), CommitOperationDelete("empty")]
    hub.fail("POST", "/commit/", **plan)
    with pytest.raises(Exception) as caught:
        api.create_commit(ID, operations, commit_message="Change")
    assert getattr(getattr(caught.value, "response", None), "status_code", None) == plan.get("status")
    assert state(hub.repository(ID)) == before
    api.create_commit(ID, [CommitOperationAdd("a", b"1"), CommitOperationDelete("empty")], commit_message="Change")
    assert set(hub.files(ID)) == {*SMALL, *FIRST_FILES, "a"} - {"empty"}


def test_a_refused_commit_changes_nothing(hub, api):
    parent = hub.put(ID, SMALL)
    hub.put(ID, {"theirs": b"1"}, title="Theirs")
    before = state(hub.repository(ID))
    with pytest.raises(EntryNotFoundError):
        operations = [CommitOperationAdd("a", b"1"), CommitOperationDelete("none")]
        api.create_commit(ID, operations, commit_message="Change")
    with pytest.raises(HfHubHTTPError, match="A commit has happened since") as caught:
        api.create_commit(ID, [CommitOperationAdd("a", b"1")], commit_message="Change", parent_commit=parent.oid)
    assert caught.value.response.status_code == 412
    assert state(hub.repository(ID)) == before
    newest, short = hub.commits(ID)[0], hub.commits(ID)[0].oid[:7]
    api.create_commit(ID, [CommitOperationAdd("a", b"1")], commit_message="Change", parent_commit=short)
    assert hub.commits(ID)[0].parent == newest.oid


def test_connections_are_reset(hub):
    hub.put(ID, {"large.txt": b"text " * 100_000})
    api = f"{hub.endpoint}/api/models/{ID}"
    url = send(f"{hub.endpoint}/{ID}/resolve/main/large.txt")[1]["Location"]
    hub.fail("GET", "/lfs/", reset=True)
    hub.fail("POST", "/api/", reset=True)
    with pytest.raises(ConnectionResetError):
        send(url)
    with pytest.raises((ConnectionResetError, BrokenPipeError)):
        send(f"{api}/commit/main", "POST", b"x" * 10_000_000)
    assert len(send(url)[2]) == 500_000
    assert send(api)[0] == 200


def test_answers_are_slow(hub):
    hub.put(ID, SMALL)
    url = f"{hub.endpoint}/{ID}/resolve/main/config.json"
    hub.fail("GET", "/resolve/", delay=60)
    with pytest.raises(TimeoutError):
        send(url, timeout=0.2)
    hub.fail("GET", "/resolve/", delay=0.1, trickle=True)
    hub.fail("GET", "/resolve/", 500, delay=0.01, body="late")
    assert send(url)[::2] == (200, SMALL["config.json"])
    assert send(url)[::2] == (500, b"late")


def test_nobody_answers_after_the_end(api, hub):
    hub.put(ID, SMALL)
    kept = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, timeout=20)
    kept.request("GET", f"/api/models/{ID}")
    assert kept.getresponse().read()
    hub.__exit__()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        kept.request("GET", f"/api/models/{ID}")
        kept.getresponse()
    with pytest.raises(ConnectionRefusedError), socket.socket() as other:
        other.connect(("127.0.0.1", urlsplit(hub.endpoint).port))


# Clients in processes of their own, which find the stand-in by their environment


def parquet(values: list[int]) -> bytes:
    """A parquet file with one column."""
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table({"x": values}), file)
    return file.getvalue()


@pytest.mark.slow
def test_datasets_load_by_id(hub, tmp_path):
    card = """
        configs:
        - config_name: one
          data_files: one/*
        - config_name: two
          data_files:
          - {split: train, path: two/train-*}
          - {split: test, path: two/test-*}
    """
    files = {
        "README.md": f"---{textwrap.dedent(card)}---\n".encode(),
        "one/train-00000-of-00001.parquet": parquet([1, 2]),
        "two/train-00000-of-00001.parquet": parquet([3]),
        "two/test-00000-of-00001.parquet": parquet(list(range(1000))),
    }
    hub.put("user/data", files, repo_type="dataset", private=True)
    script = """
        import json
        from datasets import get_dataset_config_names, load_dataset
        two = load_dataset("user/data", "two")
        streamed = load_dataset("user/data", "one", split="train", streaming=True)
        pushed = two["train"].push_to_hub("user/pushed", "again")
        again = load_dataset("user/pushed", "again", split="train")
        names = get_dataset_config_names("user/data")
        values = [two["train"]["x"][:], [row["x"] for row in streamed], again["x"][:]]
        print(json.dumps([names, len(two["test"]), values]))
    """
    assert run(script, hub, tmp_path, hub.token) == [["one", "two"], 1000, [[3], [1, 2], [3]]]
    assert hub.files("user/pushed", repo_type="dataset")["again/train-00000-of-00001.parquet"][:4] == b"PAR1"


MODEL_CODE = """
import torch
from transformers import Pipeline, PreTrainedConfig, PreTrainedModel
from transformers.modeling_outputs import BaseModelOutput


class OurConfig(PreTrainedConfig):
    model_type = "ours"
    size = 4


class OurModel(PreTrainedModel):
    config_class = OurConfig

    def __init__(self, config):
        super().__init__(config)
        self.layer = torch.nn.Embedding(3, config.size)
        self.post_init()

    def forward(self, input_ids, **_):
        return BaseModelOutput(last_hidden_state=self.layer(input_ids))


class OurPipeline(Pipeline):
    def _sanitize_parameters(self, **_):
        return {}, {}, {}

    def preprocess(self, text):
        return self.tokenizer(text, return_tensors="pt")

    def _forward(self, inputs):
        return self.model(**inputs)

    def postprocess(self, output):
        return output.last_hidden_state.sum().item()
"""


@pytest.mark.slow
def test_models_load_and_are_pushed_by_id(hub, tmp_path):
    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0, "hello": 1, "world": 2}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    config = {
        "model_type": "ours",
        "architectures": ["OurModel"],
        "auto_map": {"AutoConfig": "code_of_ours.OurConfig", "AutoModel": "code_of_ours.OurModel"},
        "custom_pipelines": {"our-task": {"impl": "code_of_ours.OurPipeline", "pt": ["AutoModel"], "tf": []}},
    }
    files = {
        "README.md": b"---\npipeline_tag: our-task\n---\n",
        "code_of_ours.py": MODEL_CODE.encode(),
        "config.json": json.dumps(config).encode(),
        "model.safetensors": save({"layer.weight": numpy.ones((3, 4), dtype="float32")}, metadata={"format": "pt"}),
        "tokenizer.json": tokenizer.to_str().encode(),
        "tokenizer_config.json": b'{"tokenizer_class": "PreTrainedTokenizerFast", "unk_token": "[UNK]"}',
    }
    hub.put("user/model", files, private=True)
    script = """
        import json
        from huggingface_hub import hf_hub_download
        from transformers import AutoModel, AutoTokenizer, pipeline
        model = AutoModel.from_pretrained("user/model", trust_remote_code=True)
        tokenizer = AutoTokenizer.from_pretrained("user/model", trust_remote_code=True)
        score = pipeline(model="user/model", trust_remote_code=True)
        model.push_to_hub("user/pushed")
        tokenizer.push_to_hub("user/pushed", create_pr=True)
        config = json.load(open(hf_hub_download("user/pushed", "config.json")))
        ids = tokenizer("hello world").input_ids
        print(json.dumps([type(model).__name__, ids, score("hello"), config["model_type"]]))
    """
    assert run(script, hub, tmp_path, hub.token) == ["OurModel", [1, 2], 4.0, "ours"]
    assert hub.files("user/pushed")["model.safetensors"] == files["model.safetensors"]
    assert set(hub.files("user/pushed", "refs/pr/1")) - set(hub.files("user/pushed")) >= {"tokenizer.json"}


@pytest.mark.slow
def test_the_environment_is_a_new_users(hub, tmp_path, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_someone")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    hub.put(ID, LARGE)
    script = f"""
        import json
        from huggingface_hub import get_token, snapshot_download
        print(json.dumps([get_token(), snapshot_download("{ID}")]))
    """
    token, folder = run(script, hub, tmp_path, token=None)
    assert token is None
    assert files_of(folder) == LARGE | FIRST_FILES
    assert Path(folder).is_relative_to(tmp_path)
    assert not any(request.authorized for request in hub.requests)
