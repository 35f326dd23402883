"""What is tested: frozen encoders behind one small interface, and the checks on what they give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from curation.scorers import WORLD_CLIP, Scorer
from training.model import VideoEncoder, unit_length

SUBJECT_BATCH = 64
"""Clips or texts that a subject sees at once; ours, large enough for two cores."""

SCORER_FRAMES = 8
"""Frames of a clip whose embeddings are averaged; as many as `EncoderConfig.tiny` sees."""

_LENGTH_TOLERANCE = 1e-3

SCORER_NOTE = (
    "{name} learnt appearance from this world's truth, so its appearance and retrieval are no fair rivals; "
    "a mean over frames keeps no order."
)


class SubjectFault(ValueError):
    """A subject gives what cannot be measured; the message names it. A failure is never a number."""


class Subject(Protocol):
    """A frozen encoder. Equal input gives equal output on one machine with one thread count.

    name: unique within a table, for people.     digest: of its weights, 64 hexadecimal digits.
    image_px, frames: S and T of the clips that it is given.
    A subject may also have `notes`, sentences that a reader of its row must know.
    """

    @property
    def name(self) -> str: ...

    @property
    def digest(self) -> str: ...

    @property
    def image_px(self) -> int: ...

    @property
    def frames(self) -> int: ...

    def tokens(self, frames: NDArray[np.uint8]) -> Tensor:
        """uint8 [B, T, S, S, 3] RGB -> float32 [B, M, D], what the probes read; M and D are always the same."""
        ...

    def embed_video(self, frames: NDArray[np.uint8]) -> Tensor | None:
        """uint8 [B, T, S, S, 3] RGB -> float32 [B, E] of unit length; None without a text side."""
        ...

    def embed_texts(self, texts: Sequence[str]) -> Tensor | None:
        """Q texts -> float32 [Q, E] of unit length; None without a text side."""
        ...


class EncoderSubject:
    """A video encoder without a text side."""

    def __init__(self, name: str, digest: str, encoder: VideoEncoder) -> None:
        self.name = name
        self.digest = digest
        self.image_px = encoder.config.image_px
        self.frames = encoder.config.frames
        self._encoder = encoder.eval()

    def tokens(self, frames: NDArray[np.uint8]) -> Tensor:
        """See `Subject`: all T * N tokens of the encoder, after both transformers."""
        device = next(self._encoder.parameters()).device
        with torch.inference_mode():
            pixels = torch.from_numpy(frames).to(device).float() / 255
            found: Tensor = self._encoder(pixels).tokens
        return found.float().cpu()

    def embed_video(self, frames: NDArray[np.uint8]) -> Tensor | None:
        """There is no text side."""
        return None

    def embed_texts(self, texts: Sequence[str]) -> Tensor | None:
        """There is no text side."""
        return None


class ScorerSubject:
    """An image-text scorer that sees a clip as the mean over its frames' embeddings."""

    def __init__(self, name: str, scorer: Scorer, frames: int = SCORER_FRAMES) -> None:
        self.name = name
        self.digest = scorer.digest
        self.image_px = scorer.image_size
        self.frames = frames
        self._scorer = scorer

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader must know about its row."""
        return (SCORER_NOTE.format(name=self.name),) if self._scorer.name == WORLD_CLIP else ()

    def tokens(self, frames: NDArray[np.uint8]) -> Tensor:
        """See `Subject`: one token, the mean, not brought to unit length."""
        clips, count = frames.shape[:2]
        embedded = self._scorer.embed_frames(np.ascontiguousarray(frames.reshape(clips * count, *frames.shape[2:])))
        return torch.from_numpy(embedded.reshape(clips, count, -1).mean(axis=1, keepdims=True))

    def embed_video(self, frames: NDArray[np.uint8]) -> Tensor:
        """See `Subject`: the mean, brought to unit length."""
        return unit_length(self.tokens(frames)[:, 0])

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """See `Subject`: the scorer's own."""
        return torch.from_numpy(self._scorer.embed_texts(texts))


def all_tokens(subject: Subject, frames: NDArray[np.uint8], on_clip: Callable[[int], None]) -> Tensor:
    """Return a subject's tokens for uint8 [N, T, S, S, 3], N >= 1: float32 [N, M, D].

    Raises:
        SubjectFault: they are not finite, not float32, or not shaped as `Subject` says.
    """
    kept: Tensor | None = None
    for start in range(0, len(frames), SUBJECT_BATCH):
        part = frames[start : start + SUBJECT_BATCH]
        found = subject.tokens(part)
        if found.dim() != 3 or len(found) != len(part) or not found.numel():
            raise SubjectFault(_shape_fault(subject, "tokens", found, f"[{len(part)}, M, D]"))
        if kept is None:
            kept = torch.empty(len(frames), *found.shape[1:])
        if found.shape[1:] != kept.shape[1:]:
            raise SubjectFault(
                _shape_fault(subject, "tokens", found, f"[{len(part)}, {kept.shape[1]}, {kept.shape[2]}]")
            )
        kept[start : start + len(part)] = _checked(subject, "tokens", found)
        on_clip(start + len(part))
    if kept is None:
        raise ValueError("there are no clips; allowed: at least one; draw some")
    return kept


def all_embeddings(
    subject: Subject, frames: NDArray[np.uint8], texts: Sequence[str], on_clip: Callable[[int], None]
) -> tuple[Tensor, Tensor] | None:
    """Return (video, text) embeddings, float32 [N, E] and [Q, E], or None for a subject without a text side.

    Raises:
        SubjectFault: only one side is there, or they are not finite, not float32, not of unit length or misshapen.
    """
    sides: list[list[Tensor | None]] = [[], []]
    for start in range(0, len(texts), SUBJECT_BATCH):
        sides[1].append(subject.embed_texts(texts[start : start + SUBJECT_BATCH]))
    for start in range(0, len(frames), SUBJECT_BATCH):
        sides[0].append(subject.embed_video(frames[start : start + SUBJECT_BATCH]))
        on_clip(min(start + SUBJECT_BATCH, len(frames)))
    missing = {part is None for side in sides for part in side}
    if missing == {True}:
        return None
    if True in missing:
        raise SubjectFault(
            f"subject {subject.name!r} embeds only one side; allowed: both or neither; return None twice"
        )
    video, text = (torch.cat([part for part in side if part is not None]) for side in sides)
    for name, found, count in (("video embeddings", video, len(frames)), ("text embeddings", text, len(texts))):
        if found.shape != (count, video.shape[-1]):
            raise SubjectFault(_shape_fault(subject, name, found, f"[{count}, {video.shape[-1]}]"))
        lengths = _checked(subject, name, found).norm(dim=1)
        if float((lengths - 1).abs().max()) > _LENGTH_TOLERANCE:
            raise SubjectFault(
                f"subject {subject.name!r} gives {name} that are not of unit length; divide by the length"
            )
    return video, text


def _checked(subject: Subject, what: str, found: Tensor) -> Tensor:
    if found.dtype != torch.float32:
        raise SubjectFault(f"subject {subject.name!r} gives {what} as {found.dtype}; allowed: float32; convert them")
    if not bool(found.isfinite().all()):
        raise SubjectFault(f"subject {subject.name!r} gives {what} with NaN or infinity; its weights are of no use")
    return found


def _shape_fault(subject: Subject, what: str, found: Tensor, allowed: str) -> str:
    return f"subject {subject.name!r} gives {what} of shape {list(found.shape)}; allowed: {allowed}"
