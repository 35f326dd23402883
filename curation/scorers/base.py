"""What a scorer is: two embeddings in one space, whose dot product says how well a text fits a frame."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

FRAME_BATCH = 64
TEXT_BATCH = 16
"""Items in each batch that a model sees. The last batch is padded with zeros to this shape, so that an item's embedding
does not depend on how many items came with it. Ours: large enough for two cores, small enough for any memory; a unit
has few texts, and on a core 16 cost no more a text than 64 do."""


class ScorerUnavailable(RuntimeError):
    """The weights of a scorer cannot be had; the message says which file to put where."""


class Scorer(Protocol):
    """A frozen image-text model. Equal input gives equal bits on one machine with one thread count.

    digest: 64 hexadecimal digits, SHA-256 over architecture, weights, preprocessing, tokenizer, device and dtype.
    name: what was asked for, for people.     image_size: side of a frame in pixels.
    """

    @property
    def digest(self) -> str: ...

    @property
    def name(self) -> str: ...

    @property
    def image_size(self) -> int: ...

    def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [N, S, S, 3] RGB with S = image_size -> float32 [N, D], L2-normalised."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """T texts -> float32 [T, D], L2-normalised; longer ones are cut to the model's context."""
        ...

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        """For each text, how many tokens `embed_texts` cuts off; 0 for a text that fits."""
        ...
