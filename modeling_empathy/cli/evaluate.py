"""`empathy evaluate`: the metrics of a checkpoint on annotated pairs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
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
    measured_rationales: Annotated[
        int,
        typer.Option(
            "--measured_rationales",
            min=0,
            help="For the report: of so many responses of each mechanism the rationales' faithfulness, the use of the "
            "seeker post, and the behaviour suite. Takes some minutes.",
        ),
    ] = 0,
    output_path: Annotated[
        Path | None, typer.Option("--output_path", metavar="JSON", help="Where every metric is written.")
    ] = None,
    report_path: Annotated[
        Path | None,
        typer.Option(
            "--report_path",
            metavar="HTML",
            help="The report, a page that holds the texts (default: beside --output_path).",
        ),
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
    from ..evaluation.evaluated_run import run_of_evaluation
    from ..evaluation.report import save_metrics
    from ..evaluation.run_page import page_of
    from ..original_names import checkpoint_folder
    from ..phases import hide_other_bars
    from .terminal import say_markdown

    if suite is not None:
        others = {"--input_path": input_path, "--mechanism": mechanism, "--data_dir": data_dir, "--salt": salt}
        defaults = {"--source": source != "auto", "--definition": definition != "corrected"}
        _check_suite(suite, split, others | defaults)
    report_path = _report_path(output_path, report_path)
    _check_outputs(output_path, report_path, (checkpoint_folder(model), input_path, data_dir))
    hide_other_bars()
    loaded, tokenizer = load_checkpoint(model)
    mechanisms = list(loaded.config.mechanisms)
    data: Any = {"suite": suite, "split": split}
    if input_path is not None:
        mechanisms, data = [_mechanism_of(input_path, mechanism, mechanisms)], str(input_path)
        # With the checkpoint's tokenizer and length, to which the labels of a prepared file must fit.
        rows = read_annotated(input_path, tokenizer, loaded.config.max_post_length)
    elif suite is not None:
        rows = load_epitome(_configuration(mechanisms), source=suite)[split]
    else:
        data = {"data_dir": data_dir, "source": source, "split": split, "salt": salt}
        rows = load_epitome("all", source=source, data_dir=data_dir, salt=salt)[split]
    if not len(rows):
        raise InputError(f"The split {split} has no pairs.")
    if measured_rationales and (suite is not None or report_path is None or mechanisms != loaded.config.mechanisms):
        raise InputError(
            f"--measured_rationales {measured_rationales} is for the report of pairs that are annotated for all that "
            f"the model scores ({', '.join(loaded.config.mechanisms)}): leave it out, or name --report_path."
        )
    diagnosed = load_epitome(_configuration(mechanisms), source="contrast")["test"] if measured_rationales else None
    definitions = DEFINITIONS if definition == "both" else (definition,)
    loaded.to(resolve_device(device))
    arguments = {"model": model, "data": data, "batch_size": batch_size}
    behaviour: dict[str, Any] = {}
    # Opened before it is computed: a folder that can't be written to should not cost the work.
    with _opened(output_path) as metrics_file, _opened(report_path) as report_file:
        if suite is not None:
            behaviour = evaluate_behaviour(
                loaded, tokenizer, rows, mechanisms, batch_size=batch_size, show_progress=True
            )
            shown = f"{behaviour_table(behaviour)}\n\n{families_table(behaviour)}"
        if suite is None or report_file is not None:
            evaluated = evaluate_checkpoint(
                loaded, tokenizer, rows, mechanisms, definitions=definitions, batch_size=batch_size
            )
        if suite is None:
            shown = evaluation_table(evaluated.metrics, mechanisms)
        more: Mapping[str, Any] = {"behaviour": behaviour} if behaviour else {}
        if report_file is not None:
            run = run_of_evaluation(
                loaded,
                tokenizer,
                evaluated,
                mechanisms,
                arguments,
                measured_rationales=measured_rationales,
                suite=diagnosed,
                behaviour=behaviour,
            )
            report_file.write_text(page_of(run), encoding="utf-8")
            more = run.diagnostics if measured_rationales else more
        if metrics_file is not None:
            save_metrics(metrics_file, {} if suite is not None else evaluated.metrics, arguments, **more)
    say(f"{len(rows)} pairs\n", is_result=output_path is None)
    say_markdown(shown, is_result=output_path is None)
    if output_path is not None:
        say(f"\nEvery metric is in {output_path}")
    if report_path is not None:
        say(f"The report is {report_path}, a page to open in a browser; it holds the texts")


def _check_suite(suite: str, split: str, others: Mapping[str, Any]) -> None:
    """Raises an InputError if something else was asked for that does not go with a suite."""
    if unused := [name for name, value in others.items() if value]:
        raise InputError(f"--suite {suite} is measured by itself: leave {', '.join(unused)} out.")
    if split == "validation":
        raise InputError(f"--split {split}: --suite {suite} has the splits train and test alone.")


def _check_outputs(output_path: Path | None, report_path: Path | None, inputs: Sequence[str | Path | None]) -> None:
    """Raises an InputError if what is written would stand in the place of what is read."""
    from ..evaluation.report import is_evaluation
    from ..files.pages import is_page
    from ..files.whole_files import check_apart

    # One that is written again may stand beside the model or the corpus.
    for path, is_own in ((output_path, is_evaluation), (report_path, is_page)):
        if path is not None and not is_own(path):
            for read in inputs:
                if read is not None:
                    check_apart(Path(read), path)


def _configuration(mechanisms: Sequence[str]) -> str:
    """The builder's configuration with these mechanisms."""
    return "all" if len(mechanisms) > 1 else mechanisms[0]


def _report_path(output_path: Path | None, named: Path | None) -> Path | None:
    """Where the report is written, if it is.

    Raises:
        InputError: If the metrics would be written there too.
    """
    path = named or (None if output_path is None else output_path.with_suffix(".html"))
    if path is not None and path == output_path:
        raise InputError(f"--output_path {output_path}: the metrics are JSON, and the report needs another name.")
    return path


def _opened(path: Path | None) -> AbstractContextManager[Path | None]:
    from ..files.whole_files import whole_file

    return nullcontext() if path is None else whole_file(path)


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
