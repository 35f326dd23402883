"""A subject by hand that was told the answers; what it then gives is chosen test by test."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from curation.world.factors import FACTORS
from training.evaluation.clips import FrameSize, clip_frames, draw_clips, labels_of
from training.evaluation.retrieval import draw_captions
from training.evaluation.shapes import ShapesOptions

SIZE = FrameSize(frames=3, image_px=8)
SMALL = ShapesOptions(
    seed=5,
    probe_train_clips=384,
    probe_validation_clips=128,
    probe_test_clips=256,
    probe_steps=120,
    probe_rates=(1e-2,),
    retrieval_clips=40,
)


class KnowingSubject:
    """Knows each clip by its frames, and each caption. One token a factor: which factor, which value.

    blind: its tokens are all equal, and so are its embeddings.     mute: it has no text side.
    """

    digest = "a" * 64
    image_px = SIZE.image_px
    frames = SIZE.frames

    def __init__(self, name: str, options: ShapesOptions, *, blind: bool = False, mute: bool = False) -> None:
        self.name, self.blind, self.mute = name, blind, mute
        self._labels: dict[bytes, torch.Tensor] = {}
        self._places: dict[bytes, int] = {}
        sizes = {
            "train": options.probe_train_clips,
            "validation": options.probe_validation_clips,
            "test": options.probe_test_clips,
            "retrieval": options.retrieval_clips,
        }
        for split, count in sizes.items():
            clips = draw_clips(split, options.seed, count)
            drawn = clip_frames(clips, [SIZE])[SIZE]
            keys = [frames.tobytes() for frames in drawn]
            self._labels |= dict(zip(keys, labels_of(clips), strict=True))
        self._places = {key: place for place, key in enumerate(keys)}
        self._texts = [told.text for told in draw_captions(clips, options.seed)]

    def tokens(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        if self.blind:
            return torch.full((len(frames), len(FACTORS), 18), 0.3)
        values = torch.stack([self._labels[clip.tobytes()] for clip in frames])
        named = torch.eye(len(FACTORS)).expand(len(frames), -1, -1)
        return torch.cat([named, torch.nn.functional.one_hot(values, 8).float()], dim=-1)

    def embed_video(self, frames: NDArray[np.uint8]) -> torch.Tensor | None:
        return self._embedded([0 if self.blind else self._places[clip.tobytes()] for clip in frames])

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor | None:
        return self._embedded([0 if self.blind else self._texts.index(text) for text in texts])

    def _embedded(self, places: list[int]) -> torch.Tensor | None:
        return None if self.mute else torch.eye(len(self._texts))[places]
