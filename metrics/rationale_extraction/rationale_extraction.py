"""The `evaluate` module for rationale tokens: `evaluate.load("metrics/rationale_extraction")`."""

from typing import Any

# One module a line: `evaluate.load` reads the imports as text, to see whether each is installed.
import datasets
import evaluate

from modeling_empathy.evaluation.metrics import rationale_metrics


_DESCRIPTION = """
How well the predicted rationale of each response (the tokens that show one mechanism of empathy) matches the annotated
one, by the definitions of the ERASER benchmark: token-F1, IOU-F1 at 0.5 and the area under the precision-recall curve
of the token scores, over the responses with an annotated rationale and over all. Definitions:
`modeling_empathy.evaluation.metrics.rationale_metrics`. The package `modeling_empathy` must be installed.
"""

_CITATION = """
@inproceedings{deyoung2020eraser,
    title = {{ERASER}: A Benchmark to Evaluate Rationalized {NLP} Models},
    author = {DeYoung, Jay and Jain, Sarthak and Rajani, Nazneen Fatema and Lehman, Eric and Xiong, Caiming and
              Socher, Richard and Wallace, Byron C.},
    booktitle = {Proceedings of the 58th Annual Meeting of the Association for Computational Linguistics (ACL)},
    year = {2020}
}
@inproceedings{sharma2020empathy,
    title = {A Computational Approach to Understanding Empathy Expressed in Text-Based Mental Health Support},
    author = {Sharma, Ashish and Miner, Adam S. and Atkins, David C. and Althoff, Tim},
    booktitle = {Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing (EMNLP)},
    year = {2020}
}
"""

_INPUTS_DESCRIPTION = """
Args:
    predictions (list of list of float): for each response the probability of each token to belong to the rationale, or
        0/1 labels.
    references (list of list of int): for each response 1 for a rationale token, 0 for any other token, -100 for a
        position to leave out (special tokens, padding).
    threshold (float): the probability from which a token belongs to the predicted rationale. Default 0.5.

Returns, each with the prefix `annotated_` (responses with an annotated rationale) and `all_` (all scored responses):
    instances: number of responses.
    token_precision_micro, token_recall_micro, token_f1_micro: over all tokens pooled.
    token_f1_macro: mean of the responses' own token-F1.
    iou_f1_micro, iou_f1_macro: F1 of spans, pooled and as the mean over responses; a predicted span is right when its
        best token-IOU with an annotated span is at least 0.5.
    iou_f1_macro_eraser: F1 of the mean precision and the mean recall of spans, as ERASER's scorer prints.
    token_auprc: average precision of the scores over all tokens pooled.

Examples:
    >>> import evaluate
    >>> metric = evaluate.load("metrics/rationale_extraction")
    >>> predictions = [[0.2, 0.9, 0.8, 0.4], [0.1, 0.7, 0.3, 0.5]]
    >>> references = [[-100, 1, 1, 1], [-100, 0, 0, -100]]
    >>> results = metric.compute(predictions=predictions, references=references)
    >>> results["annotated_token_f1_macro"], results["annotated_iou_f1_macro"]
    (0.8, 1.0)
    >>> results["all_token_f1_macro"], results["all_iou_f1_macro"]
    (0.4, 0.5)
"""


# The descriptions become the docstring; `metric.inputs_description` is what `evaluate` shows a user.
@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS_DESCRIPTION)
class RationaleExtraction(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS_DESCRIPTION,
            features=datasets.Features(
                {
                    # Doubles, as float32 would move a score of 0.7 below a threshold of 0.7.
                    "predictions": datasets.Sequence(datasets.Value("float64")),
                    "references": datasets.Sequence(datasets.Value("int64")),
                }
            ),
            reference_urls=["https://aclanthology.org/2020.acl-main.408", "https://www.eraserbenchmark.com"],
        )

    def _compute(
        self, predictions: list[list[float]], references: list[list[int]], threshold: float = 0.5
    ) -> dict[str, Any]:
        return rationale_metrics(predictions, references, threshold)
