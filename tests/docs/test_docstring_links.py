"""References in docstrings as links of the site."""

import pytest


griffe = pytest.importorskip("griffe", reason="the extra docs is not installed")

from docs.hooks.docstring_links import linked  # noqa: E402


@pytest.mark.parametrize(
    "text, expected",
    [
        ("of [`~a.b.score`].", 'of <autoref optional identifier="a.b.score"><code>score</code></autoref>.'),
        ("of [`a.b.score`].", 'of <autoref optional identifier="a.b.score"><code>a.b.score</code></autoref>.'),
        ("as [`score`]", 'as <autoref optional identifier="package.room.score"><code>score</code></autoref>'),
        ("a list [`x`](y.md), `[0, 1]`", "a list [`x`](y.md), `[0, 1]`"),
    ],
)
def test_a_reference_is_a_link_that_may_lead_nowhere(text, expected):
    module = griffe.Module("room", parent=griffe.Module("package"))
    assert linked(text, griffe.Function("read", parent=module)) == expected
