"""The page as a Space: what it is made of, what installs it, and one commit."""

import hashlib
import re
import urllib.request
from functools import partial
from pathlib import Path

import pytest
import yaml

from modeling_empathy.cli.push import app
from modeling_empathy.errors import InputError
from modeling_empathy.hub.load_check import check_space_loads
from modeling_empathy.hub.publish import publish_space
from modeling_empathy.hub.space import FILES, stage_space
from modeling_empathy.hub.upload import Target
from tests.command_lines import printed_by, refused_by


pytest.importorskip("gradio", reason="gradio is not here: pip install 'modeling-empathy[demo]'")

ROOT = Path(__file__).parents[2]
ID = "user/empathy-page"

empathy, refused = partial(printed_by, app), partial(refused_by, app)


def test_the_repository_shows_what_is_published():
    assert (ROOT / "space").resolve() == FILES
    card = yaml.safe_load((FILES / "README.md").read_text().split("---")[1])
    constraints = (ROOT / "constraints.txt").read_text()
    assert f"gradio=={card['sdk_version']}\n" in constraints and card["sdk"] == "gradio"
    assert card["license"] == "other" and "non-profit" in card["license_name"] and card["license_link"]


def test_a_private_space_needs_no_address(tmp_path):
    stage_space(tmp_path, ID, is_private=True)
    lines = (tmp_path / "requirements.txt").read_text().splitlines()
    assert any(line.startswith("torch") for line in lines) and not any("://" in line for line in lines)
    # `app.py` takes the wheel from beside it.
    assert "modeling_empathy-*.whl" in (tmp_path / "app.py").read_text() and list(tmp_path.glob("*.whl"))


def test_another_model_is_named_and_its_licence_is_not_ours(tmp_path):
    stage_space(tmp_path, ID, model="me/empathy")
    assert "MODEL = 'me/empathy'\n" in (tmp_path / "app.py").read_text()
    text = (tmp_path / "README.md").read_text()
    card = yaml.safe_load(text.split("---")[1])
    assert card["models"] == ["me/empathy"] and "license" not in card and "its card has the licence" in text
    with pytest.raises(InputError, match="--model"):
        stage_space(tmp_path, ID, model="no name/of/this")


@pytest.mark.slow
@pytest.mark.usefixtures("logged_in")
def test_a_space_arrives_in_one_commit_and_its_requirement_is_there(hub):
    steps: list[str] = []
    address = publish_space(Target(ID), announce=lambda step, publication: steps.append(step))
    assert steps == ["loading", "loaded", "uploading"]
    newest, _first = hub.commits(ID, repo_type="space")
    assert address is not None and address.endswith(newest.oid)
    files = hub.files(ID, repo_type="space")
    assert {"README.md", "app.py", "requirements.txt"} < set(files)
    [line] = files["requirements.txt"].decode().splitlines()
    found = re.fullmatch(r"modeling-empathy\[demo,embedded\] @ (\S+)#sha256=(\w{64})", line)
    assert found is not None
    with urllib.request.urlopen(found[1]) as answer:
        assert hashlib.sha256(answer.read()).hexdigest() == found[2]


@pytest.mark.slow
def test_a_space_whose_page_cannot_be_built_is_refused(tmp_path):
    stage_space(tmp_path, ID)
    (tmp_path / "app.py").write_text("raise SystemExit('no page')")
    with pytest.raises(InputError, match="no page"):
        check_space_loads(tmp_path, None)


@pytest.mark.slow
def test_a_dry_run_lists_and_sends_nothing():
    printed = empathy("space", "--repo_id", ID, "--dry_run")
    assert "its page is built, and gives the same scores" in printed and "requirements.txt" in printed
    assert printed.endswith("Dry run: nothing was sent.\n")
    assert "owner/name" in refused("space", "--repo_id", "page", "--dry_run")
