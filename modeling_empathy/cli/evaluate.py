"""`empathy evaluate`: the metrics of a checkpoint on annotated pairs."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Annotated, Any, Literal

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
        typer.Option("--split", help="Without --input_path: the split of the corpus, or with --suite its half."),
    ] = "test",
    data_dir: DataDir = None,
    source: Source = "auto",
    salt: Salt = "",
    suite: Annotated[
        Literal["contrast"] | None,
        typer.Option(
            "--suite",
            help="Instead of annotated pairs: the synthetic behaviour suite that comes along, its test families or, "
            "with --split train, the others.",
        ),
    ] = None,
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

    empathy evaluate --model output/corpus --suite contrast
    """
    from ..checkpoints.loading import load_checkpoint, resolve_device
    from ..corpus.annotated_files import read_annotated
    from ..corpus.builder import load_epitome
    from ..evaluation.behaviour import behaviour_table, families_table
    from ..evaluation.evaluate import DEFINITIONS, evaluate_behaviour, evaluate_checkpoint, evaluation_table
    from ..evaluation.report import is_evaluation, save_metrics
    from ..files.whole_files import check_apart, whole_file
    from ..original_names import checkpoint_folder
    from ..phases import hide_other_bars
    from .terminal import say_markdown

    if suite is not None:
        others = {"--input_path": input_path, "--mechanism": mechanism, "--data_dir": data_dir, "--salt": salt}
        defaults = {"--source": source != "auto", "--definition": definition != "corrected"}
        if unused := [name for name, value in (others | defaults).items() if value]:
            raise InputError(f"--suite {suite} is measured by itself: leave {', '.join(unused)} out.")
        if split == "validation":
            raise InputError(f"--split {split}: --suite {suite} has the splits train and test alone.")
    # One that is written again may stand beside the model or the corpus.
    if output_path is not None and not is_evaluation(output_path):
        for read in (checkpoint_folder(model), input_path, data_dir):
            if read is not None:
                check_apart(Path(read), output_path)
    hide_other_bars()
    loaded, tokenizer = load_checkpoint(model)
    mechanisms = list(loaded.config.mechanisms)
    data: Any = {"suite": suite, "split": split}
    if input_path is not None:
        mechanisms, data = [_mechanism_of(input_path, mechanism, mechanisms)], str(input_path)
        # With the checkpoint's tokenizer and length, to which the labels of a prepared file must fit.
        rows = read_annotated(input_path, tokenizer, loaded.config.max_post_length)
    elif suite is not None:
        rows = load_epitome(mechanisms[0] if len(mechanisms) == 1 else "all", source=suite)[split]
    else:
        data = {"data_dir": data_dir, "source": source, "split": split, "salt": salt}
        rows = load_epitome("all", source=source, data_dir=data_dir, salt=salt)[split]
    if not len(rows):
        raise InputError(f"The split {split} has no pairs.")
    definitions = DEFINITIONS if definition == "both" else (definition,)
    loaded.to(resolve_device(device))
    results: dict[str, Any] = {}
    behaviour: dict[str, Any] = {}
    # Opened before it is computed: a folder that can't be written to should not cost the work.
    with nullcontext() if output_path is None else whole_file(output_path) as temporary:
        if suite is not None:
            measured = evaluate_behaviour(
                loaded, tokenizer, rows, mechanisms, batch_size=batch_size, show_progress=True
            )
            behaviour = {"behaviour": measured}
            shown = f"{behaviour_table(measured)}\n\n{families_table(measured)}"
        else:
            results = evaluate_checkpoint(
                loaded, tokenizer, rows, mechanisms, definitions=definitions, batch_size=batch_size
            )
            shown = evaluation_table(results, mechanisms)
        if temporary is not None:
            arguments = {"model": model, "data": data, "batch_size": batch_size}
            save_metrics(temporary, results, arguments, **behaviour)
    say(f"{len(rows)} pairs\n")
    say_markdown(shown, is_result=output_path is None)
    if output_path is not None:
        say(f"\nEvery metric is in {output_path}")


def _mechanism_of(input_path: Path, named: str | None, scored: list[str]) -> str:
    """The mechanism that a file is annotated for: the one that is named, or that its own name says.

    Raises:
        InputError: If it is none that the model scores.
    """
    from ..original_names import mechanism_of

    # A model of one mechanism leaves no choice, so that its file may have any name.
    mechanism = named or mechanism_of(str(input_path)) or (scored[0] if len(scored) == 1 else None)
    if mechanism is None or mechanism not in scored:
        what = f"is annotated for {mechanism}" if mechanism else "does not say in its name what it is annotated for"
        raise InputError(
            f"{input_path} {what}, and the model scores {', '.join(scored)}: name one of these with --mechanism."
        )
    return mechanism
