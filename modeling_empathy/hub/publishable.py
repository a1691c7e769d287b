"""What of a checkpoint's folder is published, file by file: judged by its content, made anew wherever that can be."""

from __future__ import annotations

import inspect
import json
import struct
import tempfile
import zlib
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from ..errors import InputError


# A card is read by people.
_LARGEST_CARD = 2**20

# What `tokenizer_config.json` says of any tokenizer; beside it, parameters of its class but for its words.
_TOKENIZER_KEYS = {
    *("tokenizer_class", "backend", "model_max_length", "model_input_names", "padding_side", "truncation_side"),
    *("clean_up_tokenization_spaces", "split_special_tokens", "extra_special_tokens", "add_prefix_space"),
    *(f"{name}_token" for name in ("bos", "eos", "unk", "sep", "pad", "cls", "mask", "add_bos", "add_eos")),
}
_WORDS = {"vocab", "merges", "vocab_file", "merges_file", "tokenizer_file", "chat_template"}

_PNG = b"\x89PNG\r\n\x1a\n"
# Chunks that make the picture; others hold texts, times and what programs note down.
_PIXELS = (b"IHDR", b"PLTE", b"tRNS", b"pHYs", b"IDAT", b"IEND")


def check_plain(*paths: Path) -> None:
    """Raises an `InputError` if one of these is a link, which may lead to anything, or no file and no folder."""
    for path in paths:
        if path.is_symlink():
            raise InputError(f"{printable(path)} is a link, which may lead anywhere: put the file itself there.")
        if not path.is_file() and not path.is_dir():
            raise InputError(f"{printable(path)} is neither a file nor a folder: remove it.")


def write_tokenizer(tokenizer: PreTrainedTokenizerBase, folder: Path) -> None:
    """Writes what a tokenizer is loaded from: no chat template, and of its configuration what its class knows."""
    known = (_TOKENIZER_KEYS | set(inspect.signature(type(tokenizer).__init__).parameters)) - _WORDS
    with tempfile.TemporaryDirectory() as saved:
        tokenizer.save_pretrained(saved)
        config = json.loads(Path(saved, "tokenizer_config.json").read_text(encoding="utf-8"))
        kept = {name: value for name, value in config.items() if name in known}
        text = json.dumps(kept, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
        (folder / "tokenizer_config.json").write_text(text, encoding="utf-8")
        # Written by the tokenizers library from what it has understood.
        (folder / "tokenizer.json").write_bytes(Path(saved, "tokenizer.json").read_bytes())


def write_png(source: Path, path: Path) -> None:
    """Writes a picture with its pixels alone: without texts, and without what stands behind its end.

    Raises:
        InputError: If the file is no PNG, or a damaged one.
    """
    content = source.read_bytes()
    written, place = [_PNG], len(_PNG)
    try:
        if not content.startswith(_PNG):
            raise ValueError("it begins otherwise")
        kind = b""
        while kind != b"IEND":
            size, kind = struct.unpack_from(">I4s", content, place)
            end = place + 12 + size
            if struct.unpack_from(">I", content, end - 4)[0] != zlib.crc32(content[place + 4 : end - 4]):
                raise ValueError("a part of it is damaged")
            if kind in _PIXELS:
                written.append(content[place:end])
            place = end
        # What is no picture could be called one.
        zlib.decompress(b"".join(chunk[8:-4] for chunk in written[1:] if chunk[4:8] == b"IDAT"))
    except (ValueError, struct.error, zlib.error) as error:
        raise InputError(
            f"{printable(source)} is no PNG picture ({error}): remove it to publish without it."
        ) from None
    path.write_bytes(b"".join(written))


def read_card(path: Path) -> str:
    """The text of somebody's own card.

    Raises:
        InputError: If the file is a link, larger than a card can be, or no text.
    """
    check_plain(path)
    content = path.read_bytes()
    if len(content) > _LARGEST_CARD:
        raise InputError(f"--card {printable(path)} has {len(content) / 1e6:.1f} MB: that is no card.")
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        raise InputError(f"--card {printable(path)} is no text in UTF-8.") from None
    if any(ord(character) < 32 and character not in "\t\r\n" for character in text):
        raise InputError(f"--card {printable(path)} holds control characters, and is no text.")
    return text


def printable(name: object) -> str:
    """A name as it may be shown on a terminal: what would move its cursor or break its line is escaped."""
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in str(name)
    )
