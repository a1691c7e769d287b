"""Files go once they have been kept for long enough, and not before."""

import os
import time

from modeling_empathy.demo.kept_files import remove_older, removing_old_files


def test_old_files_go_and_new_ones_stay(tmp_path):
    (tmp_path / "uploads").mkdir()
    old, new = tmp_path / "uploads" / "old.csv", tmp_path / "new.csv"
    for path in (old, new):
        path.write_text("what somebody wrote")
    an_hour_ago = time.time() - 3600
    os.utime(old, (an_hour_ago, an_hour_ago))
    remove_older(tmp_path, 600)
    assert not old.exists() and new.exists()


def test_they_go_while_the_page_is_served(tmp_path):
    path = tmp_path / "upload.csv"
    with removing_old_files(tmp_path, 0.05):
        path.write_text("what somebody wrote")
        end = time.monotonic() + 60
        while path.exists() and time.monotonic() < end:
            time.sleep(0.01)
    assert not path.exists()
