"""The rule of the rooms: the package's folders import one way, and what travels with a checkpoint imports no other."""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


ROOT = Path(__file__).parents[1]
PACKAGE = "modeling_empathy"

# A room imports itself and rooms further left. Rooms on one line do not know each other.
ORDER = (
    ("model", "errors", "precision"),
    ("original_names",),
    ("files", "encoders"),
    ("corpus", "checkpoints"),
    ("scoring", "evaluation"),
    ("hub",),
    ("training",),
    ("cli",),
)
# Rooms of one file, beside the folders.
SINGLE_MODULES = ("errors", "precision", "original_names", "encoders")
FLOORS = {room: floor for floor, rooms in enumerate(ORDER) for room in rooms}

# Importer and imported, and why the rule does not hold for them.
EXCEPTIONS = {
    ("model.modeling_empathy", "model.pipeline_empathy"): "never run; by this mention the pipeline travels",
    ("model.pipeline_empathy", "checkpoints.loading"): "by name, where it is installed: it takes packed checkpoints",
}


def imports_of(path: Path) -> Iterator[tuple[str, str]]:
    """What a module of the package imports of it, wherever the import stands: both names without the package's."""
    module = path.relative_to(ROOT / PACKAGE).with_suffix("")
    importer = ".".join(module.parts)
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            base = [PACKAGE, *module.parts][: -node.level] if node.level else []
            imported = ".".join([*base, *([node.module] if node.module else [])])
            names = [imported] if node.module else [f"{imported}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            names = [argument.value for argument in node.args if isinstance(argument, ast.Constant)]
        else:
            continue
        for name in names:
            if name.split(".")[0] == PACKAGE and name not in (PACKAGE, f"{PACKAGE}.__version__"):
                yield importer, name.removeprefix(f"{PACKAGE}.")


def modules() -> list[Path]:
    """The modules in rooms; the face of the package, `__init__`, stands above all of them."""
    return [
        path
        for path in sorted((ROOT / PACKAGE).rglob("*.py"))
        if room_of(path) in FLOORS and (path.parent != ROOT / PACKAGE or path.stem in SINGLE_MODULES)
    ]


def room_of(path: Path) -> str:
    return path.relative_to(ROOT / PACKAGE).with_suffix("").parts[0]


def test_a_room_imports_only_itself_and_rooms_to_its_left():
    found = [pair for path in modules() for pair in imports_of(path)]
    assert found
    for importer, imported in found:
        room, other = importer.split(".")[0], imported.split(".")[0]
        if (importer, imported) in EXCEPTIONS or room == other:
            continue
        assert FLOORS.get(other, len(ORDER)) < FLOORS[room], f"{importer} imports {imported}"


@pytest.mark.parametrize("path", sorted((ROOT / PACKAGE / "model").glob("*.py")), ids=lambda path: path.stem)
def test_what_travels_imports_torch_transformers_and_its_own_room_alone(path):
    allowed = {"torch", "transformers", *sys.stdlib_module_names}
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.level:
            assert node.level == 1 and node.module, ast.unparse(node)
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
            assert {str(name).split(".")[0] for name in names} <= allowed, ast.unparse(node)
