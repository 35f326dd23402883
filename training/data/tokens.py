"""Texts to token ids: a byte-level BPE that is learnt from the corpus's own texts, and what all tokenizers are.

Each is kept beside the weights as one file, which says of which kind it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

import torch
from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers
from torch import Tensor

from training.data import open_clip_tokens, sentence_pieces
from training.data.token_files import PAD_ID, schema_of

PAD = "<pad>"
# Every byte has a token, so no text is unknown.
SMALLEST_VOCABULARY = len(pre_tokenizers.ByteLevel.alphabet()) + 1


class TextTokenizer(Protocol):
    """Cuts texts to ids; the text tower adds its own class token."""

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        ...

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return ids int64 [B, L] and paddings bool [B, L], True where a text has ended; L is at least 1."""
        ...

    def to_bytes(self) -> bytes:
        """Return the tokenizer's file, which `tokenizer_of` reads."""
        ...


class LearnedTokenizer:
    """Cuts texts to `max_tokens` and pads each batch to its longest text."""

    def __init__(self, tokenizer: Tokenizer, max_tokens: int) -> None:
        self._file = str(tokenizer.to_str(pretty=False))
        # A copy: truncation and padding are settings of the object.
        self._tokenizer = Tokenizer.from_str(self._file)
        self._tokenizer.enable_truncation(max_length=max_tokens)
        self._tokenizer.enable_padding(pad_id=PAD_ID, pad_token=PAD)

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return int(self._tokenizer.get_vocab_size())

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Return ids int64 [B, L] and paddings bool [B, L], True where a text has ended; L is at least 1."""
        encoded = self._tokenizer.encode_batch(list(texts))
        ids = [item.ids or [PAD_ID] for item in encoded]
        present = [item.attention_mask or [0] for item in encoded]
        return torch.tensor(ids, dtype=torch.int64), torch.tensor(present, dtype=torch.int64) == 0

    def to_bytes(self) -> bytes:
        """Return the tokenizer's file, which the tokenizers library reads too."""
        return self._file.encode("utf-8")


def learn_tokenizer(texts: Iterable[str], vocabulary: int, max_tokens: int) -> LearnedTokenizer:
    """Learn at most `vocabulary` tokens from texts; the same texts in the same order give the same file.

    Texts are brought into the published code's form first: lower case, punctuation as spaces, single spaces.

    Raises:
        ValueError: the vocabulary cannot hold every byte.
    """
    if vocabulary < SMALLEST_VOCABULARY:
        raise ValueError(
            f"vocabulary is {vocabulary}; allowed: from {SMALLEST_VOCABULARY}, a token for every byte; give more"
        )
    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.NFKC(),
            normalizers.Lowercase(),
            normalizers.Replace(Regex(r"[\p{P}\s]+"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD],
        # The library gives its alphabet as a set; sorted, ids do not hang on the process.
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    return LearnedTokenizer(tokenizer, max_tokens)


def tokenizer_of(data: bytes, max_tokens: int) -> TextTokenizer:
    """Return the tokenizer of a file's bytes, of whichever kind it is.

    Raises:
        ValueError: the bytes are no tokenizer's, or it cannot be had here.
    """
    schema = schema_of(data)
    if schema == sentence_pieces.SCHEMA:
        return sentence_pieces.SentencePieceTokenizer.of(data, max_tokens)
    if schema == open_clip_tokens.SCHEMA:
        return open_clip_tokens.OpenClipTokenizer.of(data, max_tokens)
    try:
        return LearnedTokenizer(Tokenizer.from_str(data.decode("utf-8")), max_tokens)
    except Exception as error:  # the library raises nothing narrower
        raise ValueError(f"cannot be read ({error}); allowed: the tokenizer file of a checkpoint") from error


def load_tokenizer(path: Path, max_tokens: int) -> TextTokenizer:
    """Read a tokenizer's file.

    Raises:
        ValueError: it cannot be read.
    """
    try:
        return tokenizer_of(path.read_bytes(), max_tokens)
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: {error}") from error
