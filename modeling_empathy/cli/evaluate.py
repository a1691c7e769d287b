"""`empathy evaluate`: the metrics of a checkpoint on annotated pairs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Literal

import typer

from ..errors import InputError
from .failures import reports_errors, say
from .options import DataDir, Device, Mechanism, ModelPath, Salt, Source


@reports_errors("empathy")
def evaluate(
    model: ModelPath,
    input_path: Annotated[
        Path | None,
        typer.Option("--input_path", metavar="FILE", help="Annotated pairs of one mechanism, raw or prepared."),
    ] = None,
    mechanism: Annotated[
        Mechanism | None,
        typer.Option("--mechanism", help="What --input_path is annotated for (default: as its name says)."),
    ] = None,
    split: Annotated[
        Literal["train", "validation", "test"],
        typer.Option("--split", help="Without --input_path: the split of the corpus."),
    ] = "test",
    data_dir: DataDir = None,
    source: Source = "auto",
    salt: Salt = "",
    definition: Annotated[
        Literal["corrected", "original", "both"],
        typer.Option("--definition", help="Of the metrics: ERASER's, or the original's to compare with the paper."),
    ] = "corrected",
    batch_size: Annotated[
        int, typer.Option("--batch_size", min=1, help="Pairs scored at once; part of the original's definition.")
    ] = 32,
    output_path: Annotated[
        Path | None, typer.Option("--output_path", metavar="JSON", help="Where every metric is written.")
    ] = None,
    device: Device = None,
) -> None:
    """Measure a checkpoint on annotated pairs.

    empathy evaluate --model output/corpus --data_dir path/to/csvs --definition both

    empathy evaluate --model output/EX --input_path explorations-reddit.csv
    """
    from ..checkpoints.loading import load_checkpoint, resolve_device
    from ..corpus.annotated_files import read_annotated
    from ..evaluation.evaluate import DEFINITIONS, evaluate_checkpoint, evaluation_table
    from ..evaluation.report import is_evaluation, save_metrics
    from ..files.whole_files import check_apart, whole_file
    from ..original_names import checkpoint_folder, mechanism_of

    # One that is written again may stand beside the model or the corpus.
    if output_path is not None and not is_evaluation(output_path):
        for read in (checkpoint_folder(model), input_path, data_dir):
            if read is not None:
                check_apart(Path(read), output_path)
    loaded, tokenizer = load_checkpoint(model)
    mechanisms = list(loaded.config.mechanisms)
    if input_path is None:
        from ..corpus.builder import load_epitome

        rows = load_epitome("all", source=source, data_dir=data_dir, salt=salt)[split]
        if not len(rows):
            raise InputError(f"The split {split} has no pairs.")
    else:
        # A model of one mechanism leaves no choice, so that its file may have any name.
        named = mechanism or mechanism_of(str(input_path)) or (mechanisms[0] if len(mechanisms) == 1 else None)
        if named not in mechanisms:
            what = f"is annotated for {named}" if named else "does not say in its name what it is annotated for"
            scored = ", ".join(mechanisms)
            raise InputError(
                f"{input_path} {what}, and the model scores {scored}: name one of these with --mechanism."
            )
        mechanisms = [named]
        # With the checkpoint's tokenizer and length, to which the labels of a prepared file must fit.
        rows = read_annotated(input_path, tokenizer, loaded.config.max_post_length)
    definitions = DEFINITIONS if definition == "both" else (definition,)
    loaded.to(resolve_device(device))
    # Opened before it is computed: a folder that can't be written to should not cost the work.
    with nullcontext() if output_path is None else whole_file(output_path) as temporary:
        results = evaluate_checkpoint(
            loaded, tokenizer, rows, mechanisms, definitions=definitions, batch_size=batch_size
        )
        if temporary is not None:
            corpus = {"data_dir": data_dir, "source": source, "split": split, "salt": salt}
            data = str(input_path) if input_path else corpus
            save_metrics(temporary, results, {"model": model, "data": data, "batch_size": batch_size})
    say(f"{len(rows)} pairs\n\n{evaluation_table(results, mechanisms)}", is_result=output_path is None)
    if output_path is not None:
        say(f"\nEvery metric is in {output_path}")
