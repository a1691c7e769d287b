"""The page of modeling-empathy as a Space of Hugging Face."""

import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path
from zipfile import ZipFile


# A repository on the Hub, or None for the model that comes with the package.
MODEL = None

if find_spec("modeling_empathy") is None:
    # The build of a private Space has no token to fetch the wheel with: it is taken from beside this file.
    folder = tempfile.mkdtemp()
    for wheel in Path(__file__).parent.glob("modeling_empathy-*.whl"):
        ZipFile(wheel).extractall(folder)
    sys.path.insert(0, folder)

from modeling_empathy.demo.server import serve  # noqa: E402


if __name__ == "__main__":
    serve(MODEL)
