#!/usr/bin/env python
"""How the package is built: its size, its longest chain of imports, and the files that a value passes on its way.

python -m benchmarks.structure

Counts what stands in the checkout that it is run in, so that two commits can be compared: `PYTHONPATH=other python
benchmarks/structure.py other`. A file counts as passed when a function of it is entered; files that are only imported
don't.
"""

from __future__ import annotations

import argparse
import ast
import configparser
import importlib
import io
import runpy
import sys
import tempfile
import threading
import tokenize
from collections.abc import Callable, Collection, Mapping
from contextlib import redirect_stderr, redirect_stdout, suppress
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import networkx


PACKAGES = ("modeling_empathy", "dataset_scripts")
PAIR = "id,seeker_post,response_post\n1,I failed again.,I'm so sorry. What happened?\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root", nargs="?", type=Path, default=Path(__file__).parents[1], help="the checkout")
    parser.add_argument("--no_run", action="store_true", help="count alone: score nothing and train nothing")
    args = parser.parse_args()
    root = args.root.resolve()
    files = {path: path.read_text(encoding="utf-8") for name in PACKAGES for path in (root / name).rglob("*.py")}
    chain, circles = longest_chain(
        {module_of(path, root): imports_of(path, text, root) for path, text in files.items()}
    )
    lines = sum(text.count("\n") for text in files.values())
    comments, code = (sum(counts[index] for counts in map(comment_and_code_lines, files.values())) for index in (0, 1))
    print(f"modules: {len(files)}, lines: {lines}, of code: {code}, of comments: {comments} ({comments / lines:.1%})")
    print(f"circles of imports: {len(circles)}{''.join('; ' + ', '.join(circle) for circle in circles)}")
    print(f"longest chain of imports, {len(chain)} modules: {' > '.join(chain)}")
    if args.no_run:
        return
    for what, run in (("one CSV row to its scores", score), ("one corpus to a trained model", train)):
        passed = sorted(path.relative_to(root).as_posix() for path in entered(partial(run, root), root))
        print(f"files on the way of {what}, {len(passed)}:\n  " + "\n  ".join(passed))


def comment_and_code_lines(text: str) -> tuple[int, int]:
    """Lines that hold nothing but a comment, and lines that hold code: neither docstring, nor comment, nor nothing."""
    docstrings: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            docstrings.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    comments: set[int] = set()
    code: set[int] = set()
    beside = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            comments.add(token.start[0])
        elif token.type not in beside:
            code.update(range(token.start[0], token.end[0] + 1))
    return len(comments - code), len(code - docstrings)


def module_of(path: Path, root: Path) -> str:
    """A file's dotted name."""
    return ".".join(path.relative_to(root).with_suffix("").parts).removesuffix(".__init__")


def imports_of(path: Path, text: str, root: Path) -> set[str]:
    """The modules of the packages that a file imports, wherever in it; one that is imported by name does not count."""
    package = [*path.relative_to(root).parts[:-1]]
    names: set[str] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*base, *([node.module] if node.module else [])])
            names |= {module, *(f"{module}.{alias.name}" for alias in node.names)}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
    return {name for name in names if _file_of(root, name) is not None} - {module_of(path, root)}


def _file_of(root: Path, module: str) -> Path | None:
    if module.split(".")[0] not in PACKAGES:
        return None
    path = root.joinpath(*module.split(".")).with_suffix(".py")
    return path if path.is_file() else None


def longest_chain(imports: Mapping[str, Collection[str]]) -> tuple[list[str], list[list[str]]]:
    """The longest way down along imports, and the circles; a circle counts as one step, by its first module."""
    graph = networkx.DiGraph([(module, imported) for module, modules in imports.items() for imported in modules])
    circles = [sorted(circle) for circle in networkx.strongly_connected_components(graph) if len(circle) > 1]
    steps = networkx.condensation(graph)
    return [min(steps.nodes[step]["members"]) for step in networkx.dag_longest_path(steps)], circles


def entered(run: Callable[[], Any], root: Path) -> set[Path]:
    """The packages' files of which a function was entered, in any thread, while something ran."""
    passed: set[Path] = set()
    folders = tuple(str(root / name) for name in PACKAGES)

    def is_importing(frame: FrameType | None) -> bool:
        """Whether a frame runs because a module of the packages is being imported, as the body of a class does."""
        while frame is not None:
            if frame.f_code.co_name == "<module>" and frame.f_code.co_filename.startswith(folders):
                return True
            frame = frame.f_back
        return False

    def profile(frame: FrameType, event: str, _: Any) -> None:
        path = frame.f_code.co_filename
        if event == "call" and path.startswith(folders) and Path(path) not in passed and not is_importing(frame):
            passed.add(Path(path))

    threading.setprofile(profile)
    sys.setprofile(profile)
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), suppress(SystemExit):
            run()
    finally:
        sys.setprofile(None)
        threading.setprofile(None)
    return passed


def score(root: Path) -> None:
    """`empathy score` of a file with one pair."""
    settings = configparser.ConfigParser()
    settings.read(root / "setup.cfg")
    module, _, function = settings["options.entry_points"]["console_scripts"].partition("=")[2].strip().partition(":")
    with tempfile.TemporaryDirectory() as folder:
        pairs = Path(folder, "pairs.csv")
        pairs.write_text(PAIR, encoding="utf-8")
        sys.argv = ["empathy", "score", "--input_path", str(pairs), "--device", "cpu"]
        getattr(importlib.import_module(module), function)()


def train(root: Path) -> None:
    """`train_hf.py` on the sample, for a few steps."""
    with tempfile.TemporaryDirectory() as folder:
        options = ["--encoder", "embedded", "--source", "sample", "--max_steps", "2", "--output_dir", folder]
        options += ["--data_cache_dir", f"{folder}/data", "--disable_tqdm", "True", "--use_cpu"]
        sys.argv = ["train_hf.py", *options]
        runpy.run_path(str(root / "train_hf.py"), run_name="__main__")


if __name__ == "__main__":
    main()
