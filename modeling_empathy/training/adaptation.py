"""Domain-adaptive pre-training: an encoder goes on filling in masked words, in posts of people who seek support."""

from __future__ import annotations

import hashlib
import math
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import datasets
import torch
from transformers import (
    AutoModel,
    AutoModelForMaskedLM,
    DataCollatorForLanguageModeling,
    PreTrainedModel,
    PreTrainedTokenizerBase,
    Trainer,
    set_seed,
)
from transformers.utils import logging

from ..encoders import load_tokenizer, name_on_hub, resolve_encoder
from ..errors import InputError, first_line, shortened
from ..files.whole_files import whole_folder
from ..hub.cards import CARD
from ..model.configuration_empathy import pretrained_encoder_config
from ..model.mechanisms import POSTS
from ..phases import phase
from .arguments import EmpathyTrainingArguments
from .live_line import show_live_line
from .ranges import COUNT, NOT_NEGATIVE, POSITIVE, SEED, SHARE_BELOW_1, SHARE_BETWEEN, TOKENS, check_ranges


logger = logging.get_logger(__name__)

_MODEL_INPUTS = ("input_ids", "attention_mask", "special_tokens_mask")


@dataclass(frozen=True)
class AdaptationArguments:
    """What can be set when an encoder is adapted.

    Attributes:
        encoder: Whose training is continued: a name on the Hub, a folder, or `"embedded"`.
        num_train_epochs: Passes over the posts.
        learning_rate: Its peak.
        batch_size: Examples a step on each device.
        max_length: Tokens of an example, special tokens included; a longer post becomes several.
        mlm_probability: The share of tokens that are masked.
        held_out: The share of posts that are measured on and not trained on; with 0 nothing is measured.
        seed: Of masks, order, dropout and of a masked-LM head that the encoder comes without.
        bf16: Train in bfloat16 (autocast); None: where the processor or GPU computes in it.

    Raises:
        InputError: Names the first that is out of its range.
    """

    encoder: str = "roberta-base"
    num_train_epochs: float = 10.0
    learning_rate: float = 5e-5
    batch_size: int = 32
    max_length: int = 128
    mlm_probability: float = 0.15
    held_out: float = 0.05
    seed: int = 12
    bf16: bool | None = None

    def __post_init__(self) -> None:
        check_ranges(
            self,
            {
                "num_train_epochs": POSITIVE,
                "learning_rate": NOT_NEGATIVE,
                "batch_size": COUNT,
                "max_length": TOKENS,
                "mlm_probability": SHARE_BETWEEN,
                "held_out": SHARE_BELOW_1,
                "seed": SEED,
            },
        )


@dataclass(frozen=True)
class Adaptation:
    """What came of an adaptation.

    Attributes:
        posts: How many distinct posts there were, held-out ones included.
        held_out_posts: How many of them were held out.
        examples: How many examples the others gave; a long post gives several.
        head_is_new: Whether the masked-LM head began at random, so that the loss before says nothing of the encoder.
        loss_before: Mean cross-entropy (nats) of the masked tokens of the held-out posts; None if none were held out.
        loss_after: The same after training, with the same masks.
    """

    posts: int
    held_out_posts: int
    examples: int
    head_is_new: bool
    loss_before: float | None
    loss_after: float | None


def adapt_encoder(posts: Iterable[str], output_path: Path, arguments: AdaptationArguments | None = None) -> Adaptation:
    """Continues the masked-language-model training of an encoder (Gururangan et al., ACL 2020, "Don't Stop
    Pretraining"), which Sharma et al. (EMNLP 2020) do before they train on annotated pairs.

    An encoder without a masked-LM head, as `"embedded"`, gets one at random, which is trained with it; its decoder is
    tied to the word embeddings where the architecture ties them. The head is not part of what is written.

    Args:
        posts: Unlabelled texts; one that comes again counts once.
        output_path: The folder that is written: the encoder as `AutoModel` loads it, its tokenizer and a README.md. It
            appears whole or not at all.
        arguments: The rest.

    Raises:
        InputError: If the output exists, the encoder can't be trained this way, or there are too few posts.
    """
    arguments = arguments or AdaptationArguments()
    with tempfile.TemporaryDirectory() as scratch:
        training_args = _training_arguments(arguments, scratch)
        # Of processes that train together, the first writes. It opens the folder before it trains, so that one that
        # can't be written costs no training.
        with whole_folder(output_path) if training_args.process_index == 0 else nullcontext() as folder:
            # Before the model is loaded: a head that the encoder comes without starts at random.
            set_seed(arguments.seed)
            encoder, model, tokenizer, head_is_new = _load(arguments)
            train_posts, held_out_posts = _hold_out(posts, arguments.held_out)
            examples = _examples(train_posts, tokenizer, arguments.max_length)
            held_out = _masked_batches(held_out_posts, tokenizer, arguments)
            trainer = Trainer(
                model=model,
                args=training_args,
                train_dataset=examples,
                data_collator=_MaskingCollator(tokenizer, mlm_probability=arguments.mlm_probability),
                processing_class=tokenizer,
            )
            show_live_line(trainer)
            if trainer.is_fsdp_enabled or trainer.is_deepspeed_enabled:
                raise InputError("an encoder is adapted whole on each device: launch without FSDP and DeepSpeed.")
            loss_before = _masked_loss(model, held_out, training_args.device)
            trainer.train()
            # Measured as it will be used: without the autocast that accelerate puts around it.
            model = trainer.accelerator.unwrap_model(trainer.model, keep_fp32_wrapper=False)
            adaptation = Adaptation(
                posts=len(train_posts) + len(held_out_posts),
                held_out_posts=len(held_out_posts),
                examples=len(examples),
                head_is_new=head_is_new,
                loss_before=loss_before,
                loss_after=_masked_loss(model, held_out, training_args.device),
            )
            if folder is not None:
                # What training does not touch, as a pooler, stays the base encoder's.
                encoder.load_state_dict(model.base_model.state_dict(), strict=False)
                encoder.save_pretrained(folder)
                # Loaded anew: one that has cut texts remembers it, and would be saved with the cut.
                load_tokenizer(arguments.encoder).save_pretrained(folder)
                (folder / CARD).write_text(_card(adaptation, arguments), encoding="utf-8")
    return adaptation


