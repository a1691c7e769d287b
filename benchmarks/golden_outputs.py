#!/usr/bin/env python
"""How far a converted checkpoint is from what the original code computed: the largest absolute differences.

python benchmarks/golden_outputs.py path/to/original_checkpoint

The folder holds `tiny.pth`, saved by the original code, and `tiny.json` with a padded batch and its outputs. They are
compared once after `empathy convert`, and once more after `--reverse` and back.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

import torch

from modeling_empathy import EmpathyModel
from modeling_empathy.checkpoints.conversion import convert_back, convert_files


Differences = dict[str, dict[str, float]]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", type=Path, help="folder with tiny.pth and tiny.json")
    with tempfile.TemporaryDirectory() as scratch:
        largest = differences(parser.parse_args().folder, Path(scratch))
    names = list(largest["converted"])
    print("| | " + " | ".join(names) + " |\n" + "|---" * (len(names) + 1) + "|")
    for state, values in largest.items():
        print(f"| {state} | " + " | ".join(f"{values[name]:.1e}" for name in names) + " |")


def differences(folder: Path, scratch: Path) -> Differences:
    """Converts there, back and there again, in `scratch`.

    Returns:
        `"converted"` and `"there and back"`, each with the largest absolute difference of both logits and the losses.
    """
    golden = json.loads((folder / "tiny.json").read_text(encoding="utf-8"))
    options = {
        "num_attention_heads": golden["config"]["num_attention_heads"],
        "lambda_EI": golden["lambda_EI"],
        "lambda_RE": golden["lambda_RE"],
    }
    convert_files({"explorations": folder / "tiny.pth"}, scratch / "converted", **options)
    convert_back(str(scratch / "converted"), scratch / "back.pth")
    convert_files({"explorations": scratch / "back.pth"}, scratch / "there and back", **options)
    return {name: _differences(scratch / name, golden) for name in ("converted", "there and back")}


def _differences(checkpoint: Path, golden: dict[str, list[object]]) -> dict[str, float]:
    def tensor(name: str) -> torch.Tensor:
        return torch.tensor(golden[name])

    mask = tensor("attention_mask_RP")
    with torch.inference_mode():
        output = EmpathyModel.from_pretrained(checkpoint).eval()(
            tensor("input_ids_SP"),
            tensor("attention_mask_SP"),
            tensor("input_ids_RP"),
            mask,
            empathy_labels=tensor("empathy_labels")[:, None],
            rationale_labels=tensor("rationale_labels").masked_fill(mask == 0, -100)[:, None],
        )
    computed = {
        "logits_empathy": output.empathy_logits[:, 0],
        "logits_rationale": output.rationale_logits[:, 0],
        "loss_empathy": output.identification_loss,
        "loss_rationale": output.rationale_loss,
        "loss": output.loss,
    }
    for name, values in computed.items():
        if values.shape != tensor(name).shape:
            raise ValueError(f"{name} has shape {tuple(values.shape)}, expected {tuple(tensor(name).shape)}")
    return {name: (values - tensor(name)).abs().max().item() for name, values in computed.items()}


if __name__ == "__main__":
    main()
