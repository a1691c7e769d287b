"""Predictions at random, and their metrics as `metrics.py` has them."""

import numpy as np

from modeling_empathy.evaluation.metrics import identification_metrics, rationale_metrics


def random_predictions(pairs: int, seed: int, right: float = 0.5) -> list[dict]:
    """Predictions of which a share is right; annotations are the same for every seed."""
    annotations, predictions = np.random.default_rng(0), np.random.default_rng(seed)
    rows = []
    for _ in range(pairs):
        level = int(annotations.choice([0, 1, 2, -100], p=[0.5, 0.2, 0.25, 0.05]))
        labels = annotations.integers(0, 2, 12) if level > 0 else np.zeros(12, dtype=int)
        labels[[0, -1]] = -100
        if annotations.random() < 0.1:
            labels[:] = -100
        is_right = predictions.random() < right
        marks = (labels == 1).astype(int) if is_right else predictions.integers(0, 2, 12) * predictions.integers(0, 2)
        guess = level if is_right and level >= 0 else int(predictions.integers(0, 3))
        rows.append(
            {
                "annotated_level": level,
                "level": guess,
                "token_mask": marks.tolist(),
                "token_scores": marks.astype(float).tolist(),
                "unit_scores": np.round(marks * 0.4 + predictions.random(12) * 0.6, 1).tolist(),
                "token_labels": labels.tolist(),
            }
        )
    return rows


def by_metrics_py(rows: list[dict]) -> dict[str, float]:
    levels = [row["level"] for row in rows], [row["annotated_level"] for row in rows]
    labels = [row["token_labels"] for row in rows]
    shown = [[mark * (row["level"] > 0) for mark in row["token_mask"]] for row in rows]
    as_shown = rationale_metrics(shown, labels)
    return (
        identification_metrics(*levels)
        | rationale_metrics([row["token_mask"] for row in rows], labels)
        | {name.replace("all_", "shown_"): value for name, value in as_shown.items() if name.startswith("all_")}
    )
