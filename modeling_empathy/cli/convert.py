"""`empathy convert`: checkpoints of the original, both ways."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import InputError
from .failures import reports_errors, say
from .options import OptionalModelPath, by_mechanism, mechanism_option


if TYPE_CHECKING:
    from ..checkpoints.conversion import ConvertedCheckpoint


@reports_errors("empathy")
def convert(
    output_path: Annotated[
        Path, typer.Option("--output_path", metavar="PATH", help="The checkpoint's folder; with --reverse a .pth.")
    ],
    ER_model_path: Annotated[Path | None, mechanism_option("ER", "The original's .pth")] = None,
    IP_model_path: Annotated[Path | None, mechanism_option("IP", "The original's .pth")] = None,
    EX_model_path: Annotated[Path | None, mechanism_option("EX", "The original's .pth")] = None,
    reverse: Annotated[
        bool, typer.Option("--reverse", help="Write a .pth that the original loads, for each mechanism of --model.")
    ] = False,
    model: OptionalModelPath = None,
    tokenizer: Annotated[
        str | None,
        typer.Option(
            "--tokenizer",
            help="Saved beside the model, lower-casing as the original's: a name, a folder, or 'none' "
            "(default: roberta-base, for a vocabulary of its size).",
        ),
    ] = None,
    # The defaults are roberta-base's and, from --max_len on, those of the original's train.py.
    num_attention_heads: Annotated[int, typer.Option("--num_attention_heads", help="Of the encoders.")] = 12,
    pad_token_id: Annotated[int, typer.Option("--pad_token_id", help="Padding id of the vocabulary.")] = 1,
    layer_norm_eps: Annotated[float, typer.Option("--layer_norm_eps", help="Of the encoders.")] = 1e-5,
    max_len: Annotated[int, typer.Option("--max_len", help="Tokens that posts were padded to in training.")] = 64,
    lambda_EI: Annotated[float, typer.Option("--lambda_EI", help="Weight of the identification loss.")] = 0.5,
    lambda_RE: Annotated[float, typer.Option("--lambda_RE", help="Weight of the rationale loss.")] = 0.5,
) -> None:
    """Turn .pth files of the original into a checkpoint, or with --reverse back.

    One file gives a model of one mechanism; two or three give one model of all of them that shares the seeker encoder,
    which must be equal in all of them. Sizes are read from the tensors. Nothing in a file is run.

        empathy convert --ER_model_path reddit_ER.pth --IP_model_path reddit_IP.pth --EX_model_path reddit_EX.pth
        --output_path converted

        empathy convert --reverse --model converted --output_path reddit.pth
    """
    from ..checkpoints import conversion
    from ..phases import hide_other_bars

    hide_other_bars()

    given = by_mechanism(ER=ER_model_path, IP=IP_model_path, EX=EX_model_path)
    if reverse:
        if model is None or given:
            raise InputError("--reverse takes the checkpoint from --model, and no --{ER,IP,EX}_model_path.")
        paths = conversion.convert_back(model, output_path)
        say("The original loads these with torch.load and load_state_dict:")
        for mechanism, path in paths.items():
            say(f"{mechanism}: {path}")
        return
    if not given or model is not None:
        raise InputError("name at least one .pth with --ER_model_path, --IP_model_path or --EX_model_path.")
    # What can't be read from the shapes of a .pth, which holds tensors alone.
    options = {
        "num_attention_heads": num_attention_heads,
        "pad_token_id": pad_token_id,
        "layer_norm_eps": layer_norm_eps,
        "max_length": max_len,
        "lambda_EI": lambda_EI,
        "lambda_RE": lambda_RE,
    }
    _print_converted(conversion.convert_files(given, output_path, tokenizer, **options))


def _print_converted(checkpoint: ConvertedCheckpoint) -> None:
    config, sizes = checkpoint.config, checkpoint.config.encoder_config
    say(
        f"Converted {', '.join(config.mechanisms)}: {sizes.num_hidden_layers} layers, hidden size "
        f"{sizes.hidden_size}, {sizes.num_attention_heads} heads, vocabulary {sizes.vocab_size}, posts padded to "
        f"{config.max_post_length} tokens."
    )
    if len(config.mechanisms) > 1:
        say("Their seeker encoders are equal: it is stored once and shared.")
    if not checkpoint.has_tokenizer:
        say("No tokenizer was saved: save the encoder's in the folder before scoring text, or use --tokenizer.")
    say(f"The checkpoint is in {checkpoint.folder}")
