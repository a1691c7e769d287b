"""`empathy adapt`: continues the pre-training of an encoder on unlabelled posts."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..errors import InputError
from .failures import reports_errors, say
from .options import DataDir, Salt, Source


@reports_errors("empathy")
def adapt(
    output_path: Annotated[
        Path, typer.Option("--output_path", metavar="DIR", help="What is written: a folder that isn't there yet.")
    ],
    input_path: Annotated[
        Path | None,
        typer.Option(
            "--input_path",
            metavar="FILE",
            help="Posts: a .txt with one on each line, .csv, .jsonl or .parquet "
            "(default: the training split of the corpus).",
        ),
    ] = None,
    column: Annotated[
        str | None,
        typer.Option(
            "--column",
            help="Of --input_path, where the posts stand (default: seeker_post and response_post, as far as they "
            "exist, else text).",
        ),
    ] = None,
    data_dir: DataDir = None,
    source: Source = "auto",
    salt: Salt = "",
    encoder: Annotated[
        str, typer.Option("--encoder", help="What is trained further: a name on the Hub, a folder, or 'embedded'.")
    ] = "roberta-base",
    num_train_epochs: Annotated[
        float, typer.Option("--num_train_epochs", min=0.01, help="Passes over the posts; of millions, 1 to 3 will do.")
    ] = 10.0,
    learning_rate: Annotated[float, typer.Option("--learning_rate", min=0, help="Its peak.")] = 5e-5,
    batch_size: Annotated[int, typer.Option("--batch_size", min=1, help="Examples a step on each device.")] = 32,
    max_length: Annotated[
        int, typer.Option("--max_length", min=8, help="Tokens of an example; a longer post becomes several.")
    ] = 128,
    mlm_probability: Annotated[
        float, typer.Option("--mlm_probability", min=0.01, max=0.99, help="The share of tokens that are masked.")
    ] = 0.15,
    held_out: Annotated[
        float,
        typer.Option(
            "--held_out", min=0, max=0.9, help="The share of posts that the loss is measured on, before and after."
        ),
    ] = 0.05,
    seed: Annotated[int, typer.Option("--seed", help="Of masks, order and dropout.")] = 12,
    bf16: Annotated[
        bool | None,
        typer.Option("--bf16/--no_bf16", help="Train in bfloat16 (default: where the hardware computes in it)."),
    ] = None,
) -> None:
    """Train an encoder further on unlabelled posts, before it is trained on annotated ones.

    It learns to fill in masked words (domain-adaptive pre-training). The folder has the encoder without the masked-LM
    head, its tokenizer and a README.md with the held-out loss before and after; `train_hf.py --encoder` takes it. Of
    the corpus only the training split is read; give the --salt that you train with. It appears whole or not at all.

        empathy adapt --input_path posts.txt --output_path adapted

        empathy adapt --data_dir path/to/csvs --encoder embedded --output_path adapted

        accelerate launch --no_python empathy adapt --input_path posts.parquet --output_path adapted
    """
    if input_path is not None and (data_dir is not None or source != "auto" or salt):
        raise InputError("--input_path is read instead of the corpus: leave out --data_dir, --source and --salt.")
    if input_path is None and column is not None:
        raise InputError("--column names a column of --input_path, which is missing.")

    # Behind the checks of the options, which need not wait for torch.
    from accelerate import PartialState

    from ..phases import hide_other_bars
    from ..training.adaptation import AdaptationArguments, adapt_encoder, training_posts
    from ..training.unlabelled_posts import read_posts

    hide_other_bars()
    if input_path is not None:
        posts = read_posts(input_path, column)
    else:
        from ..corpus.builder import load_epitome

        posts = training_posts(load_epitome("all", source=source, data_dir=data_dir, salt=salt))
    arguments = AdaptationArguments(
        encoder=encoder,
        num_train_epochs=num_train_epochs,
        learning_rate=learning_rate,
        batch_size=batch_size,
        max_length=max_length,
        mlm_probability=mlm_probability,
        held_out=held_out,
        seed=seed,
        bf16=bf16,
    )
    adaptation = adapt_encoder(posts, output_path, arguments)
    # Of processes that train together, one prints.
    if PartialState().is_main_process:
        say(f"Adapted to {adaptation.posts - adaptation.held_out_posts} posts: {output_path}")
        if adaptation.loss_before is not None:
            say(
                f"  masked loss of {adaptation.held_out_posts} held-out posts: {adaptation.loss_before:.3f} before, "
                f"{adaptation.loss_after:.3f} after"
                + (" (the masked-LM head started at random)" if adaptation.head_is_new else "")
            )
