"""Small fast tokenizers of the three families that encoders come with, trained here so that no test needs the Hub."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import PreTrainedTokenizerFast


# Repeated words, so that trainers find subwords; most of what tests write with is not in it and stays in pieces.
TRAINING_TEXT = [
    "I am so sorry that you are going through this. It sounds really hard, and you don't have to carry it alone.",
    "That must have been difficult. Have you talked to someone you trust about how you feel?",
    "I understand how you feel; I felt the same way when I lost my job, and things got better with time.",
    "What happened after that? Why do you think they said so? If you want to talk, I'm here for you.",
    "You're not alone, it’s okay to be sad, and feeling unhappy today says nothing about tomorrow.",
    "Thank you for sharing this, it takes courage. I hope that you feel better soon! Sending hugs 😀",
]


P = ParamSpec("P")


def _copied(train: Callable[P, PreTrainedTokenizerFast]) -> Callable[P, PreTrainedTokenizerFast]:
    """Trains once a process, and gives each caller a copy."""
    # A fast tokenizer remembers the truncation of its last call and saves it, so tests must not share one. Nor can
    # each call train anew: trainers break ties differently every time, and two tokenizers would differ in their words.
    trained = cache(train)
    return wraps(train)(lambda *args, **kwargs: copy.deepcopy(trained(*args, **kwargs)))


@_copied
def wordpiece_tokenizer() -> PreTrainedTokenizerFast:
    """Uncased WordPiece as BERT's: lowercased, accents stripped, `[CLS] text [SEP]`."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True, strip_accents=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    special_tokens = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    trainer = trainers.WordPieceTrainer(vocab_size=200, special_tokens=special_tokens, show_progress=False)
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, tokenizer.token_to_id(token)) for token in ("[CLS]", "[SEP]")],
    )
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="[PAD]",
        unk_token="[UNK]",
        cls_token="[CLS]",
        sep_token="[SEP]",
        mask_token="[MASK]",
    )


@_copied
def byte_level_bpe_tokenizer(trim_offsets: bool = True) -> PreTrainedTokenizerFast:
    """Byte-level BPE as RoBERTa's, with its ids `<s>` 0, `<pad>` 1, `</s>` 2.

    Args:
        trim_offsets: Whether a token's offsets leave out the space before its word, as RoBERTa's do; GPT-2's do not.
    """
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=trim_offsets)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    tokenizer.post_processor = processors.RobertaProcessing(
        ("</s>", 2), ("<s>", 0), trim_offsets=trim_offsets, add_prefix_space=False
    )
    return _with_roberta_tokens(tokenizer)


@_copied
def unigram_tokenizer() -> PreTrainedTokenizerFast:
    """Unigram over Metaspace as XLM-R's: line breaks, joiners and controls become spaces (Nmt), then NFKC."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.Sequence([normalizers.Nmt(), normalizers.NFKC()])
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=150,
        special_tokens=["<s>", "<pad>", "</s>", "<unk>", "<mask>"],
        unk_token="<unk>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(TRAINING_TEXT, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    return _with_roberta_tokens(tokenizer)


def _with_roberta_tokens(tokenizer: Tokenizer) -> PreTrainedTokenizerFast:
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token="<pad>",
        unk_token="<unk>",
        cls_token="<s>",
        sep_token="</s>",
        bos_token="<s>",
        eos_token="</s>",
        mask_token="<mask>",
    )
