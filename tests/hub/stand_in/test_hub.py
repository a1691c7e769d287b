"""The stand-in for the Hub, as the Hub's real clients see it: repositories, commits, downloads and tokens."""

import json
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, snapshot_download
from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError, RevisionNotFoundError

from tests.hub.stand_in.clients import ID, LARGE, SMALL, files_of, folder_of, send, state
from tests.hub.stand_in.repositories import FIRST_FILES


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
    # The storage is another host, to which a client must not carry its token.
    assert not any(request.authorized for request in hub.requests if request.path.startswith("/lfs/"))

    info = api.repo_info(ID, repo_type=repo_type, files_metadata=True)
    assert info.sha == made.oid
    assert {file.rfilename: file.size for file in info.siblings if file.lfs} == {k: len(v) for k, v in LARGE.items()}
    tree = list(api.list_repo_tree(ID, repo_type=repo_type, recursive=True, expand=True))
    assert [entry.path for entry in tree] == sorted([*sent, *FIRST_FILES, "folder"])
    assert {entry.last_commit.title for entry in tree if entry.path not in FIRST_FILES} == {"All"}
    assert [entry.path for entry in api.list_repo_tree(ID, "folder", repo_type=repo_type)] == ["folder/café 1.txt"]
    entries = api.get_paths_info(ID, ["folder", "large.txt", "none"], repo_type=repo_type)
    assert [entry.path for entry in entries] == ["folder", "large.txt"]
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
    # Eight files, two a page: .gitattributes is among them.
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
    # Nothing, other bytes of the right size, and all but the last.
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
    # As 401 is by itself, since the Hub gives it for a repository that is missing.
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
