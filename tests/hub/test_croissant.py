"""The Croissant file of an exported corpus."""

import sys

import pytest

from dataset_scripts.epitome import load_epitome
from modeling_empathy.hub.dataset_export import export_dataset
from tests.hub.exported_corpora import card_of, table


def test_the_croissant_file_is_valid_and_leads_to_the_same_rows(exported):
    mlc = pytest.importorskip("mlcroissant", reason="an extra: pip install 'modeling-empathy[croissant]'")
    described = mlc.Dataset(jsonld=str(exported / "croissant.json"))
    assert not described.metadata.issues.errors
    assert {file.id: file.sha256 for file in described.metadata.distribution} == {
        row["file"]: row["sha256"] for row in table(card_of(exported), "file | rows")
    }
    assert len(described.metadata.record_sets) == 12
    for name in ("all", "explorations"):
        rows = load_epitome(name, source="sample")["validation"]
        records = list(described.records(f"{name}/validation"))
        assert len(records) == len(rows) > 0
        prefix = f"{name}/validation"
        for record, row in zip(records, rows, strict=True):
            assert record[f"{prefix}/response_post"].decode() == row["response_post"]
            place = prefix if name == "explorations" else f"{prefix}/explorations"
            own = row if name == "explorations" else row["explorations"]
            level = record[f"{place}/level"] if name == "explorations" else record[place][f"{place}/level"]
            assert level == own["level"]
            spans = [(one["start"], one["end"], one["text"].encode()) for one in own["rationales"]]
            keys = [f"{place}/rationales/{part}" for part in ("start", "end", "text")]
            assert [tuple(one[key] for key in keys) for one in record[f"{place}/rationales"]] == spans
        assert any(row[f"{place}/rationales"] for row in records)


def test_without_mlcroissant_it_is_said_that_there_is_no_such_file(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "mlcroissant", None)
    summary = export_dataset(tmp_path / "out", source="sample", show_progress=False)
    assert not summary.has_croissant
    assert not (tmp_path / "out" / "croissant.json").exists()
    assert "croissant" not in card_of(tmp_path / "out").content.lower()
