"""Uploads to the stand-in Hub: whatever fails, all of a publication is there afterwards or nothing of it."""

from pathlib import Path

import pytest
from huggingface_hub import constants

from modeling_empathy.errors import InputError
from modeling_empathy.hub.staging import Publication
from modeling_empathy.hub.upload import Target, upload
from tests.hub.stand_in.repositories import FIRST_FILES


ID = "user/name"
FILES = {"README.md": b"---\nlicense: mit\n---\n# A card\n", "config.json": b"{}", "tokenizer.json": b'{"a": 1}'}
WEIGHTS = {"model.safetensors": bytes(range(256)) * 8}
BEFORE = {"README.md": b"# Before\n", "model.safetensors": b"\0before", "notes.txt": b"somebody's"}


pytestmark = pytest.mark.usefixtures("logged_in")


@pytest.fixture
def publication(tmp_path) -> Publication:
    for name, content in (FILES | WEIGHTS).items():
        (tmp_path / name).write_bytes(content)
    return Publication("model", tmp_path)


def test_a_new_repository_holds_all_of_it_in_one_commit(hub, publication):
    address = upload(publication, Target(ID, private=True, commit_message="First"))
    assert hub.files(ID) == FIRST_FILES | FILES | WEIGHTS
    assert [commit.title for commit in hub.commits(ID)] == ["First", hub.commits(ID)[1].title]
    assert hub.repository(ID).private
    assert address.endswith(hub.commits(ID)[0].oid)


def test_what_an_earlier_publication_left_goes_and_what_others_put_there_stays(hub, publication):
    stale = {"model-00001-of-00002.safetensors": b"\0old", "model.safetensors.index.json": b"{}", "vocab.txt": b"a"}
    hub.put(ID, BEFORE | stale)
    upload(publication, Target(ID))
    assert hub.files(ID) == FIRST_FILES | FILES | WEIGHTS | {"notes.txt": BEFORE["notes.txt"]}


def test_a_data_set_keeps_what_is_not_of_an_export(hub, tmp_path):
    hub.put(ID, {"all/train-00000-of-00001.parquet": b"\0", "own/mine.parquet": b"\1"}, repo_type="dataset")
    (tmp_path / "README.md").write_bytes(FILES["README.md"])
    upload(Publication("dataset", tmp_path), Target(ID))
    assert set(hub.files(ID, repo_type="dataset")) == {*FIRST_FILES, "README.md", "own/mine.parquet"}
    assert not hub.exists(ID), "a data set is no model"


def test_a_branch_is_made_and_the_main_one_left_alone(hub, publication):
    hub.put(ID, BEFORE)
    upload(publication, Target(ID, revision="v2"))
    assert hub.files(ID, "v2").items() >= (FILES | WEIGHTS).items()
    assert hub.files(ID) == FIRST_FILES | BEFORE


def test_a_pull_request_changes_nothing_yet_and_may_come_from_anybody(hub, publication, monkeypatch):
    hub.put(ID, BEFORE)
    monkeypatch.setenv("HF_TOKEN", hub.add_user("else"))
    address = upload(publication, Target(ID, create_pr=True))
    assert address.endswith("/discussions/1")
    assert hub.files(ID) == FIRST_FILES | BEFORE
    assert hub.files(ID, "refs/pr/1").items() >= (FILES | WEIGHTS).items()


def test_nothing_new_is_no_commit(hub, publication):
    upload(publication, Target(ID))
    before = hub.commits(ID)
    assert upload(publication, Target(ID)).endswith(before[0].oid)
    assert hub.commits(ID) == before


def test_private_things_do_not_go_to_a_public_repository(hub, publication):
    hub.put(ID, BEFORE)
    with pytest.raises(InputError, match="is public, and --private was asked for"):
        upload(publication, Target(ID, private=True))
    assert hub.files(ID) == FIRST_FILES | BEFORE


