"""What a training run writes down, without the run."""

from typing import Any

from modeling_empathy import MECHANISMS
from modeling_empathy.corpus.provenance import provenance_of_files, sample_folder
from modeling_empathy.evaluation.metrics import REPORTED


# Annotated level by predicted level.
CONFUSION = [[8, 1, 1], [2, 3, 0], [0, 1, 4]]

# Family, its kind, cells, right ones and confident errors.
FAMILIES = (
    ("mock_praise", "sarcasm", 12, 9, 2),
    ("facts", "advice, facts", 9, 8, 1),
    ("fit_reaction", "fits", 6, 2, 0),
)


def behaviour() -> dict[str, Any]:
    """What was measured by a suite of three families."""
    return {
        "responses": 9,
        "cells": 27,
        "right": 19,
        "accuracy": 19 / 27,
        "families": {
            name: {"kind": kind, "cells": cells, "right": right, "accuracy": right / cells, "confident_errors": errors}
            for name, kind, cells, right, errors in FAMILIES
        },
        "needs_seeker_post": {"cells": 6, "right": 2, "accuracy": 2 / 6},
        "confident_errors": {"cells": 3, "share": 3 / 27},
        "invariance": {"typos": 0.875, "capitals": 0.75, "emoji": 1.0, "name": 0.625},
        "direction": {"pairs": 8, "right": 5, "accuracy": 5 / 8},
    }


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
        "behaviour": behaviour(),
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
