"""Outputs that appear whole or not at all, and errors that speak of them."""

import errno
import fcntl
import os

import pytest

from modeling_empathy.errors import InputError
from modeling_empathy.files.whole_files import give_usual_mode, whole_file, whole_folder, write_whole


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_appear_whole_or_not_at_all(tmp_path):
    path = write_whole(tmp_path / "deep" / "file.txt", lambda temporary: temporary.write_text("first"))
    assert path.read_text() == "first"

    def half(temporary):
        temporary.write_text("half")
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError, match="disk full"):
        write_whole(path, half)
    assert path.read_text() == "first"
    assert [file.name for file in path.parent.iterdir()] == ["file.txt"]


def test_errors_of_the_disk_speak_of_the_output_and_not_of_its_temporary_name(tmp_path):
    (tmp_path / "taken").mkdir()
    with pytest.raises(OSError) as refused, whole_file(tmp_path / "taken"):
        pass  # a folder stands where the file shall be
    assert refused.value.filename == str(tmp_path / "taken")
    with pytest.raises(OSError) as refused, whole_file(tmp_path / "x.csv"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert refused.value.filename == str(tmp_path / "x.csv")
    with pytest.raises(OSError) as refused, whole_file(tmp_path / "x.csv"):
        raise OSError(errno.ENOENT, "No such file or directory", "another file")
    assert refused.value.filename == "another file"
    assert [path.name for path in tmp_path.iterdir()] == ["taken"]


def test_a_folder_appears_whole_or_not_at_all(tmp_path):
    with pytest.raises(RuntimeError), whole_folder(tmp_path / "out") as folder:
        (folder / "part").write_text("")
        raise RuntimeError
    assert not list(tmp_path.iterdir())
    with whole_folder(tmp_path / "out") as folder:
        (folder / "part").write_text("whole")
    assert (tmp_path / "out" / "part").read_text() == "whole"


def test_runs_that_write_the_same_output_do_not_touch_each_other(tmp_path):
    with whole_file(tmp_path / "x.csv") as first, whole_file(tmp_path / "x.csv") as second:
        first.write_text("first")
        second.write_text("second")
        assert first != second and first.suffix == ".csv" and len(names(tmp_path)) == 2
    # The one that ends last is there, whole.
    assert names(tmp_path) == ["x.csv"] and (tmp_path / "x.csv").read_text() == "first"


@pytest.mark.parametrize("whole", [whole_file, whole_folder])
def test_what_another_run_takes_for_dead_before_it_is_locked_is_made_again(tmp_path, monkeypatch, whole):
    lock, removed = fcntl.flock, []

    def flock(descriptor, operation):
        if not removed:
            [name] = names(tmp_path)
            (tmp_path / name).rmdir() if whole is whole_folder else (tmp_path / name).unlink()
            removed.append(name)
        lock(descriptor, operation)

    monkeypatch.setattr(fcntl, "flock", flock)
    with whole(tmp_path / "out") as temporary:
        assert temporary.exists() and removed
    assert names(tmp_path) == ["out"]


def test_a_disk_without_locks_is_written_to_and_nothing_on_it_is_taken_for_dead(tmp_path, monkeypatch):
    def flock(descriptor, operation):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    (tmp_path / ".empathy-0123456789abcdef.x.csv").write_text("who knows whose")
    write_whole(tmp_path / "x.csv", lambda path: path.write_text("whole"))
    assert names(tmp_path) == [".empathy-0123456789abcdef.x.csv", "x.csv"]


def test_folders_made_for_a_failed_run_go_if_nothing_else_is_in_them(tmp_path):
    with pytest.raises(RuntimeError), whole_file(tmp_path / "a" / "b" / "c" / "x.csv"):
        (tmp_path / "a" / "somebody's").write_text("")
        raise RuntimeError
    assert names(tmp_path) == ["a"] and names(tmp_path / "a") == ["somebody's"]


def test_errors_of_other_libraries_and_within_a_folder_speak_of_the_output_too(tmp_path):
    # As safetensors and tokenizers say it: in their text alone.
    with pytest.raises(OSError) as refused, whole_folder(tmp_path / "out"):
        raise RuntimeError("Error while serializing: I/O error: No space left on device (os error 28)")
    assert (refused.value.errno, refused.value.filename) == (errno.ENOSPC, str(tmp_path / "out"))
    with pytest.raises(OSError) as refused, whole_folder(tmp_path / "out") as folder:
        (folder / "absent" / "config.json").write_text("")
    assert refused.value.filename == str(tmp_path / "out" / "absent" / "config.json")
    assert names(tmp_path) == []


def test_a_folder_that_can_not_be_replaced_is_refused_before_the_work(tmp_path, monkeypatch):
    (tmp_path / "disk").mkdir()
    monkeypatch.setattr(os.path, "ismount", lambda path: path == tmp_path / "disk")
    with pytest.raises(InputError, match="a disk is mounted"), whole_folder(tmp_path / "disk"):
        pytest.fail("there was work")


def test_modes_are_those_of_new_files_or_of_what_is_replaced(tmp_path):
    umask = os.umask(0o027)
    try:
        with whole_folder(tmp_path / "out") as folder:
            (folder / "model.safetensors").touch(mode=0o600)
        (tmp_path / "private").touch(mode=0o600)
        write_whole(tmp_path / "private", lambda path: path.write_text("still"))
        (tmp_path / "weights").touch(mode=0o600)
        give_usual_mode([tmp_path / "weights"])
    finally:
        os.umask(umask)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.rglob("*")}
    assert modes == {"out": 0o750, "model.safetensors": 0o640, "private": 0o600, "weights": 0o640}
