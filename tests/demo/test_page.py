"""The page in a browser: what a person types, presses, uploads and sees, in light and dark, wide and narrow."""

import csv
from collections.abc import Iterator

import pytest


playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not here: make install")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not here: make install")

SECRET = "zanzibar quokka"
HOSTILE = "<img src=x onerror=\"document.title='run'\"><script>document.title='run'</script> ${1+1} {{1+1}}"

pytestmark = pytest.mark.slow


class Opened:
    """The page, as a person sees it.

    Attributes:
        tab: Of the browser.
    """

    def __init__(self, tab, page) -> None:
        self.tab, self.page = tab, page
        tab.set_default_timeout(120_000)
        tab.goto(page.address)
        tab.wait_for_selector("#result .empathy-mechanism")

    def score(self, seeker_post: str, response_post: str) -> None:
        self.tab.get_by_label("What the seeker wrote").fill(seeker_post)
        self.tab.get_by_label("The response").fill(response_post)
        self.tab.get_by_role("button", name="Score", exact=True).click()

    def upload(self, path) -> None:
        self.tab.get_by_role("tab", name="A file").click()
        self.tab.locator("#upload input[type=file]").set_input_files(path)
        self.tab.wait_for_selector(f"#upload :text('{path.stem}')")
        self.tab.get_by_role("button", name="Score the file").click()

    def message(self) -> str:
        """What a message on the page says, which is then closed."""
        toast = self.tab.locator("[data-testid=toast-body]").first
        toast.wait_for()
        said = toast.inner_text()
        toast.get_by_test_id("toast-close").click()
        return said

    def levels(self) -> list[str]:
        return self.tab.locator("#result .level").all_inner_texts()


@pytest.fixture
def tab(browser, page) -> Iterator[Opened]:
    context = browser.new_context(viewport={"width": 1100, "height": 900})
    yield Opened(context.new_page(), page)
    context.close()


def test_a_pair_is_typed_scored_edited_and_compared(tab):
    tab.score("I failed the exam again.", "Read the chapter once more.")
    tab.tab.wait_for_selector("#result .empathy-response:has-text('Read the chapter')")
    assert tab.levels() == ["no"] * 3
    tab.score("I failed the exam again.", "I'm so sorry. Read the chapter once more. What happened?")
    tab.tab.wait_for_selector("#result .compared")
    first = tab.tab.locator("#result .ER")
    assert "no → strong" in first.inner_text() and first.locator("h3").all_inner_texts() == ["Before", "After"]
    [words] = tab.tab.locator("#result .ER mark").all_inner_texts()
    assert words.startswith("I'm so sorry.")
    assert f"“{words}”" in first.locator(".empathy-words").last.inner_text()
    assert tab.tab.locator("#result .EX mark").all_inner_texts() == ["What happened?"]
    # Another post is another conversation: there is nothing to compare with.
    tab.score("Nobody answers my messages.", "Same here.")
    tab.tab.wait_for_selector("#result .empathy-mechanisms:not(.compared)")


def test_what_the_model_is_unsure_of_it_says(tab):
    tab.tab.get_by_role("button", name="When is the model unsure?").click()
    tab.tab.get_by_role("spinbutton").fill("0.95")
    tab.score("I failed the exam again.", "Hm, maybe. I don't know what to say.")
    tab.tab.wait_for_selector("#result .level.unsure")
    assert "most probable" in tab.tab.locator("#result").inner_text()


def test_an_example_is_a_press_away(tab):
    tab.tab.get_by_role("button", name="Advice alone").click()
    tab.tab.wait_for_selector("#result .empathy-response:has-text('Thirty one')")
    assert tab.tab.get_by_label("The response").input_value().startswith("Get somebody")


@pytest.mark.parametrize(
    ("pair", "message"),
    [(("", "Why?"), "What the seeker wrote is empty"), (("I failed", "a" * 5001), "5,001 characters")],
    ids=["empty", "too long"],
)
def test_a_text_that_cannot_be_used_is_a_message(tab, pair, message):
    tab.score(*pair)
    assert message in tab.message()


