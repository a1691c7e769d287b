"""The page's layout: what can be typed and pressed, and what happens then."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable
from functools import wraps
from html import escape
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import gradio as gr
from gradio.events import api

from ..errors import InputError
from .batch import ENDINGS, score_upload
from .examples import examples
from .scoring import FIELDS, PageScorer
from .views import TITLE, foot_html, head_html, result_html, table_html


# Below this probability a level is nearly a guess among three.
UNSURE_BELOW = 0.5
_EDIT_IT = "Edit the response and score again: before and after stand side by side."
# Everything that computes waits in one queue.
_COMPUTES: dict[str, Any] = {"concurrency_id": "scoring", "concurrency_limit": 1}
_PARAMETERS = ParamSpec("_PARAMETERS")
_Returned = TypeVar("_Returned")


def build_page(scorer: PageScorer, folder: Path) -> gr.Blocks:
    """The page.

    Args:
        scorer: What scores.
        folder: Where scores of files are written.

    Returns:
        The page, which nobody serves yet.
    """
    with gr.Blocks(title=TITLE, analytics_enabled=False) as page:
        gr.HTML(head_html(), apply_default_css=False)
        with gr.Tabs():
            with gr.Tab("One response", id="one"):
                _one_response(scorer)
            with gr.Tab("A file", id="file"):
                _a_file(scorer, folder)
        gr.HTML(foot_html(scorer.model_label, scorer.is_own, scorer.limits), apply_default_css=False)
        api(_as_message(_score_of(scorer)), api_name="score", **_COMPUTES)
    # Without the queue, requests could be computed side by side and without a limit.
    page.queue(max_size=scorer.limits.waiting, default_concurrency_limit=1, api_open=False)
    return page


def _one_response(scorer: PageScorer) -> None:
    pairs = examples()
    first = pairs[0]
    begin = _shown(scorer, first.seeker_post, first.response_post, UNSURE_BELOW, "", "", "")
    with gr.Row(elem_classes="empathy-line"):
        gr.HTML("Examples, made up for this purpose:", elem_classes="empathy-label", apply_default_css=False)
        buttons = [gr.Button(example.title, size="sm", min_width=100) for example in pairs]
    with gr.Row(equal_height=True):
        boxes: dict[str, Any] = {"lines": 4, "max_lines": 12}
        seeker = gr.Textbox(first.seeker_post, label=FIELDS["seeker_post"], elem_id="seeker", **boxes)
        response = gr.Textbox(first.response_post, label=FIELDS["response_post"], elem_id="response", **boxes)
    with gr.Row(elem_classes="empathy-line"):
        score = gr.Button("Score", variant="primary", elem_id="score", min_width=160)
        clear = gr.Button("Clear", elem_id="clear", min_width=100)
        gr.HTML(_EDIT_IT, elem_classes="empathy-label", apply_default_css=False)
    with gr.Accordion("When is the model unsure?", open=False):
        below = gr.Slider(
            *(0, 0.95, UNSURE_BELOW),
            step=0.05,
            label="Least probability",
            info="The model says which level only if it gives that level at least this probability.",
            elem_id="unsure",
        )
    # What the last result was of: it stays in the page, and the server forgets it.
    earlier = [gr.Textbox(value, visible=False) for value in (first.seeker_post, "", first.response_post)]
    result = gr.HTML(begin[0], elem_id="result", apply_default_css=False)
    inputs, outputs = [seeker, response, below, *earlier], [result, *earlier]
    show = _as_message(lambda *values: _shown(scorer, *values))
    for event in (score.click, below.release):
        event(show, inputs, outputs, api_visibility="private", show_progress="minimal", **_COMPUTES)
    for button, example in zip(buttons, pairs, strict=True):
        _fills(button, example.seeker_post, example.response_post, [seeker, response]).then(
            show, inputs, outputs, api_visibility="private", show_progress="minimal", **_COMPUTES
        )
    clear.click(
        lambda: ("", "", "", "", "", ""), None, [seeker, response, *outputs], api_visibility="private", queue=False
    )


def _fills(button: gr.Button, seeker_post: str, response_post: str, boxes: list[gr.Textbox]) -> Any:
    return button.click(lambda: (seeker_post, response_post), None, boxes, api_visibility="private", queue=False)


def _shown(
    scorer: PageScorer,
    seeker_post: str,
    response_post: str,
    below: float,
    earlier_seeker_post: str,
    before: str,
    current: str,
) -> tuple[str, str, str, str]:
    """The result as HTML, and what it is of: the seeker post, the response before the last edit, and the response.

    Args:
        scorer: What scores.
        seeker_post: What is typed.
        response_post: Likewise.
        below: Of which probability the model is unsure.
        earlier_seeker_post: What the last result was of.
        before: The response before it, if there was another to the same post.
        current: The response that it was of.
    """
    if seeker_post != earlier_seeker_post:
        before = ""
    elif response_post != current:
        before = current
    responses = [before, response_post] if before and before != response_post else [response_post]
    results = scorer.score(
        [(seeker_post, response) for response in responses], abstain_below=below, return_all_scores=True
    )
    return result_html(responses, results, scorer.mechanisms), seeker_post, before, response_post


def _a_file(scorer: PageScorer, folder: Path) -> None:
    limits = scorer.limits
    gr.Markdown(
        "A table with the columns `seeker_post` and `response_post` (and `id`, if you like), as CSV, TSV or JSON "
        f"lines: up to {limits.rows} rows and {limits.file_bytes / 1e6:g} MB. Of a spreadsheet, save the sheet as CSV."
    )
    # Not by `file_types`: a browser that leaves out what it doesn't know says nothing about it.
    upload = gr.File(label=f"File of pairs ({', '.join(ENDINGS)})", elem_id="upload", height=140)
    with gr.Row(elem_classes="empathy-line"):
        score = gr.Button("Score the file", variant="primary", elem_id="score-file", min_width=160)
        download = gr.DownloadButton("Download the scores (CSV)", visible=False, elem_id="download")
    result = gr.HTML(elem_id="table", apply_default_css=False)

    def show(path: str | None) -> tuple[None, Any, str]:
        if path is None:
            raise InputError("There is no file: choose one first.")
        scored = score_upload(scorer, Path(path), folder)
        rows = [(pair.id, pair.seeker_post, pair.response_post) for pair in scored.pairs]
        html = table_html(scored.name, rows, scored.results, scorer.mechanisms, UNSURE_BELOW)
        return None, gr.DownloadButton(value=str(scored.scores), visible=True), html

    score.click(
        _as_message(show),
        upload,
        [upload, download, result],
        api_visibility="private",
        show_progress="minimal",
        **_COMPUTES,
    )


def _score_of(scorer: PageScorer) -> Callable[..., dict[str, Any]]:
    def score(
        seeker_post: str, response_post: str, abstain_below: float = 0.0, return_all_scores: bool = False
    ) -> dict[str, Any]:
        """Scores how a response communicates empathy.

        The result has, for each of emotional_reactions, interpretations and explorations: level (0, 1, 2), label
        ("no", "weak", "strong"), score (the label's probability) and rationales, the words that show it, each with
        start, end, text and score, in characters of the response. truncated says which of the two posts was scored
        without its end.

        Args:
            seeker_post: What somebody wrote in search of support.
            response_post: What was answered.
            abstain_below: Level and label are null where no level has this probability.
            return_all_scores: Adds scores, the probability of each label.

        Returns:
            The result, as EmpathyPipeline gives it.
        """
        [result] = scorer.score(
            [(seeker_post, response_post)], abstain_below=abstain_below, return_all_scores=return_all_scores
        )
        return result

    return score


def _as_message(function: Callable[_PARAMETERS, _Returned]) -> Callable[_PARAMETERS, _Returned]:
    """Has errors said on the page as messages; what is printed of them never holds a text."""

    @wraps(function)
    def wrapped(*args: _PARAMETERS.args, **kwargs: _PARAMETERS.kwargs) -> _Returned:
        try:
            return function(*args, **kwargs)
        except InputError as error:
            # The page shows it as HTML, and it may have names of columns and files in it.
            raise gr.Error(escape(str(error), quote=False), print_exception=False) from None
        except Exception as error:
            # Where it happened, and not what it says: that may be what somebody typed.
            traceback.print_tb(error.__traceback__)
            print(type(error).__name__, file=sys.stderr)
            raise gr.Error("Something went wrong here; your text is not the reason.", print_exception=False) from None

    return wrapped
