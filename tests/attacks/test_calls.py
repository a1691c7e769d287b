"""The calls through which a file or a repository could run code: each says that it must not."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[2]
SOURCES = [
    *sorted((ROOT / "modeling_empathy").rglob("*.py")),
    *sorted((ROOT / "dataset_scripts").rglob("*.py")),
    ROOT / "train_hf.py",
    ROOT / "push_to_hub.py",
]

# Of a call that could run code, by its name: the keyword that forbids it, and the only value it may have.
# Where there is none, the call may not be made at all.
FORBIDDING = {
    "torch.load": ("weights_only", True),
    **dict.fromkeys(
        (
            *("eval", "exec", "compile", "pickle.load", "pickle.loads", "joblib.load", "np.load", "numpy.load"),
            *(
                "yaml.load",
                "yaml.unsafe_load",
                "os.system",
                "torch.hub.load",
                "load_dataset",
                "get_class_from_dynamic_module",
            ),
        )
    ),
}
# Methods of transformers' Auto classes that load, of whatever is asked for.
LOADING = ("from_pretrained", "from_config")
# Makes a configuration of a class that transformers ships; takes no repository.
HARMLESS = ("AutoConfig.for_model", "AutoConfig.register", "AutoModel.register")


def calls() -> Iterator[tuple[str, str, dict[str, object]]]:
    """Place, name and keywords of each call; a keyword that is no constant is `...`."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                keywords = {
                    keyword.arg: keyword.value.value if isinstance(keyword.value, ast.Constant) else ...
                    for keyword in node.keywords
                    if keyword.arg is not None
                }
                yield f"{path.relative_to(ROOT)}:{node.lineno}", ast.unparse(node.func), keywords


CALLS = list(calls())


def test_every_loading_call_of_an_auto_class_trusts_no_remote_code():
    loading = [
        (place, name, keywords)
        for place, name, keywords in CALLS
        if name.split(".")[0].startswith("Auto") and name.split(".")[-1] in LOADING
    ]
    assert len(loading) >= 6
    for place, name, keywords in loading:
        assert keywords.get("trust_remote_code") is False, f"{place}: {name} without trust_remote_code=False"


def test_an_auto_class_has_no_other_way_to_load():
    for place, name, _ in CALLS:
        if name.split(".")[0].startswith("Auto") and name not in HARMLESS:
            assert name.split(".")[-1] in LOADING, f"{place}: {name} is not known to be harmless"


@pytest.mark.parametrize("forbidden", FORBIDDING)
def test_what_could_run_code_says_that_it_must_not(forbidden):
    for place, name, keywords in CALLS:
        if name == forbidden:
            assert FORBIDDING[forbidden] is not None, f"{place}: {name}"
            keyword, value = FORBIDDING[forbidden]
            assert keywords.get(keyword) is value, f"{place}: {name} without {keyword}={value}"


def test_shells_are_not_used():
    for place, name, keywords in CALLS:
        if name.startswith("subprocess."):
            assert keywords.get("shell", False) is False, f"{place}: {name}"