def training_posts(corpus: datasets.DatasetDict) -> list[str]:
    """The posts and responses of the train split, each once; none that validation or test has too."""

    def posts_of(split: str) -> dict[str, None]:
        return dict.fromkeys(post for column in POSTS for post in corpus[split][column])

    # Splits are by the seeker post's id, so the same text, a short response above all, can stand in several.
    measured_on = posts_of("validation") | posts_of("test")
    return [post for post in posts_of("train") if post not in measured_on]


class _MaskingCollator(DataCollatorForLanguageModeling):
    """As transformers', and masks anew where chance masked nothing: the mean loss of no token is not a number."""

    def torch_call(self, examples: list[Any]) -> dict[str, Any]:
        # `length` is there for the Trainer's grouping, and is no input of the model.
        rows = [{name: example[name] for name in _MODEL_INPUTS} for example in examples]
        while True:
            batch = super().torch_call(rows)
            if (batch["labels"] != -100).any():
                return batch


def _training_arguments(arguments: AdaptationArguments, output_dir: str) -> EmpathyTrainingArguments:
    return EmpathyTrainingArguments(
        output_dir=output_dir,
        num_train_epochs=arguments.num_train_epochs,
        learning_rate=arguments.learning_rate,
        per_device_train_batch_size=arguments.batch_size,
        seed=arguments.seed,
        bf16=bool(arguments.bf16),
        auto_bf16=arguments.bf16 is None,
        eval_strategy="no",
        save_strategy="no",
        load_best_model_at_end=False,
        logging_strategy="epoch",
        # The masked-LM heads of BERT and its kin average over their own batch and not over all devices; the Trainer
        # would scale their loss, and so their gradient, by the number of devices all the same.
        average_tokens_across_devices=False,
    )


def _load(arguments: AdaptationArguments) -> tuple[PreTrainedModel, PreTrainedModel, PreTrainedTokenizerBase, bool]:
    """The bare encoder, the same with a masked-LM head, the tokenizer, and whether the head is new."""
    name = arguments.encoder
    tokenizer = load_tokenizer(name, max_length=arguments.max_length)
    if tokenizer.mask_token is None:
        raise InputError(f"The encoder {name!r} has no mask token, so that it can't fill in masked words.")
    folder = resolve_encoder(name)
    try:
        # In fp32 whatever it was saved in: transformers 5 keeps the file's type, and AdamW's steps are lost to the
        # rounding of 16-bit weights.
        config = pretrained_encoder_config(folder)
        encoder = AutoModel.from_pretrained(folder, config=config, dtype=torch.float32, trust_remote_code=False)
        model, loading = AutoModelForMaskedLM.from_pretrained(
            folder, config=config, dtype=torch.float32, trust_remote_code=False, output_loading_info=True
        )
    # Of every class, by where the files of the encoder are damaged.
    except Exception as error:
        raise InputError(f"The encoder {name!r} can't fill in masked words: {first_line(error)}") from None
    # The adapted weights go into the bare encoder by their names; one that it lacks would be dropped in silence.
    if model.base_model.state_dict().keys() - encoder.state_dict().keys():
        raise InputError(f"The encoder {name!r} has other weights with a masked-LM head than without one.")
    head_is_new = bool(loading["missing_keys"])
    if head_is_new:
        logger.warning(
            f"The encoder {name!r} comes without a masked-LM head: one starts at random and is trained too."
        )
    return encoder, model, tokenizer, head_is_new


