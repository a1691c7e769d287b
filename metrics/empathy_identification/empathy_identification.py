"""The `evaluate` module for levels of communication: `evaluate.load("metrics/empathy_identification")`."""

from typing import Any

# One module a line: `evaluate.load` reads the imports as text, to see whether each is installed.
import datasets
import evaluate

from modeling_empathy.evaluation.metrics import identification_metrics


_DESCRIPTION = """
How well the predicted levels of communication (0 no, 1 weak, 2 strong) of one mechanism of empathy match the annotated
ones: accuracy, macro-F1, the F1 of each level, and quadratic-weighted kappa. Definitions:
`modeling_empathy.evaluation.metrics.identification_metrics`. The package `modeling_empathy` must be installed.
"""

_CITATION = """
@inproceedings{sharma2020empathy,
    title = {A Computational Approach to Understanding Empathy Expressed in Text-Based Mental Health Support},
    author = {Sharma, Ashish and Miner, Adam S. and Atkins, David C. and Althoff, Tim},
    booktitle = {Proceedings of the 2020 Conference on Empirical Methods in Natural Language Processing (EMNLP)},
    year = {2020}
}
@article{cohen1968weighted,
    title = {Weighted kappa: Nominal scale agreement with provision for scaled disagreement or partial credit},
    author = {Cohen, Jacob},
    journal = {Psychological Bulletin},
    volume = {70},
    number = {4},
    pages = {213--220},
    year = {1968}
}
"""

_INPUTS_DESCRIPTION = """
Args:
    predictions (list of int): the predicted level of each response, 0, 1 or 2.
    references (list of int): the annotated level of each response, in the same order; -100 leaves a response out.

Returns:
    accuracy: share of responses whose level is right.
    macro_f1: mean F1 over the levels that occur in the references or the predictions.
    f1_no, f1_weak, f1_strong: F1 of one level; 0 for a level that occurs in neither.
    quadratic_weighted_kappa: agreement beyond chance, disagreements weighted by squared distance; 0 where references
        and predictions are one and the same level throughout.

Examples:
    >>> import evaluate
    >>> metric = evaluate.load("metrics/empathy_identification")
    >>> results = metric.compute(predictions=[0, 0, 1, 2, 1], references=[0, 0, 2, 2, -100])
    >>> results["accuracy"]
    0.75
    >>> round(results["quadratic_weighted_kappa"], 3)
    0.857
"""


# The descriptions become the docstring; `metric.inputs_description` is what `evaluate` shows a user.
@evaluate.utils.file_utils.add_start_docstrings(_DESCRIPTION, _INPUTS_DESCRIPTION)
class EmpathyIdentification(evaluate.Metric):
    def _info(self) -> evaluate.MetricInfo:
        return evaluate.MetricInfo(
            description=_DESCRIPTION,
            citation=_CITATION,
            inputs_description=_INPUTS_DESCRIPTION,
            features=datasets.Features(
                {"predictions": datasets.Value("int64"), "references": datasets.Value("int64")}
            ),
            reference_urls=["https://aclanthology.org/2020.emnlp-main.425", "https://doi.org/10.1037/h0026256"],
        )

    def _compute(self, predictions: list[int], references: list[int]) -> dict[str, Any]:
        return identification_metrics(predictions, references)
