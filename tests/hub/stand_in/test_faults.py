"""What goes wrong at the stand-in for the Hub goes wrong as it was planned, and changes nothing."""

import http.client
import json
import socket
from urllib.parse import urlsplit

import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete
from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError

from tests.hub.stand_in.clients import ID, LARGE, SMALL, send, state
from tests.hub.stand_in.repositories import FIRST_FILES


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
    # The Hub's 3 seconds and one that the client adds, then its own delays, which double and start anew.
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
    # By where in the sending it notices.
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
    # A connection that is kept alive must not outlive the service either.
    kept = http.client.HTTPConnection(urlsplit(hub.endpoint).netloc, timeout=20)
    kept.request("GET", f"/api/models/{ID}")
    assert kept.getresponse().read()
    hub.__exit__()
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        kept.request("GET", f"/api/models/{ID}")
        kept.getresponse()
    with pytest.raises(ConnectionRefusedError), socket.socket() as late:
        late.connect(("127.0.0.1", urlsplit(hub.endpoint).port))