def _hold_out(posts: Iterable[str], share: float) -> tuple[list[str], list[str]]:
    """The distinct posts that are trained on and those that are held out."""
    # By the hash of its text a post is on the same side whatever stands beside it, so that runs on more posts compare.
    parts: tuple[list[str], list[str]] = ([], [])
    for post in dict.fromkeys(posts):
        number = int(hashlib.sha1(post.encode()).hexdigest(), 16) % 10_000
        parts[number < share * 10_000].append(post)
    if not parts[0] or (share > 0 and not parts[1]):
        count = len(parts[0]) + len(parts[1])
        raise InputError(f"held_out={share}: too few posts ({count} distinct) to hold such a share out of them.")
    return parts


def _examples(posts: Sequence[str], tokenizer: PreTrainedTokenizerBase, max_length: int) -> datasets.Dataset:
    """Each post as one example, or as consecutive ones of at most `max_length` tokens."""

    def tokenize(rows: dict[str, list[str]]) -> dict[str, list[Any]]:
        # The overflow of each post comes as further rows, each with its own special tokens.
        encoded = tokenizer(
            rows["post"],
            truncation=True,
            max_length=max_length,
            return_overflowing_tokens=True,
            return_attention_mask=True,
            return_special_tokens_mask=True,
        )
        # A post of nothing that the tokenizer knows has no token that could be masked.
        kept = [index for index, special in enumerate(encoded["special_tokens_mask"]) if not all(special)]
        columns = {name: [encoded[name][index] for index in kept] for name in _MODEL_INPUTS}
        return columns | {"length": [len(ids) for ids in columns["input_ids"]]}

    rows = datasets.Dataset.from_dict({"post": list(posts)})
    examples = rows.map(tokenize, batched=True, remove_columns=["post"], desc="Tokenizing")
    if posts and not len(examples):
        raise InputError(f"The tokenizer finds no word in {len(posts)} posts: {shortened(posts[0])}.")
    return examples


def _masked_batches(
    posts: Sequence[str], tokenizer: PreTrainedTokenizerBase, arguments: AdaptationArguments
) -> list[dict[str, torch.Tensor]]:
    """Held-out posts, masked once for before and after, by the seed alone: encoders of one tokenizer compare."""
    if not posts:
        return []
    collate = _MaskingCollator(tokenizer, mlm_probability=arguments.mlm_probability, seed=arguments.seed)
    size = arguments.batch_size
    # Batches of like lengths waste little padding.
    examples = sorted(_examples(posts, tokenizer, arguments.max_length).to_list(), key=lambda row: row["length"])
    return [dict(collate(examples[start : start + size])) for start in range(0, len(examples), size)]


@torch.no_grad()
def _masked_loss(
    model: PreTrainedModel, batches: Sequence[dict[str, torch.Tensor]], device: torch.device
) -> float | None:
    """Mean cross-entropy of the masked tokens; None without batches."""
    if not batches:
        return None
    model.to(device).eval()
    total, masked = 0.0, 0
    # Batches mask different numbers of tokens, so the mean of their means would weigh tokens unequally.
    with phase("Measuring on held-out posts", len(batches), "batches") as line:
        for batch in batches:
            count = int((batch["labels"] != -100).sum())
            total += model(**{name: tensor.to(device) for name, tensor in batch.items()}).loss.item() * count
            masked += count
            line.update()
    return total / masked


def _card(adaptation: Adaptation, arguments: AdaptationArguments) -> str:
    # A folder's name alone: its path says where on this machine it lies, which is nobody else's business.
    base_encoder = name_on_hub(arguments.encoder) or Path(arguments.encoder).resolve().name
    rows = {
        "base encoder": f"`{base_encoder}`",
        "posts": f"{adaptation.posts} distinct, {adaptation.held_out_posts} of them held out",
        "training examples": f"{adaptation.examples}, of at most {arguments.max_length} tokens",
        "epochs": f"{arguments.num_train_epochs:g}",
        "learning rate": f"{arguments.learning_rate:g}",
        "batch size on each device": arguments.batch_size,
        "masked tokens": f"{arguments.mlm_probability:.0%}",
        "seed": arguments.seed,
        "held-out masked loss before": _loss_and_perplexity(adaptation.loss_before),
        "held-out masked loss after": _loss_and_perplexity(adaptation.loss_after),
    }
    head = (
        "\nThe base encoder came without a masked-LM head. One started at random, so the loss before is that of "
        "guessing.\n"
        if adaptation.head_is_new
        else ""
    )
    return f"""# {base_encoder}, adapted to posts

An encoder whose masked-language-model training was continued on unlabelled posts with `empathy adapt` (Gururangan et
al., ACL 2020). The masked-LM head is not included. Train on it with `train_hf.py --encoder` and this folder.

| | |
|---|---|
{chr(10).join(f"| {name} | {value} |" for name, value in rows.items())}
{head}"""


def _loss_and_perplexity(loss: float | None) -> str:
    return "not measured" if loss is None else f"{loss:.4f} (perplexity {math.exp(loss):.2f})"
