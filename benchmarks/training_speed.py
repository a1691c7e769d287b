#!/usr/bin/env python
"""How long training takes to be as good as the published way in the end, beside the published way in the same run.

    python -m benchmarks.training_speed --data_dir path/to/csvs
    python -m benchmarks.training_speed --data_dir path/to/csvs --macro_f1 0.55 --baseline_steps 40

The published way trains three models for four epochs; its time is its steps times the median of their seconds, its
quality the mean macro-F1 of the three on the validation split. With `--macro_f1` that quality is taken as known, and
only so many of its steps are timed. Ours is one model of all three mechanisms by the recipe `embedded`: the seconds
of its steps, evaluation apart, until its validation macro-F1 is at least as high in two evaluations in a row, 10 steps
apart; the median of --runs seeds.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from transformers import PrinterCallback, TrainerCallback, set_seed

from benchmarks.machine import described
from benchmarks.published_way import PublishedTrainer
from dataset_scripts.epitome import load_epitome
from modeling_empathy import MECHANISMS
from modeling_empathy.encoders import EMBEDDED, load_tokenizer
from modeling_empathy.training.build import build_model
from modeling_empathy.training.data import features_of
from modeling_empathy.training.one_model import trainer_of
from modeling_empathy.training.parsing import parse_arguments
from modeling_empathy.training.seeker_states import remembered_seeker_states


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument("--macro_f1", type=float, help="what the published way reaches, if it is known")
    parser.add_argument("--baseline_steps", type=int, default=40, help="with --macro_f1: its steps that are timed")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--options", nargs=argparse.REMAINDER, default=[], help="further options of train_hf.py, last")
    parser.add_argument("--output_path", type=Path, help="JSON")
    args = parser.parse_args()
    corpus = load_epitome(source="auto" if args.data_dir else "sample", data_dir=args.data_dir)
    baseline = published(corpus, args.macro_f1, args.baseline_steps)
    print(
        f"published way: {baseline['seconds']:.0f} s to macro-F1 {baseline['macro_f1']:.3f}, "
        f"{baseline['pairs_per_second']:.1f} pairs/s for all three",
        flush=True,
    )
    runs = [ours(corpus, baseline["macro_f1"], 12 + number, args.options) for number in range(args.runs)]
    seconds = statistics.median(run["seconds"] for run in runs)
    rate = statistics.median(run["pairs_per_second"] for run in runs)
    print("\n| way | pairs/s, all three mechanisms | seconds to macro-F1 | validation macro-F1 | ratio |")
    print("|---|---|---|---|---|")
    print(
        f"| published, three models | {baseline['pairs_per_second']:.1f} | {baseline['seconds']:.0f} | "
        f"{baseline['macro_f1']:.3f} | 1.0 |"
    )
    reached = ", ".join(f"{run['macro_f1']:.3f}" for run in runs)
    print(f"| one model | {rate:.1f} | {seconds:.0f} | {reached} | {baseline['seconds'] / seconds:.1f} |")
    if args.output_path:
        content = {"machine": described(), "published": baseline, "ours": runs, "options": args.options}
        args.output_path.write_text(json.dumps(content, indent=2) + "\n")


def published(corpus: Any, known: float | None, timed_steps: int) -> dict[str, float]:
    """Seconds, macro-F1 and pairs a second of the published way."""
    seconds, macro_f1 = 0.0, []
    for mechanism in MECHANISMS:
        trainer = PublishedTrainer(EMBEDDED, mechanism, corpus)
        step_seconds = trainer.train(None if known is None else timed_steps)
        seconds += trainer.steps * statistics.median(step_seconds)
        if known is None:
            macro_f1.append(trainer.macro_f1())
            print(f"published way, {mechanism}: {sum(step_seconds):.0f} s, macro-F1 {macro_f1[-1]:.3f}", flush=True)
    pairs = len(corpus["train"]) * PublishedTrainer.epochs
    reached = known if known is not None else statistics.mean(macro_f1)
    return {"seconds": seconds, "macro_f1": reached, "pairs_per_second": pairs / seconds}


class _Until(TrainerCallback):
    """Adds up the time of the steps, and stops once two evaluations in a row are good enough: one may be chance."""

    def __init__(self, macro_f1: float) -> None:
        self.wanted, self.reached = macro_f1, 0.0
        self.seconds, self.steps, self.mark = 0.0, 0, 0.0

    def on_train_begin(self, *_: Any, **__: Any) -> None:
        self.mark = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        now = time.perf_counter()
        self.seconds, self.steps, self.mark = self.seconds + now - self.mark, self.steps + 1, now

    def on_evaluate(self, _: Any, __: Any, control: Any, metrics: dict[str, float], **___: Any) -> None:
        before, self.reached = self.reached, metrics["eval_macro_f1"]
        control.should_training_stop = min(before, self.reached) >= self.wanted
        self.mark = time.perf_counter()


def ours(corpus: Any, macro_f1: float, seed: int, options: list[str]) -> dict[str, float]:
    """The same of one model for all mechanisms."""
    with tempfile.TemporaryDirectory() as folder:
        more = ["--eval_strategy", "steps", "--eval_steps", "10", "--save_strategy", "no", "--report_to", "none"]
        more += ["--load_best_model_at_end", "False", "--output_dir", folder, "--seed", str(seed), *options]
        arguments = parse_arguments(["--recipe", "embedded", "--disable_tqdm", "True", *more])
        model_args, data_args, training_args = arguments
        set_seed(seed)
        tokenizer = load_tokenizer(EMBEDDED)
        features = features_of(corpus, tokenizer, model_args, data_args)
        model = build_model(model_args, data_args, features["train"])
        trainer = trainer_of(model, tokenizer, features, training_args)
        until = _Until(macro_f1)
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(until)
        with remembered_seeker_states(model, features["train"]["seeker_input_ids"]):
            trainer.train()
    rate = until.steps * training_args.per_device_train_batch_size / until.seconds
    return {"seconds": until.seconds, "steps": until.steps, "macro_f1": until.reached, "pairs_per_second": rate}


if __name__ == "__main__":
    main()
