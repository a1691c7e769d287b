"""The page as a Space: this package as a wheel, what installs and runs it, and the card."""

from __future__ import annotations

import hashlib
from pathlib import Path

from huggingface_hub import SpaceCard, constants

from ..errors import check_installed
from .cards import CARD, check_repo_id
from .staging import Publication
from .wheel import NAME, build_wheel, requirements


# As they stand in the package, and at the top of the repository as `space/`.
FILES = Path(__file__).parents[1] / "demo" / "space"
_EXTRAS = ("demo", "embedded")
_OWN_MODEL = "MODEL = None\n"


def stage_space(staging: Path, repo_id: str, *, model: str | None = None, is_private: bool = False) -> Publication:
    """Puts a Space together.

    A Space is built from its `requirements.txt` alone, before its other files are there, so that the wheel is named by
    the address at which the Space itself has it. Its hash stands behind it: another wheel is another line, which is
    built anew. Of a private Space, whose build has no token, the file names what the wheel needs, and `app.py` takes
    the wheel from beside it.

    Args:
        staging: An empty folder.
        repo_id: Where the Space will be.
        model: A repository on the Hub; the model that comes with the package when left out.
        is_private: Whether the Space is private.

    Raises:
        InputError: If the package can't be packed, or `model` is no name on the Hub.
    """
    check_installed("gradio", "demo", "The page needs")
    if model is not None:
        check_repo_id(model, "--model")
    wheel = build_wheel(staging, _EXTRAS[0])
    lines = requirements(_EXTRAS) if is_private else [_address(wheel, repo_id)]
    _write(staging / "requirements.txt", "\n".join(lines) + "\n")
    app = (FILES / "app.py").read_text(encoding="utf-8")
    assert app.count(_OWN_MODEL) == 1
    _write(staging / "app.py", app if model is None else app.replace(_OWN_MODEL, f"MODEL = {model!r}\n"))
    _write(staging / CARD, _card(model))
    return Publication("space", staging)


def _address(wheel: Path, repo_id: str) -> str:
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    address = f"{constants.ENDPOINT}/spaces/{repo_id}/resolve/main/{wheel.name}#sha256={digest}"
    return f"{NAME}[{','.join(_EXTRAS)}] @ {address}"


def _card(model: str | None) -> str:
    card = SpaceCard((FILES / CARD).read_text(encoding="utf-8"))
    if model is None:
        return str(card)
    # Of another model its own card says the licence.
    for name in ("license", "license_name", "license_link"):
        card.data.pop(name)
    card.data["models"] = [model]
    text, _, _ = card.text.partition("**Licence.**")
    card.text = (
        f"{text}**Licence.** The model is [{model}](https://huggingface.co/{model}): its card has the licence.\n"
    )
    return str(card)


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="")
