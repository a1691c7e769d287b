"""Steps of datatrove pipelines: scores of documents between any reader and writer, and of the shards of a run."""

from __future__ import annotations

import signal
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any

import multiprocess
import torch
from datatrove.data import Document
from datatrove.pipeline.base import PipelineStep

from ..errors import InputError
from ..model.mechanisms import ABBREVIATIONS
from ..model.pair_inputs import in_chunks
from ..scoring.engine import PAIRS_PER_CHUNK, load_engines
from .executors import LoadEngines, end_with, score_as_task
from .output_folder import OutputFolder


class ScoreDocuments(PipelineStep):
    """Adds the levels to documents: `ER_label`, `ER_score`, `ER_rationale` and so on in their `metadata`.

    A document's text is the response; what it answers stands in its metadata.

    Args:
        model: As in [`load_engines`]; the model that is part of the package when left out.
        seeker_post: Under which name the metadata has the post that was answered.
        dtype: As in [`load_engines`].

    Example:
        ```python
        >>> pipeline = [JsonlReader("posts/", text_key="answer"), ScoreDocuments(), ParquetWriter("scores/")]
        >>> LocalPipelineExecutor(pipeline, tasks=8).run()
        ```
    """

    name = "Empathy"
    type = "SCORER"

    def __init__(self, model: str | None = None, seeker_post: str = "seeker_post", dtype: str = "fp32") -> None:
        super().__init__()
        self.model, self.seeker_post, self.dtype = model, seeker_post, dtype

    def run(self, data: Iterable[Document], rank: int = 0, world_size: int = 1) -> Iterator[Document]:
        """Scores documents as they come.

        Raises:
            InputError: If a document has no seeker post or no text.
        """
        [engine] = load_engines(self.model, dtype=self.dtype)
        for chunk in in_chunks(data, PAIRS_PER_CHUNK):
            posts = [(self._seeker_post(document), document.text) for document in chunk]
            with self.track_time("chunk"):
                results = list(engine(posts))
            for document, result in zip(chunk, results, strict=True):
                for mechanism in engine.config.mechanisms:
                    code = ABBREVIATIONS[mechanism]
                    document.metadata[f"{code}_label"] = result[mechanism]["level"]
                    document.metadata[f"{code}_score"] = round(result[mechanism]["score"], 6)
                    document.metadata[f"{code}_rationale"] = result[mechanism]["rationales"]
                self.stat_update("pairs")
                yield document

    def _seeker_post(self, document: Document) -> str:
        post = document.metadata.get(self.seeker_post)
        if not isinstance(post, str) or not post.strip() or not document.text.strip():
            raise InputError(
                f"document {document.id}: expected text, and in metadata[{self.seeker_post!r}] what it answers."
            )
        return post


class ScoreShards(PipelineStep):
    """Scores the shards of a run that are not whole, those of one task; it needs no reader and no writer.

    Args:
        folder: Where the run is.
        load_engines: Loads what scores.
    """

    name = "Empathy, in shards"
    type = "SCORER"

    def __init__(self, folder: str, load_engines: LoadEngines) -> None:
        super().__init__()
        self.folder, self.load_engines = folder, load_engines

    def run(self, data: Any = None, rank: int = 0, world_size: int = 1) -> None:
        """Scores the shards whose number, divided by the tasks, leaves the task's own."""
        if not torch.cuda.is_available():
            torch.set_num_threads(1)
        _leave_signals_to_the_parent()
        with self.track_time("task"):
            done = score_as_task(
                OutputFolder(self.folder),
                self.load_engines,
                rank,
                world_size,
                lambda pairs: self.stat_update("pairs", value=pairs),
            )
        self.stat_update("shards", value=done)


@cache  # once in a process, which does one task after the other
def _leave_signals_to_the_parent() -> None:
    """In a process of datatrove's local executor: Ctrl-C is its parent's to hear, and it ends when that is gone."""
    parent = multiprocess.parent_process()
    if parent is not None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        end_with(parent)
