"""The scorer's tokenizer: a small byte-level BPE, lower case, learnt from the world's own texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

from curation.world.factors import draw_factors, seeded
from curation.world.texts import STYLES, filler
from training.scorer.recipe import CONTEXT_TOKENS, VOCABULARY_LIMIT

PAD, START, END = "<pad>", "<start>", "<end>"
"""Ids 0, 1 and 2, in this order."""

_TEXTS_PER_STYLE = 3000


def _corpus(seed: int) -> Iterator[str]:
    rng = seeded(seed, "tokenizer")
    for style in STYLES.values():
        for _ in range(_TEXTS_PER_STYLE):
            yield style(rng, draw_factors(rng), rng.random() < 0.3).text
    for _ in range(_TEXTS_PER_STYLE // 10):
        yield filler(rng, draw_factors(rng), False).text


def learn_tokenizer(seed: int) -> Tokenizer:
    """A tokenizer that knows every word of the world as one token, and any other text as bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY_LIMIT,
        special_tokens=[PAD, START, END],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(_corpus(seed), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{START} $A {END}", special_tokens=[(START, 1), (END, 2)]
    )
    return tokenizer


def save_tokenizer(tokenizer: Tokenizer, folder: Path) -> None:
    """Write the two files from which transformers, and so open_clip, loads it."""
    tokenizer.save(str(folder / "tokenizer.json"), pretty=False)
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "pad_token": PAD,
        "bos_token": START,
        "eos_token": END,
        "model_max_length": CONTEXT_TOKENS,
        "clean_up_tokenization_spaces": False,
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def batch_encoder(tokenizer: Tokenizer) -> Tokenizer:
    """The same tokenizer set to cut and pad to the context, for training."""
    ready = Tokenizer.from_str(tokenizer.to_str())
    ready.enable_truncation(max_length=CONTEXT_TOKENS)
    ready.enable_padding(length=CONTEXT_TOKENS, pad_id=0, pad_token=PAD)
    return ready
