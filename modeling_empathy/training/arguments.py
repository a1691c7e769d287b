"""What can be set when training: the same names on the command line, in a YAML or JSON file and in Python."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields
from typing import Any

from transformers import TrainingArguments
from transformers.hf_argparser import HfArg

from ..corpus.token_labels import UNANNOTATED
from ..errors import InputError
from ..model.configuration_checks import LEVEL_POOLINGS, RATIONALE_UNITS
from ..model.mechanisms import MECHANISMS
from ..precision import computes_in_bfloat16
from .ranges import (
    COUNT,
    COUNT_OR_NONE,
    NOT_NEGATIVE,
    POSITIVE,
    SEED,
    SHARE,
    SHARE_BELOW_1,
    TOKENS,
    check_ranges,
)


@dataclass
class ConfigArguments:
    """What of the model is an option of [`EmpathyConfig`] too, by the same name."""

    mechanisms: list[str] = HfArg(  # noqa: RUF009 - it returns a field
        default_factory=lambda: list(MECHANISMS),
        help="Mechanisms to learn, in the order of the logits.",
        metadata={"choices": list(MECHANISMS)},
    )
    share_responder_encoder: bool = HfArg(
        default=True, help="One response encoder for all mechanisms; otherwise one each, as published."
    )
    freeze_seeker_encoder: bool = HfArg(default=True, help="Keep the seeker encoder as pretrained, as published.")
    seeker_dropout: bool = HfArg(
        default=False, help="Dropout in the frozen seeker encoder too, as the original code has it."
    )
    attend_to_padding: bool = HfArg(
        default=False, help="Pad to --max_length and let the cross-attention see it, as the original code does."
    )
    cross_attention_norm: bool = HfArg(
        default=True, help="Layer norm after the cross-attention's residual; the original has none."
    )
    level_pooling: str = HfArg(
        default="rationale",
        help="What the level head reads: the first token (as published), also the rationale-weighted mean, or, with "
        "'context', how near both are to the seeker post too.",
        metadata={"choices": list(LEVEL_POOLINGS)},
    )
    rationale_unit: str = HfArg(
        default="clause",
        help="What belongs to a rationale or not: each token (as published), or each clause as a whole.",
        metadata={"choices": list(RATIONALE_UNITS)},
    )
    level_smoothing: float = HfArg(default=0.1, help="Share of a level's label that the loss spreads over all levels.")
    lambda_EI: float = HfArg(default=0.5, help="Weight of the identification loss.")
    lambda_RE: float = HfArg(default=0.5, help="Weight of the rationale loss.")
    lambda_context: float = HfArg(
        default=0.0, help="Weight of the loss that asks which seeker post of the batch a response answers."
    )
    window_stride: int | None = HfArg(
        default=32,
        help="Written into the model, which then scores longer responses to their end, in windows that share this "
        "many tokens; with null in a file, and in a model that attends to padding, it cuts them.",
    )
    head_dropout: float = HfArg(
        default=0.1, help="Dropout of what the cross-attention adds and before the rationale head."
    )
    level_dropout: float | None = HfArg(
        default=None, help="Dropout of attention weights and in the level head; --head_dropout when unset."
    )

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "level_smoothing": SHARE_BELOW_1,
                "lambda_EI": NOT_NEGATIVE,
                "lambda_RE": NOT_NEGATIVE,
                "lambda_context": NOT_NEGATIVE,
                "window_stride": COUNT_OR_NONE,
                "head_dropout": SHARE,
                "level_dropout": SHARE,
            },
        )

    def config_options(self) -> dict[str, Any]:
        """These options as keywords of [`EmpathyConfig`]."""
        options = {option.name: getattr(self, option.name) for option in fields(ConfigArguments)}
        if self.attend_to_padding:
            options["window_stride"] = None
        return options


@dataclass
class ModelArguments(ConfigArguments):
    """The model that is trained."""

    encoder: str = HfArg(
        default="roberta-base",
        help="Encoder to start from: a name on the Hub, a folder, or 'embedded' (all-MiniLM-L6-v2).",
    )
    encoder_revision: str | None = HfArg(default=None, help="Branch, tag or commit of the encoder.")
    separate_models: bool = HfArg(
        default=False, help="Train one model for each mechanism, as published, and join them in one checkpoint."
    )
    freeze_embeddings: bool = HfArg(
        default=False, help="Keep the embeddings of words in the response encoders as pretrained."
    )
    level_weighting: str = HfArg(
        default="root_inverse",
        help="Weight of a level in the loss: equal, or the root of its inverse frequency in training.",
        metadata={"choices": ["none", "root_inverse"]},
    )
    original_tokenization: bool = HfArg(
        default=False, help="Lower-case posts before a cased tokenizer, as the original code does."
    )


# Of the data arguments those that put something beside a corpus.
BESIDE_A_CORPUS = ("extra_data", "extra_weight", "mismatched_weight")


@dataclass
class DataArguments:
    """The data it is trained on."""

    source: str = HfArg(
        default="auto",
        help="'auto': --data_dir, else EMPATHY_CORPUS_DIR, else the download; 'sample': the shipped sample.",
        metadata={"choices": ["auto", "sample"]},
    )
    data_dir: str | None = HfArg(default=None, help="Folder with the three CSV files.")
    train_path: str | None = HfArg(
        default=None, help="Instead of a corpus: a file of one mechanism, raw or prepared; all of it is trained on."
    )
    dev_path: str | None = HfArg(default=None, help="With --train_path: the validation file.")
    test_path: str | None = HfArg(default=None, help="With --train_path: the test file.")
    max_length: int = HfArg(default=128, help="Tokens of a post; the rest is cut. The original has 64.")
    unannotated: str = HfArg(
        default="ignore",
        help="In training, what does a response at level 0 say of rationales? 'ignore': nothing, so that they "
        "are learned where there are some; 'none': none of it is one; 'all': all (the original's heuristic); "
        "'original': all, labelled exactly as the original code does.",
        metadata={"choices": list(UNANNOTATED)},
    )
    train_on_everything: bool = HfArg(
        default=False,
        help="Train on the validation and test splits too, for a model to give away. How good it is says a run "
        "of the same arguments that held them out: name its folder with --decisions_of.",
    )
    decisions_of: str | None = HfArg(
        default=None,
        help="Take level temperatures and rationale thresholds from the model in this folder, where there is "
        "no validation split to choose them on.",
    )
    development: bool = HfArg(
        default=False,
        help="Leave the test split alone and hold out a fifth of the train split in its place, to choose "
        "between recipes.",
    )
    salt: str = HfArg(default="", help="Prefix of sp_id in the split rule, for other splits.")
    extra_data: str | None = HfArg(
        default=None,
        help="Pairs that are trained on beside the corpus: 'contrast', the training families of the synthetic "
        "behaviour suite, on whose other families the model is then measured; or a folder with three CSV files, of "
        "which all pairs are.",
    )
    extra_weight: float = HfArg(
        default=1.0,
        help="How often an epoch has each pair of --extra_data; of a fraction, as many of them; 0 leaves out what a "
        "recipe has.",
    )
    mismatched_weight: float = HfArg(
        default=0.0,
        help="How often an epoch has each response that speaks of something particular beside a seeker post that it "
        "does not answer, where it shows nothing; 0: not at all.",
    )
    strict: bool = HfArg(default=False, help="Stop where a rationale can't be aligned to its response.")
    data_cache_dir: str | None = HfArg(default=None, help="Where the built data set is kept.")

    def __post_init__(self) -> None:
        check_ranges(self, {"max_length": TOKENS, "extra_weight": NOT_NEGATIVE, "mismatched_weight": NOT_NEGATIVE})
        if self.extra_weight == 0:
            self.extra_data = None


# Of transformers' arguments those that make no training, or another than was asked for, when they are out of it.
_TRAINING_RANGES = {
    **dict.fromkeys(("seed", "data_seed"), SEED),
    **dict.fromkeys(("learning_rate", "head_learning_rate", "weight_decay", "max_grad_norm"), NOT_NEGATIVE),
    **dict.fromkeys(("num_train_epochs", "logging_steps", "eval_steps", "save_steps", "adam_epsilon"), POSITIVE),
    **dict.fromkeys(("adam_beta1", "adam_beta2"), SHARE_BELOW_1),
    **dict.fromkeys(
        (
            "per_device_train_batch_size",
            "per_device_eval_batch_size",
            "gradient_accumulation_steps",
            "eval_accumulation_steps",
            "save_total_limit",
        ),
        COUNT,
    ),
    **dict.fromkeys(("warmup_steps",), NOT_NEGATIVE),
    **dict.fromkeys(("measured_rationales", "dataloader_num_workers"), COUNT_OR_NONE),
}


@dataclass
class EmpathyTrainingArguments(TrainingArguments):
    """transformers' TrainingArguments with the defaults of this task; all of them can be set."""

    output_dir: str = HfArg(default="output", help="Where model, metrics and plots are written.")
    seed: int = HfArg(default=12, help="Seed of initialization, order and dropout.")
    learning_rate: float = HfArg(default=2e-5, help="Peak learning rate of the encoders.")
    head_learning_rate: float | None = HfArg(
        default=1e-4, help="Peak learning rate of cross-attention and heads; the encoders' when unset."
    )
    num_train_epochs: float = HfArg(default=6.0, help="Passes over the training split.")
    per_device_train_batch_size: int = HfArg(default=32, help="Pairs a step on each device.")
    per_device_eval_batch_size: int = HfArg(default=32, help="Pairs an evaluation step on each device.")
    warmup_steps: float = HfArg(default=0.1, help="Warm-up: steps, or a share of them below 1.")
    weight_decay: float = HfArg(default=0.01, help="AdamW's weight decay.")
    eval_strategy: str = HfArg(default="epoch", help="When the validation split is evaluated.")
    save_strategy: str = HfArg(default="epoch", help="When a checkpoint is saved.")
    save_total_limit: int | None = HfArg(default=1, help="Checkpoints kept beside the best.")
    load_best_model_at_end: bool = HfArg(default=True, help="End with the best checkpoint.")
    tune_rationale_thresholds: bool = HfArg(
        default=True, help="Choose rationale thresholds on the validation split; 0.5 otherwise."
    )
    fit_level_temperatures: bool = HfArg(
        default=True, help="Calibrate levels on the validation split: a temperature a mechanism."
    )
    measured_rationales: int = HfArg(
        default=30,
        help="Test responses of each mechanism on which it is measured how faithful rationales are; with 0, "
        "neither that nor what levels owe to the seeker post, nor behaviour by the suite.",
    )
    save_model: bool = HfArg(default=True, help="Save the trained model; with --train_path only if this is given.")
    save_model_path: str | None = HfArg(
        default=None, help="The original's name for --output_dir; of a .pth, the folder of that name is written."
    )
    metric_for_best_model: str | None = HfArg(default="macro_f1", help="What makes one the best.")
    logging_steps: float = HfArg(default=10, help="Steps between two points of the loss curve.")
    train_sampling_strategy: str = HfArg(
        default="group_by_length", help="Batches of like lengths waste little padding."
    )
    # The Trainer drops what `forward` does not take: the clauses, which metrics read, would be lost.
    remove_unused_columns: bool | None = HfArg(default=False, help="The collator picks its columns.")

    auto_bf16: bool = HfArg(
        default=True,
        help="Train in bfloat16 (autocast) where the processor or GPU computes in it, unless --bf16, --fp16 or "
        "accelerate's configuration says what to train in.",
    )

    def __post_init__(self) -> None:
        # Before transformers computes with them.
        check_ranges(self, _TRAINING_RANGES)
        if self.max_steps != -1 and self.max_steps < 1:
            raise InputError(f"max_steps={self.max_steps}: a whole number from 1, or -1 to count epochs instead.")
        if self.label_smoothing_factor:
            raise InputError("label_smoothing_factor does nothing here: level_smoothing smooths the labels of levels.")
        super().__post_init__()
        is_chosen = self.mixed_precision != "no" or self.deepspeed or "ACCELERATE_MIXED_PRECISION" in os.environ
        if self.auto_bf16 and not is_chosen and computes_in_bfloat16(self.device):
            # Both, because the second, which the Trainer reads, is derived from the first before this line.
            self.bf16 = True
            self.mixed_precision: str = "bf16"
        if self.push_to_hub:
            raise InputError(
                "--push_to_hub would send the whole output folder, with what people wrote: publish the trained model "
                "with push_to_hub.py."
            )
        if not self.load_best_model_at_end:
            # Or the best checkpoint would be kept in place of the newest, from which a run goes on.
            self.metric_for_best_model = None
        if self.device.type == "cpu":
            # Pinned memory is for copies to an accelerator; without one torch warns at every data loader.
            self.dataloader_pin_memory = False
