"""What holds of the pages beside their code: links lead somewhere, tables are of the JSON, the README is short."""

import re
from dataclasses import fields
from pathlib import Path

import pytest

from benchmarks.tables import TABLES, rewritten, table
from docs.hooks.command_line import command_line_page, commands
from docs.hooks.site import CARDS, with_links_of_site
from modeling_empathy.cli.app import app
from modeling_empathy.training.arguments import DataArguments, ModelArguments
from tests.command_lines import printed_by
from tests.docs.pages import DOCUMENTS, PAGES, ROOT, anchors, links


# Pages that the site makes itself, or whose anchors it makes.
GENERATED = {ROOT / "docs" / page for page in CARDS.values()}
GENERATED_ANCHORS = ROOT / "docs" / "reference"


@pytest.mark.parametrize("page", DOCUMENTS, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in links(page):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        file = (page.parent / path).resolve() if path else page
        assert file.exists() or file in GENERATED, f"{page}: {target}"
        if anchor and not file.is_relative_to(GENERATED_ANCHORS):
            assert anchor in anchors(file), f"{page}: {target}"


def test_there_are_links_to_check():
    assert sum(len(list(links(page))) for page in DOCUMENTS) > 80


def test_every_page_is_in_the_navigation():
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    named = set(re.findall(r"[\w/-]+\.md$", navigation, re.MULTILINE))
    pages = {str(page.relative_to(ROOT / "docs")) for page in PAGES if page.is_relative_to(ROOT / "docs")}
    assert pages and named - {"README.md", "SECURITY.md"} == pages | set(CARDS.values())


def test_a_reader_sees_what_the_readme_is_about_on_a_screen_and_a_half():
    lines = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert len(lines) <= 80
    assert max(map(len, lines)) <= 130


def test_pictures_have_a_text_and_are_small():
    pictures = [
        (page, text, target)
        for page in DOCUMENTS
        for text, target in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.read_text(encoding="utf-8"))
    ]
    assert pictures
    for page, text, target in pictures:
        assert len(text) > 20, f"{page}: {target}"
        assert (page.parent / target).stat().st_size < 200_000


def test_tables_are_what_the_json_says():
    pages = list(rewritten())
    assert len(pages) >= 4
    for path, text in pages:
        assert path.read_text(encoding="utf-8") == text, f"{path}: run python -m benchmarks.tables"


def test_every_table_that_can_be_made_stands_on_one_page():
    text = "".join(page.read_text(encoding="utf-8") for page in PAGES)
    for name in TABLES:
        assert text.count(f"<!-- table: {name} -->") == 1, name


def test_a_table_has_the_figures_of_its_json():
    assert "| emotional reactions | ours | .800 | .753 | .739 | .622 |" in table("readme")
    assert "| 20000 | 1436 | 135 |" in table("speed memory")


def test_the_reference_has_every_command_and_option():
    page = command_line_page()
    listed = re.findall(r"(?m)^ ?│ ([a-z][\w-]+) ", printed_by(app, "--help")) or list(names_of(app))
    assert len(listed) >= 12
    for command in listed:
        assert f"## empathy {command}" in page
    for words, (_, options) in commands().items():
        section = page.split(f"## empathy {words}\n", 1)[1].split("\n## empathy ", 1)[0]
        assert all(f"`{option.names[0]}`" in section for option in options) and options
        if words != "train":
            plain = re.sub(r"\x1b\[[0-9;]*m", "", printed_by(app, *words.split(), "--help"))
            in_help = set(re.findall(r"(?m)^│ [* ] *(--[a-zA-Z_]\w+)(?=\s)", plain))
            assert in_help <= {name for option in options for name in option.names} | {"--help"}, words


def test_the_reference_has_every_argument_of_training_that_is_ours():
    listed = {name for option in commands()["train"][1] for name in option.names}
    names = [field.name for arguments in (ModelArguments, DataArguments) for field in fields(arguments)]
    assert len(names) > 20 and {f"--{name}" for name in names} <= listed
    assert {"--head_learning_rate", "--recipe", "--no_auto_bf16", "--train_path", "--lr"} <= listed
    assert "--adam_beta1" not in listed


def names_of(command_line) -> list[str]:
    """Its commands, by the names under which they were registered."""
    commands_ = [one.name or one.callback.__name__.replace("_", "-") for one in command_line.registered_commands]
    return [*commands_, *(one.name or one.typer_instance.info.name for one in command_line.registered_groups)]


@pytest.mark.parametrize(
    "page, markdown, expected",
    [
        ("how-to/train.md", "[its card](../../dataset_scripts/sample/README.md)", "[its card](../cards/sample.md)"),
        ("explanation/security.md", "[x](docs/how-to/train.md#a)", "[x](../how-to/train.md#a)"),
        ("how-to/benchmarks.md", "[a script](published_way.py)", "a script (`benchmarks/published_way.py`)"),
        ("index.md", "```\n[x](y.md)\n```", "```\n[x](y.md)\n```"),
        ("index.md", "[paper](https://aclanthology.org/)", "[paper](https://aclanthology.org/)"),
    ],
)
def test_links_out_of_the_site_lead_to_pages_or_name_the_file(page, markdown, expected):
    assert with_links_of_site(markdown, page) == expected


def test_no_page_names_a_path_of_a_machine():
    results = sorted((ROOT / "benchmarks" / "results").glob("*.json"))
    assert len(results) >= 6
    for file in [*DOCUMENTS, *results]:
        assert not re.search(r"(?<![\w.])/(?:home|root|tmp|work|Users)/", Path(file).read_text(encoding="utf-8")), file
