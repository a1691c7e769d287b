"""What pages have in common: what stands in them is escaped, and they say who made them."""

import pytest
from jinja2 import UndefinedError

from modeling_empathy.files.pages import is_page, rendered_page


def test_a_page_is_known_by_its_head_and_nothing_else_is(tmp_path):
    # The smallest page: the frame, in which a template fills the blocks.
    page = rendered_page("modeling_empathy.files", "page.html")
    (tmp_path / "page.html").write_text(page)
    assert is_page(tmp_path / "page.html")
    (tmp_path / "other.html").write_text("<!doctype html><p>modeling-empathy")
    (tmp_path / "bytes.html").write_bytes(b"\xff\xfe\x00")
    assert not any(is_page(tmp_path / name) for name in ("other.html", "bytes.html", "none.html"))
    assert not is_page(tmp_path)


def test_what_a_template_names_and_nobody_gave_is_an_error():
    with pytest.raises(UndefinedError):
        rendered_page("modeling_empathy.evaluation", "run.html")
