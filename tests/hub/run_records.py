"""What a training run writes down, without the run."""

from typing import Any

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.provenance import provenance_of_files, sample_folder
from modeling_empathy.evaluation.metrics import REPORTED


# Annotated level by predicted level.
CONFUSION = [[8, 1, 1], [2, 3, 0], [0, 1, 4]]


def run_record() -> dict[str, Any]:
    """A record of `metrics.json` on the sample; what belongs to one machine names somebody and a host."""
    test = {
        f"{mechanism}_{metric.name}": round(0.5 + 0.1 * index + 0.01 * place, 3)
        for index, mechanism in enumerate(MECHANISMS)
        for place, metric in enumerate(REPORTED)
    }
    files = {path.name: path for path in sorted(sample_folder().glob("*.csv"))}
    training = {"seed": 12, "learning_rate": 1e-4, "output_dir": "/home/somebody/out", "run_name": "secret-host"}
    return {
        "metrics": {"validation": {"loss": 0.5}, "test": test},
        "definitions": "those of a test",
        "confusion": dict.fromkeys(MECHANISMS, CONFUSION),
        "data": {
            "provenance": provenance_of_files(files).to_dict(),
            "pairs": {"train": 102, "validation": 20, "test": 20},
            "encoder": "somebody/encoder",
        },
        "arguments": {
            "model": {"encoder": "/home/somebody/encoder", "level_weighting": "root_inverse"},
            "data": {"data_dir": "/home/somebody/csv", "max_length": 128, "unannotated": "none"},
            "training": training,
        },
        "versions": {"torch": "2.0"},
    }
