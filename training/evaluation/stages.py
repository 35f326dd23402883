"""The trained stages as subjects of an evaluation."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from training.evaluation.subjects import EncoderSubject
from training.loop import StageOneModel, StageTwoModel
from training.model import VideoEncoder, unit_length
from training.model.digest import weights_digest

STAGE_TWO_NOTE = (
    "Stage 2 has no text side of its own: its global decoder says what the teacher's pooled vector would be, and that "
    "is compared with the texts of stage 1's tower."
)


class StageOneSubject(EncoderSubject):
    """Stage 1: its encoder, its pooling and its text tower; its name says so where it is not finished."""

    def __init__(self, stage: StageOneModel) -> None:
        super().__init__(stage.name, stage.weights_sha256, stage.encoder)
        self._stage = stage

    def embed_video(self, frames: NDArray[np.uint8]) -> Tensor:
        """See `Subject`."""
        with torch.inference_mode():
            return unit_length(self._stage.model.video_model.pool(self.tokens(frames)))

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """See `Subject`."""
        with torch.inference_mode():
            return self._stage.model.embed_text(*self._stage.tokenizer(texts))


class StageTwoSubject(EncoderSubject):
    """Stage 2: its encoder and its global decoder, beside the text tower of the stage 1 that it learnt from.

    Raises:
        ValueError: it learnt from another stage 1.
    """

    notes = (STAGE_TWO_NOTE,)

    def __init__(self, stage: StageTwoModel, teacher: StageOneModel) -> None:
        if stage.teacher_sha256 != teacher.weights_sha256:
            raise ValueError(
                f"stage 2 learnt from the teacher {stage.teacher_sha256[:12]} and stage 1 is "
                f"{teacher.weights_sha256[:12]}; allowed: its own teacher; train stage 2 again"
            )
        super().__init__(stage.name, stage.weights_sha256, stage.encoder)
        self._stage = stage
        self._texts = StageOneSubject(teacher)

    def embed_video(self, frames: NDArray[np.uint8]) -> Tensor:
        """See `Subject`."""
        with torch.inference_mode():
            return unit_length(self._stage.global_decoder(self.tokens(frames)))

    def embed_texts(self, texts: Sequence[str]) -> Tensor:
        """See `Subject`."""
        return self._texts.embed_texts(texts)


def random_subject(like: VideoEncoder, seed: int) -> EncoderSubject:
    """Return an untrained encoder of the same size."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        encoder = VideoEncoder(like.config)
    return EncoderSubject("random encoder", weights_digest(encoder), encoder)