FAULTS = {
    # What goes wrong, and what the user is told of it.
    "401 at the login": (("GET", "whoami", 401), "the token is not accepted"),
    "403 at the commit": (("POST", "/commit/", 403), "the token may not do this"),
    "404 at the commit": (("POST", "/commit/", 404), "there is no such repository or revision"),
    "409 at the commit": (("POST", "/commit/", 409), "something else is being done to it"),
    "412 at the commit": (("POST", "/commit/", 412), "changed by somebody else"),
    "429 at the commit": (("POST", "/commit/", 429), "too many requests"),
    "500 at the commit": (("POST", "/commit/", 500), "the Hub has a problem"),
    "500 at every upload": (("PUT", "/lfs/", 500), "the Hub has a problem"),
    "403 at an upload": (("PUT", "/lfs/", 403), "the token may not do this"),
    "a reset at every upload": (("PUT", "/lfs/", None), "can't be reached"),
    "a reset at the commit": (("POST", "/commit/", None), "can't be reached"),
    "a reset at the first question": (("GET", "whoami", None), "can't be reached"),
    "a card that the Hub does not take": (("POST", "validate-yaml", 400), "the Hub answered 400"),
}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("existed", [True, False])
def test_after_a_fault_the_repository_is_as_before(hub, publication, fault, existed):
    (method, path, status), message = FAULTS[fault]
    if existed:
        hub.put(ID, BEFORE)
        before = hub.commits(ID)
    # More often than the client tries.
    planned = hub.fail(method, path, status, times=100, reset=status is None)
    with pytest.raises(InputError) as raised:
        upload(publication, Target(ID))
    error = str(raised.value)
    assert planned.met > 0 and message in error and ID in error
    assert hub.token not in error
    if existed:
        assert hub.commits(ID) == before and hub.files(ID) == FIRST_FILES | BEFORE
        assert error.endswith(("The repository is as it was before.", "Nothing was sent."))
    else:
        # Before the repository was made or after, by where the fault is.
        assert not hub.exists(ID) or hub.files(ID) == FIRST_FILES
        assert error.endswith(("The new repository is empty.", "Nothing was sent."))


@pytest.mark.parametrize("fault", [("POST", "preupload", 429), ("PUT", "/lfs/", 500), ("PUT", "/lfs/", None)])
def test_what_passes_by_itself_is_tried_again(hub, publication, waits, fault):
    method, path, status = fault
    headers = {"Retry-After": "7"} if status == 429 else None
    planned = hub.fail(method, path, status, times=2, reset=status is None, headers=headers)
    upload(publication, Target(ID))
    assert planned.met == 2 and len(waits) >= 2
    assert status != 429 or min(waits) >= 7, "it waits as long as the Hub asks for"
    assert hub.files(ID) == FIRST_FILES | FILES | WEIGHTS


def test_a_slow_answer_is_waited_for(hub, publication):
    planned = hub.fail("POST", "/commit/", delay=1.0)
    upload(publication, Target(ID))
    assert planned.met == 1 and hub.files(ID) == FIRST_FILES | FILES | WEIGHTS


def test_somebody_elses_commit_meanwhile_is_not_lost(hub, publication, monkeypatch):
    hub.put(ID, BEFORE)
    # The files are listed once the head is known and before the commit is sent: the moment to come between.
    original = Publication.files

    def changed_meanwhile(self: Publication) -> dict[str, int]:
        hub.put(ID, {"other.txt": b"meanwhile"})
        return original.fget(self)

    monkeypatch.setattr(Publication, "files", property(changed_meanwhile))
    with pytest.raises(InputError, match=r"changed by somebody else.*There is a new commit, \w+: look"):
        upload(publication, Target(ID))
    assert hub.files(ID) == FIRST_FILES | BEFORE | {"other.txt": b"meanwhile"}


def test_the_token_comes_from_the_environment_or_the_login(hub, publication, monkeypatch, tmp_path):
    monkeypatch.setenv("HF_TOKEN", hub.read_token)
    with pytest.raises(InputError, match="the token may not do this"):
        upload(publication, Target(ID))
    assert not hub.exists(ID)
    monkeypatch.delenv("HF_TOKEN")
    with pytest.raises(InputError, match="There is no token: log in"):
        upload(publication, Target(ID))
    stored = tmp_path / "token"
    stored.write_text(hub.token)
    monkeypatch.setattr(constants, "HF_TOKEN_PATH", str(stored))
    # A folder of its own, or the login's file would be published.
    (tmp_path / "publication").mkdir()
    (tmp_path / "publication" / "config.json").write_bytes(b"{}")
    upload(Publication("model", tmp_path / "publication"), Target(ID))
    assert hub.files(ID) == FIRST_FILES | {"config.json": b"{}"}


def test_offline_is_said(hub, publication, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(InputError, match="HF_HUB_OFFLINE forbids to publish"):
        upload(publication, Target(ID))
    assert not hub.requests


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (Target("name"), "write it as owner/name"),
        (Target("user/na me"), "--repo_id user/na me"),
        (Target(ID, revision="v2", create_pr=True), "leave out --revision"),
    ],
)
def test_targets_that_are_none_are_refused_before_anything_is_asked(hub, publication, target, message):
    with pytest.raises(InputError, match=message):
        upload(publication, target)
    assert not hub.requests


def test_a_folder_beside_the_files_is_not_needed(tmp_path: Path):
    (tmp_path / "onnx").mkdir()
    (tmp_path / "onnx" / "model.onnx").write_bytes(b"12345")
    assert Publication("model", tmp_path).files == {"onnx/model.onnx": 5}