def test_a_file_is_scored_and_its_scores_come_back(tab, tmp_path):
    path = tmp_path / "pairs.csv"
    rows = [("1", "I failed", f"I'm so sorry. {SECRET}"), ("2", HOSTILE, f"Why? {HOSTILE}")]
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("id", "seeker_post", "response_post"), *rows])
    tab.upload(path)
    tab.tab.wait_for_selector("#table tbody tr")
    assert tab.tab.locator("#table tbody tr").count() == 2
    assert "I'm so sorry." in tab.tab.locator("#table .ER mark").first.inner_text()
    assert HOSTILE in tab.tab.locator("#table").inner_text() and tab.tab.title() != "run"
    with tab.tab.expect_download() as download:
        tab.tab.get_by_role("button", name="Download the scores").click()
    with open(download.value.path(), newline="") as file:
        scored = list(csv.DictReader(file))
    assert [row["response_post"] for row in scored] == [row[2] for row in rows]
    assert scored[0]["ER_label"] == "2"
    # The upload is gone; the scores, which it takes a moment to fetch, are the one thing that is there.
    holding = [path for path in tab.page.temporary.rglob("*") if path.is_file() and SECRET in path.read_text()]
    assert {path.name for path in holding} == {"pairs.scores.csv"}
    assert SECRET not in tab.page.output.read_text()


def test_a_file_that_cannot_be_used_is_a_message(tab, tmp_path):
    path = tmp_path / "wrong.csv"
    path.write_text(f'"{HOSTILE.replace(chr(34), chr(34) * 2)}",answer\nI failed,Why?\n')
    tab.upload(path)
    said = tab.message()
    assert "the column 'seeker_post', 'response_post' is missing" in said and "onerror" in said
    assert tab.tab.title() != "run"


def test_markup_in_every_field_is_text(tab):
    tab.score(HOSTILE, HOSTILE)
    tab.tab.wait_for_selector("#result .empathy-response:has-text('onerror')")
    assert tab.tab.locator("#result .empathy-response").first.inner_text() == HOSTILE
    tab.score(HOSTILE, f"Why? {HOSTILE}")
    tab.tab.wait_for_selector("#result .compared")
    assert tab.tab.title() != "run" and tab.tab.locator("#result img, #result script").count() == 0


def test_it_works_by_keyboard_alone(tab):
    def until(name: str) -> None:
        for _ in range(30):
            tab.tab.keyboard.press("Tab")
            focused = tab.tab.evaluate(
                "(e => e.labels?.[0]?.innerText || e.ariaLabel || e.innerText)(document.activeElement)"
            )
            if (focused or "").strip().startswith(name):
                return
        raise AssertionError(f"{name} can't be reached")

    until("What the seeker wrote")
    tab.tab.keyboard.press("Control+a")
    tab.tab.keyboard.type("I failed the exam again.")
    until("The response")
    tab.tab.keyboard.press("Control+a")
    tab.tab.keyboard.type("What happened?")
    until("Score")
    outline = "getComputedStyle(document.activeElement).outlineStyle"
    assert tab.tab.evaluate(outline) == "solid"
    tab.tab.keyboard.press("Enter")
    tab.tab.wait_for_selector("#result .EX mark:has-text('What happened?')")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1100])
def test_everybody_can_read_it(browser, page, scheme, width, tmp_path):
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    asked: list[str] = []
    sheet = context.new_page()
    sheet.on("request", lambda request: asked.append(request.url))
    opened = Opened(sheet, page)
    opened.score("I failed the exam again.", "I'm so sorry, that must hurt. What happened?" + "a" * 200)
    sheet.wait_for_selector("#result .empathy-response:has-text('aaaa')")
    check(sheet, width)
    opened.score("I failed the exam again.", "Why?")
    sheet.wait_for_selector("#result .compared")
    check(sheet, width)
    path = tmp_path / "pairs.csv"
    path.write_text(f"seeker_post,response_post\nI failed,I'm sorry{'a' * 200}\n")
    opened.upload(path)
    sheet.wait_for_selector("#table tbody tr")
    check(sheet, width)
    # Nobody else learns who is here.
    assert asked and all(address.startswith((page.address, "data:", "blob:")) for address in asked)
    context.close()


def check(sheet, width: int) -> None:
    """Fails where the page is wider than the screen, or has what an accessibility check calls serious."""
    assert sheet.evaluate("document.documentElement.scrollWidth") <= width
    # Colours fade in.
    sheet.wait_for_timeout(500)
    found = axe.Axe().run(sheet).response["violations"]
    serious = [(one["id"], one["nodes"][0]["html"]) for one in found if one["impact"] in ("serious", "critical")]
    assert not serious
