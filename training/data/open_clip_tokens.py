"""The tokenizers of open_clip, which bring their start and end tokens along."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from training.data.token_files import PAD_ID

SCHEMA = "clipstrata.open_clip_tokenizer/1"
# what they come to tells one tokenizer from another
PROBES = ("a video of a red circle.", "Zürich 東京", "12 dogs, 3 cats!", "")
PROBE_TOKENS = 64


class OpenClipTokenizer:
    """Cuts texts to `max_tokens` and pads each batch to its longest text.

    Its file names the tokenizer and does not hold it: it must be there when the file is read.
    """

    def __init__(self, name: str, max_tokens: int) -> None:
        import open_clip

        try:
            self._tokenizer: Any = open_clip.get_tokenizer(name, context_length=max_tokens)
        except Exception as error:  # open_clip and the hub's client share no narrower one
            raise ValueError(
                f"open_clip tokenizer {name!r}: cannot be loaded ({str(error).splitlines()[0]}); allowed: a name of "
                "open_clip.list_models(), or local-dir:FOLDER; put the tokenizer's files there"
            ) from error
        self._name = name
        inner = getattr(self._tokenizer, "tokenizer", None)
        self._pad_id = PAD_ID if inner is None else int(inner.pad_token_id)
        self._vocabulary = int(self._tokenizer.vocab_size) if inner is None else len(inner)

    @classmethod
    def of(cls, data: bytes, max_tokens: int) -> OpenClipTokenizer:
        """Return the tokenizer that a file names.

        Raises:
            ValueError: it cannot be had here, or is another one under the same name.
        """
        document = json.loads(data)
        tokenizer = cls(str(document.get("name")), max_tokens)
        if tokenizer._digest() != document.get("digest"):
            raise ValueError(
                f"open_clip tokenizer {tokenizer._name!r} gives other ids than the one that the weights were trained "
                "with; allowed: the same; bring its files back"
            )
        return tokenizer

    @property
    def vocabulary(self) -> int:
        """How many ids there are."""
        return self._vocabulary

    def __call__(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """See `TextTokenizer`. Where padding and end are one token, the end is hidden too."""
        ids = self._tokenizer(list(texts)).long()
        # padding is what follows the last other token
        places = torch.arange(1, ids.shape[1] + 1)
        lengths = ((ids != self._pad_id) * places).amax(dim=1).clamp(min=1)
        longest = int(lengths.max())
        paddings = places[None, :longest] > lengths[:, None]
        return ids[:, :longest].masked_fill(paddings, PAD_ID), paddings

    def to_bytes(self) -> bytes:
        """Return the tokenizer's file."""
        return json.dumps({"schema": SCHEMA, "name": self._name, "digest": self._digest()}).encode("utf-8")

    def _digest(self) -> str:
        ids = self._tokenizer(list(PROBES), context_length=PROBE_TOKENS).tolist()
        return hashlib.sha256(json.dumps([self._vocabulary, ids]).encode()).hexdigest()
