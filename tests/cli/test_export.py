"""`empathy export-dataset` as its users type it; `empathy export-onnx` is in tests/scoring/test_onnx.py."""

import sys
from functools import partial

from dataset_scripts.epitome import load_epitome
from modeling_empathy import MECHANISMS
from modeling_empathy.cli.app import app
from tests.command_lines import printed_by, refused_by
from tests.csv_files import write_corpus


export, refused = partial(printed_by, app, "export-dataset"), partial(refused_by, app, "export-dataset")


def test_it_says_what_it_wrote_and_how_to_load_it(tmp_path):
    folder = tmp_path / "new" / "exported"
    rows = ", ".join(f"{split} {len(rows)}" for split, rows in load_epitome(source="sample").items())
    title, *lines, files, how_to_load = export(folder, "--source", "sample").splitlines()
    assert title == f"{folder}: a synthetic sample in the format of EPITOME"
    assert lines == [f"  {configuration}: {rows}" for configuration in ("all", *MECHANISMS)]
    assert files.startswith("  README.md, alignment_report.json")
    assert how_to_load == (f'Load it with datasets.load_dataset("{folder}", "explorations"); without a name, "all".')
    assert (folder / "README.md").is_file()
    assert "exists already" in refused(folder, "--source", "sample")


def test_it_says_what_is_missing_and_on_which_terms_it_may_be_passed_on(tmp_path, monkeypatch):
    # None in the place of a module makes its import fail, as where it is not installed.
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    (tmp_path / "csv").mkdir()
    write_corpus(tmp_path / "csv", pairs=1)
    title, *lines, _ = export(tmp_path / "out", "--data_dir", tmp_path / "csv").splitlines()
    pairs = {split: len(rows) for split, rows in load_epitome(data_dir=str(tmp_path / "csv")).items()}
    missing = [split for split, rows in pairs.items() if not rows]
    [split] = pairs.keys() - set(missing)
    assert title.startswith(f"{tmp_path / 'out'}: ")
    assert lines[:-1] == [
        *(f"  {configuration}: {split} 1" for configuration in ("all", *MECHANISMS)),
        f"  without rows and left out: {', '.join(missing)}",
        "  README.md, alignment_report.json",
        "  no croissant.json: pip install 'modeling-empathy[croissant]' for one",
    ]
    assert lines[-1].startswith("  Before you pass it on: ") and "ask whoever the data come from" in lines[-1]
