"""Runs a script as someone does who has not installed this package."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
from pathlib import Path


def run_without_package(script: str, folder: Path, **environment: str) -> str:
    """Runs a script in a folder, in a process that can't import `modeling_empathy`; what it printed.

    Args:
        script: Python.
        folder: Where it runs, and below which it keeps its caches.
        **environment: Variables of the process.
    """
    variables = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    variables |= {"HF_HOME": str(folder / "home"), **environment}
    # -S with the packages' folder put back leaves out the .pth file through which an editable installation is found.
    prepared = f"import sys; sys.path.insert(0, {sysconfig.get_paths()['purelib']!r})\n{script}\n"
    prepared += "assert 'modeling_empathy' not in sys.modules, 'the package was used'\n"
    done = subprocess.run(
        [sys.executable, "-S", "-c", prepared], cwd=folder, env=variables, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
