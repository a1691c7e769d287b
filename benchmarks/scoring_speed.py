#!/usr/bin/env python
"""How fast pairs are scored, beside the published way in the same run, and how near that is to the arithmetic.

    python -m benchmarks.scoring_speed --data_dir path/to/csvs
    python -m benchmarks.scoring_speed --encoder roberta-base-size --pairs 256

Both score the same pairs, cut to 64 tokens as published, on all three mechanisms; the outputs are compared. Medians
over --runs of pairs a second, and of the ratios of each run; the share is that of the needed arithmetic (no padding,
no repeats) in what a large matrix product of the run's own type reaches on this machine. A single pair is timed from
its text to its result.
"""

from __future__ import annotations

import argparse
import copy
import gc
import json
import statistics
import tempfile
from functools import partial
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, PreTrainedTokenizerBase, set_seed

from benchmarks.machine import described, matrix_rates, median_of, needed_gflop
from benchmarks.published_way import PADDED_LENGTH, PublishedScorer, separate_models
from dataset_scripts.epitome import load_epitome
from modeling_empathy import EmpathyConfig, EmpathyModel
from modeling_empathy.encoders import EMBEDDED, load_tokenizer, resolve_encoder
from modeling_empathy.scoring.engine import ScoringEngine
from modeling_empathy.scoring.onnx_backend import OnnxBackend
from modeling_empathy.scoring.onnx_export import export_onnx


ROBERTA_BASE_SIZE = "roberta-base-size"
PUBLISHED = "published, fp32"
# Whose matrix rates are measured; of 8-bit integers none is.
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--encoder", default=EMBEDDED, choices=[EMBEDDED, ROBERTA_BASE_SIZE])
    parser.add_argument("--data_dir", help="folder of the corpus; the sample when left out")
    parser.add_argument("--pairs", type=int, default=1024, help="most pairs scored in a run (default: %(default)s)")
    parser.add_argument("--baseline_pairs", type=int, default=60, help="of these by the published way")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--device", default="cpu", help="cpu or cuda (default: %(default)s)")
    parser.add_argument("--output_path", type=Path, help="JSON")
    args = parser.parse_args()
    corpus = load_epitome(source="auto" if args.data_dir else "sample", data_dir=args.data_dir)
    every = ((row["seeker_post"], row["response_post"]) for rows in corpus.values() for row in rows)
    pairs = list(islice(every, args.pairs))
    rates = {name: matrix_rates(dtype, args.device) for name, dtype in DTYPES.items()}
    fastest = {name: max(ways.values()) for name, ways in rates.items()}
    results = [result for is_shared in (False, True) for result in measured(args, is_shared, pairs, fastest)]
    listed = "; ".join(f"{name}, {way}: {rate:.0f}" for name, ways in rates.items() for way, rate in ways.items())
    print(f"A large matrix product, GFLOP/s: {listed}\n\n{table(results)}")
    if args.output_path:
        args.output_path.write_text(
            json.dumps({"machine": described(), "matrix_rates": rates, "results": results}, indent=2) + "\n"
        )


def build(encoder: str, is_shared: bool) -> tuple[EmpathyModel, PreTrainedTokenizerBase]:
    """A model of that size; its heads, and roberta-base's size as a whole, have random weights."""
    set_seed(0)
    tokenizer = load_tokenizer(EMBEDDED)
    options: dict[str, Any] = {"share_responder_encoder": is_shared, "max_post_length": PADDED_LENGTH}
    if encoder == EMBEDDED:
        return EmpathyModel.from_encoder(resolve_encoder(EMBEDDED), **options).eval(), tokenizer
    sizes = AutoConfig.for_model("roberta", vocab_size=50265, max_position_embeddings=514, type_vocab_size=1)
    return EmpathyModel(EmpathyConfig(encoder_config=sizes, **options)).eval(), tokenizer


