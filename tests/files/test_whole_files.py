"""Outputs that appear whole or not at all, and errors that speak of them."""

import errno

import pytest

from modeling_empathy.files.whole_files import whole_file, whole_folder, write_whole


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
