"""Scores files of pairs of any number and length: each pair once, whatever ends the run on the way."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ..checkpoints.identity import ModelIdentity
from ..errors import InputError
from ..files.input_files import InputFile, find_files
from ..model.encoded_pairs import checked_lengths
from ..phases import phase
from ..scoring.engine import ScoringEngine
from .executors import Executor, LoadEngines, Ranks, Work, in_this_process
from .manifest import manifest
from .output_folder import FolderLock, OutputFolder
from .outputs import RunOutput
from .plan import Plan, PlannedFile, PlannedInputs, ScoringOptions, plan_inputs
from .score_writer import columns_of


_STDIN_COPY = "_run/standard_input"


class NothingToScore(InputError):
    """The inputs are fine as far as they go, and have no pair that can be scored."""


@dataclass
class ScoringSummary:
    """What became of the inputs.

    Attributes:
        pairs: Scored pairs, those of earlier runs that were gone on with among them.
        truncated: Pairs of which a post was longer than the model reads.
        skipped: Rows that could not be used.
        errors_path: Where those are listed, if there were any.
        models: What scored them; without those that were loaded from no checkpoint.
        shards: How many shards there are.
        earlier: How many of them an earlier run had scored.
        is_whole: Whether all are scored; False where a cluster was handed the rest.
    """

    pairs: int = 0
    truncated: int = 0
    skipped: int = 0
    errors_path: Path | None = None
    models: list[ModelIdentity] = field(default_factory=list)
    shards: int = 1
    earlier: int = 0
    is_whole: bool = True


def score_files(
    load_engines: LoadEngines,
    inputs: Sequence[str],
    output_path: str,
    options: ScoringOptions | None = None,
    *,
    input_format: str | None = None,
    executor: Executor | None = None,
    start_over: bool = False,
    about_model: Mapping[str, Any] | None = None,
    show_progress: bool = True,
) -> ScoringSummary | None:
    """Scores the pairs of files, in constant memory.

    A run that was ended goes on where it was when it is called again, and gives the bytes that it would have given.

    Args:
        load_engines: Loads what scores, each different mechanisms. Called once the inputs have been looked through;
            for other processes it must be one that can be pickled.
        inputs: As of [`~modeling_empathy.files.input_files.find_files`].
        output_path: As of [`~modeling_empathy.jobs.outputs.RunOutput`].
        options: What decides about the output; the format of the shards goes by `output_path`.
        input_format: Of the inputs; by their endings when left out.
        executor: What computes; this process when left out, or those of `accelerate launch`.
        start_over: Whether what earlier runs have done is thrown away.
        about_model: What a folder's manifest says of the model beside its identity.
        show_progress: Whether bars count files and pairs.

    Returns:
        What became of the inputs; None in the processes of `accelerate launch` that are not the first.

    Raises:
        InputError: Where inputs or output can't be used, or the output is another run's. What is done by then stays.
        NothingToScore: If no row can be scored; then nothing is written.
    """
    output = RunOutput(output_path)
    if executor is None and Ranks.are_launched():
        executor = ranks = Ranks()
        if not ranks.is_first:
            ranks.follow(output.folder, load_engines)
            return None
    options = replace(options or ScoringOptions(), file_format=output.file_format)
    files = find_files(inputs, input_format)
    output.check(files)
    output.folder.check_ours()
    known = None if start_over else output.folder.plan()
    with output.as_named(), output.folder.locked() as lock, _nothing_left_undone(output.folder, lock):
        files = [_copied(file, output.folder) if file.is_stdin else file for file in files]
        planned = _looked_through(files, options, known, show_progress)
        columns_of([], planned.kept)
        engines = list(load_engines())
        plan = _planned(planned, options, engines)
        if known is None:
            output.folder.clear()
            output.folder.begin(plan)
        elif differences := plan.differences(known):
            raise InputError(
                f"{output_path} was begun by another run: {'; '.join(differences)}. Go on with what it was begun "
                "with, name another output, or begin anew with --start_over."
            )
        done = output.folder.done()
        left = plan.left(done)
        if output.is_folder:
            output.folder.write_manifest(manifest(plan, done, about_model))
        with phase("Scoring", plan.rows, "pairs", is_shown=show_progress) as bar:
            bar.update(sum(shard.pairs + shard.skipped for shard in done.values()))
            work = Work(plan, output.folder, left, load_engines, engines, lock, bar.update)
            is_whole = (executor or in_this_process)(work)
        return _finished(output, plan, len(done), is_whole, about_model)


def _finished(
    output: RunOutput, plan: Plan, earlier: int, is_whole: bool, about_model: Mapping[str, Any] | None
) -> ScoringSummary:
    done = output.folder.done()
    summary = ScoringSummary(
        pairs=sum(shard.pairs for shard in done.values()),
        truncated=sum(shard.truncated for shard in done.values()),
        skipped=sum(shard.skipped for shard in done.values()),
        models=list(plan.models),
        shards=plan.shards,
        earlier=earlier,
        is_whole=is_whole,
    )
    if not is_whole:
        return summary
    if missing := plan.left(done):
        raise InputError(
            f"{len(missing)} of {plan.shards} shards of {output.path} are not done: the same command goes on "
            "with them."
        )
    if not summary.pairs:
        output.folder.clear()
        raise NothingToScore(f"{_named(plan.files)}: nothing to score; none of {summary.skipped} rows can be used.")
    if output.is_folder:
        output.folder.write_manifest(manifest(plan, done, about_model))
    summary.errors_path = output.finish(done)
    return summary


@contextmanager
def _nothing_left_undone(folder: OutputFolder, lock: FolderLock) -> Iterator[None]:
    """Removes what is not whole behind an error, and the folder if no shard is."""
    try:
        yield
    except BaseException:
        # Tasks that are being ended may still hold it; what those leave that do not end, the next run removes.
        try:
            with suppress(InputError):
                lock.own()
        finally:
            folder.clear_dead()
        folder.remove_if_nothing_is_done()
        raise


def _copied(file: InputFile, folder: OutputFolder) -> InputFile:
    """Standard input, as a file that can be read more than once, and by other processes."""
    with folder.new_file(_STDIN_COPY) as temporary, file.open() as source, temporary.open("wb") as copy:
        shutil.copyfileobj(source, copy, 2**20)
    return InputFile(f"{folder.path}/{_STDIN_COPY}", file.name, file.file_format)


def _looked_through(
    files: Sequence[InputFile], options: ScoringOptions, known: Plan | None, show_progress: bool
) -> PlannedInputs:
    with phase("Looking through the input", len(files), "files", is_shown=show_progress, delay=2) as bar:
        planned = plan_inputs(files, options.columns, options.skip_errors, known, lambda: bar.update(1))
    if planned.usable:
        return planned
    reason = "it has no rows" if len(files) == 1 else "they have no rows"
    if planned.first_error is not None:
        first = str(planned.first_error).rstrip(".")
        reason = f"none of its {planned.errors} rows can be used, the first of them because: {first}"
    raise NothingToScore(f"{_named(files)}: nothing to score; {reason}.")


def _planned(planned: PlannedInputs, options: ScoringOptions, engines: Sequence[ScoringEngine]) -> Plan:
    mechanisms = [mechanism for engine in engines for mechanism in engine.config.mechanisms]
    if len(set(mechanisms)) < len(mechanisms):
        raise InputError(f"The models score the same mechanism more than once: {', '.join(mechanisms)}.")
    for engine in engines:
        try:
            checked_lengths(engine.tokenizer, engine.config, stride=options.stride)
        except ValueError as error:
            raise InputError(str(error)) from None
    models = [engine.identity for engine in engines if engine.identity is not None]
    options = replace(options, device=engines[0].backend.device.type)
    return Plan(planned.files, options, models, mechanisms, planned.kept)


def _named(files: Sequence[InputFile] | Sequence[PlannedFile]) -> str:
    return files[0].name if len(files) == 1 else f"{len(files)} files"