def measured(
    args: argparse.Namespace, is_shared: bool, pairs: list[tuple[str, str]], rates: dict[str, float]
) -> list[dict[str, Any]]:
    """A row for the published way, and one for each of ours."""
    model, tokenizer = build(args.encoder, is_shared)
    named = {"encoder": args.encoder, "responders": "shared" if is_shared else "separate"}
    published = PublishedScorer([single.to(args.device) for single in separate_models(model)], tokenizer)
    few = pairs[: args.baseline_pairs]
    expected = [published.score(*pair) for pair in few]
    ways = engines(args, model, tokenizer)
    seconds: dict[str, list[float]] = {way: [] for way in (PUBLISHED, *ways)}  # of a pair
    alone: dict[str, list[float]] = {way: [] for way in seconds}
    for engine in ways.values():
        score_all(engine, pairs[:64])
    gc.freeze()  # as `empathy score` does
    for _ in range(args.runs):  # in turn, so that what else the machine does meets all alike
        singles = [median_of(1, partial(published.score, *pair)) for pair in few]
        alone[PUBLISHED] += singles
        seconds[PUBLISHED].append(sum(singles) / len(few))
        for way, engine in ways.items():
            seconds[way].append(median_of(1, partial(score_all, engine, pairs)) / len(pairs))
            alone[way] += [median_of(1, partial(score_all, engine, [pair])) for pair in few]
    needed = needed_gflop(model.config, *(distinct_tokens(tokenizer, pairs, post) for post in (0, 1))) / len(pairs)
    rows = []
    for way, taken in seconds.items():
        ratios = [before / after for before, after in zip(seconds[PUBLISHED], taken, strict=True)]
        row = named | {"way": way, "pairs_per_second": 1 / statistics.median(taken)}
        row |= {"ratio": statistics.median(ratios)} | percentiles(alone[way])
        if way in ways:
            row["largest_difference"] = largest_difference(ways[way], few, expected)
            dtype = way.split(", ")[1]
            if dtype in rates:
                row["share"] = needed / statistics.median(taken) / rates[dtype]
        rows.append(row)
    return rows


def engines(
    args: argparse.Namespace, model: EmpathyModel, tokenizer: PreTrainedTokenizerBase
) -> dict[str, ScoringEngine]:
    """Each of our ways by its name, "what computes, in which type"."""
    model = model.to(args.device)
    ways = {"torch, fp32": ScoringEngine.of_model(copy.deepcopy(model), tokenizer)}
    if args.device == "cpu" and find_spec("onnxruntime"):
        with tempfile.TemporaryDirectory() as folder:
            model.save_pretrained(folder)
            tokenizer.save_pretrained(folder)
            export_onnx(folder)
            for precision in ("fp32", "int8"):
                backend = OnnxBackend(Path(folder), precision=precision)
                ways[f"onnx, {precision}"] = ScoringEngine(backend, tokenizer, model.config)
    ways["torch, bf16"] = ScoringEngine.of_model(model.to(torch.bfloat16), tokenizer)
    return ways


def distinct_tokens(tokenizer: PreTrainedTokenizerBase, pairs: list[tuple[str, str]], post: int) -> int:
    """Tokens of the different texts among the seeker posts (0) or the responses (1)."""
    texts = list({pair[post] for pair in pairs})
    return sum(map(len, tokenizer(texts, truncation=True, max_length=PADDED_LENGTH)["input_ids"]))


def score_all(engine: ScoringEngine, pairs: list[tuple[str, str]]) -> list[dict[str, Any]]:
    """From text to results."""
    return list(engine(pairs))


def percentiles(seconds: list[float]) -> dict[str, float]:
    """p50 and p95 in milliseconds."""
    ordered = sorted(seconds)
    return {"p50_ms": 1e3 * statistics.median(ordered), "p95_ms": 1e3 * ordered[int(0.95 * (len(ordered) - 1))]}


def largest_difference(engine: ScoringEngine, pairs: list[tuple[str, str]], expected: list[Any]) -> float:
    """Between the probabilities of levels of both ways."""
    results = engine(pairs, return_all_scores=True)
    return max(
        abs(score - float(levels[level]))
        for result, published in zip(results, expected, strict=True)
        for mechanism, (levels, _) in zip(engine.config.mechanisms, published, strict=True)
        for level, score in enumerate(result[mechanism]["scores"].values())
    )


def table(results: list[dict[str, Any]]) -> str:
    """The rows as Markdown."""
    lines = ["| encoder | response encoders | way | pairs/s | ratio | share | p50 ms | p95 ms | largest difference |"]
    lines.append("|---" * 9 + "|")
    for row in results:
        share = f"{row['share']:.2f}" if "share" in row else ""
        difference = f"{row['largest_difference']:.1e}" if "largest_difference" in row else ""
        lines.append(
            f"| {row['encoder']} | {row['responders']} | {row['way']} | {row['pairs_per_second']:.1f} | "
            f"{row['ratio']:.1f} | {share} | {row['p50_ms']:.1f} | {row['p95_ms']:.1f} | {difference} |"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    main()
