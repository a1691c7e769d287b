"""What `empathy prepare` says: the pairs on standard output, what became of the rationales on standard error."""

from modeling_empathy.cli.prepare import prepare
from tests.csv_files import write_csv


ROWS = [
    ("s1", "r1", "I feel low", "I am sorry", 1, "I am sorry|"),
    # Equal but for case, white space and an HTML entity: aligned by folding these away.
    ("s2", "r2", "a", "so  Sad &amp; lost", 2, "so sad & lost|not in it|"),
    ("s3", "r3", "a", "b", 0, ""),
]


def test_it_says_what_became_of_pairs_and_rationales(tmp_path, capsys):
    raw = write_csv(tmp_path / "er.csv", ROWS)
    report = (
        "Aligned 2 of 3 rationales.\n"
        "  er.csv: 3 rows (levels 1 / 1 / 1), 2 of 3 rationales aligned, 1 of them by folding\n"
        "  not aligned: er.csv, row 2 (line 3)\n"
    )
    prepare(raw, tmp_path / "out.csv", encoder="embedded", max_len=32)
    assert capsys.readouterr() == (f"3 pairs with 32 labels each: {tmp_path / 'out.csv'}\n", report)
    prepare(raw, tmp_path / "out.parquet", encoder="embedded", max_len=32)
    written = f"3 pairs with spans and a label for each token: {tmp_path / 'out.parquet'}\n"
    assert capsys.readouterr().out == written


def test_it_lists_three_rationales_and_counts_the_rows_that_contradict_themselves(tmp_path, capsys):
    lost = ("s", "r", "a", "b", 1, "not in it|")
    raw = write_csv(tmp_path / "er.csv", [*[lost] * 5, ("s", "r", "a", "b", 2, ""), ("s", "r", "a", "b", 0, "b")])
    prepare(raw, tmp_path / "out.csv", encoder="embedded", max_len=32)
    assert capsys.readouterr().err == (
        "Aligned 1 of 6 rationales.\n"
        "  er.csv: 7 rows (levels 1 / 5 / 1), 1 of 6 rationales aligned, 0 of them by folding\n"
        "  not aligned: er.csv, row 1 (line 2)\n"
        "  not aligned: er.csv, row 2 (line 3)\n"
        "  not aligned: er.csv, row 3 (line 4)\n"
        "  and 2 more, all listed in the report\n"
        "  1 rows with a level above 0 and no rationale\n"
        "  1 rows with a rationale at level 0\n"
    )
