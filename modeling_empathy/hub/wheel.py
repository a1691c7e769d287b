"""The package as a wheel, made of the files that are there: for places to which no package index brings it."""

from __future__ import annotations

import base64
import configparser
import hashlib
import importlib.metadata
from collections.abc import Iterator
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from packaging.requirements import Requirement

from .. import __version__
from ..errors import InputError


NAME = "modeling-empathy"
_STEM = f"{NAME.replace('-', '_')}-{__version__}"
_PACKAGES = ("modeling_empathy", "dataset_scripts")
_DESCRIPTION = "Wheel-Version: 1.0\nGenerator: modeling-empathy\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
# Of the time that files have in an archive, the first: the same files give the same bytes.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


def build_wheel(folder: Path, extra: str) -> Path:
    """Writes the package as a wheel; the same files always give the same bytes.

    Args:
        folder: Where.
        extra: An extra that the wheel must know.

    Returns:
        The wheel.

    Raises:
        InputError: If what is installed says of the package what is not, or no longer, so.
    """
    distribution = _distribution(extra)
    files = dict(sorted(_package_files(distribution)))
    files |= {f"{_STEM}.dist-info/{name}": content for name, content in _about(distribution).items()}
    records = [f"{name},sha256={_digest(content)},{len(content)}" for name, content in files.items()]
    record = f"{_STEM}.dist-info/RECORD"
    files[record] = "\n".join([*records, f"{record},,", ""]).encode()
    path = folder / f"{_STEM}-py3-none-any.whl"
    with ZipFile(path, "w", ZIP_DEFLATED) as archive:
        for name, content in files.items():
            entry = ZipInfo(name, _LONG_AGO)
            entry.compress_type, entry.external_attr = ZIP_DEFLATED, 0o100644 << 16
            archive.writestr(entry, content)
    return path


def requirements(extras: tuple[str, ...]) -> list[str]:
    """What the package needs here, as lines of a requirements.txt.

    Args:
        extras: Which of its extras count.
    """
    lines = []
    for line in importlib.metadata.distribution(NAME).requires or []:
        requirement = Requirement(line)
        marker, requirement.marker = requirement.marker, None
        if marker is None or any(marker.evaluate({"extra": extra}) for extra in extras):
            lines.append(str(requirement))
    return sorted(set(lines))


def _distribution(extra: str) -> importlib.metadata.Distribution:
    try:
        found = importlib.metadata.distribution(NAME)
    except importlib.metadata.PackageNotFoundError:
        raise InputError(f"{NAME} is not installed here, and so it can't be packed: pip install it.") from None
    if found.version != __version__ or extra not in (found.metadata.get_all("Provides-Extra") or []):
        raise InputError(
            f"What is installed as {NAME} {found.version} is older than its files: install it anew (make install)."
        )
    return found


def _package_files(distribution: importlib.metadata.Distribution) -> Iterator[tuple[str, bytes]]:
    """Name in the wheel to content: code, and the data that go with it."""
    root = Path(__file__).parents[2]
    settings = root / "setup.cfg"
    if settings.is_file():
        paths = sorted(_in_repository(root, settings))
    else:
        named = [Path(str(file)) for file in distribution.files or []]
        paths = [root / path for path in named if path.parts[0] in _PACKAGES and path.suffix != ".pyc"]
    for path in paths:
        yield path.relative_to(root).as_posix(), path.read_bytes()


def _in_repository(root: Path, settings: Path) -> Iterator[Path]:
    # A folder of a repository may hold anything; what belongs to the package, its settings say.
    parser = configparser.ConfigParser()
    parser.read(settings, encoding="utf-8")
    for package in _PACKAGES:
        for init in (root / package).rglob("__init__.py"):
            yield from init.parent.glob("*.py")
    for module, patterns in parser["options.package_data"].items():
        for pattern in patterns.split():
            yield from (path for path in root.joinpath(*module.split(".")).glob(pattern) if path.is_file())


def _about(distribution: importlib.metadata.Distribution) -> dict[str, bytes]:
    # An egg-info folder, of an editable installation of old, calls it otherwise.
    metadata = distribution.read_text("METADATA") or distribution.read_text("PKG-INFO") or ""
    texts = {
        "METADATA": metadata,
        "WHEEL": _DESCRIPTION,
        "entry_points.txt": distribution.read_text("entry_points.txt") or "",
        "licenses/LICENSE": distribution.read_text("licenses/LICENSE") or "",
    }
    return {name: text.encode() for name, text in texts.items() if text}


def _digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
