"""Stage 2: a student that sees a third of a clip predicts what its frozen teacher says of the whole clip."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from training.data import ClipBatch
from training.model import VideoEncoder, VideoTower
from training.objectives.base import StepLoss, unit_frames
from training.objectives.decoders import DecoderConfig, GlobalDecoder, LocalDecoder, shuffled_order
from training.objectives.losses import cosine_distance
from training.objectives.masks import block_keep, kept_count


class DistillationParts(nn.Module):
    """What stage 2 trains: the student, which starts as the teacher's encoder, and two decoders."""

    def __init__(self, teacher: VideoEncoder, decoder: DecoderConfig) -> None:
        super().__init__()
        config = teacher.config
        self.student = copy.deepcopy(teacher).requires_grad_(True)
        self.local_decoder = LocalDecoder(config.width, config.frames * config.patches, decoder)
        self.global_decoder = GlobalDecoder(config.width, config.heads, decoder)


class DistillationObjective:
    """The loss of stage 2.

    Args:
        teacher: stage 1's video side; it is frozen here and never changed.
        masked_share: the share of patch positions that the student does not see; the paper masks 0.65.
    """

    def __init__(self, parts: DistillationParts, teacher: VideoTower, masked_share: float) -> None:
        self.trained = parts
        self._teacher = teacher.eval().requires_grad_(False)
        config = teacher.vision_model.config
        self._grid = config.grid
        self._kept = kept_count(config.patches, masked_share)

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the sum of both cosine distances, with equal weights (paper, section 3.3)."""
        frames = unit_frames(batch)
        clips = frames.shape[0]
        target, pooled = self._targets(frames)
        keep = block_keep(clips, self._grid, self._kept, generator)
        visible = self.trained.student(frames, keep).tokens
        order = shuffled_order(clips, target.shape[1], generator)
        local = cosine_distance(self.trained.local_decoder(visible, order), target)
        whole = cosine_distance(self.trained.global_decoder(visible), pooled)
        terms = {"local": local.detach(), "global": whole.detach(), **trivial_distances(target, pooled)}
        return StepLoss(total=local + whole, terms=terms)

    def after_step(self) -> None:
        """Nothing here has a range."""

    @torch.no_grad()
    def _targets(self, frames: Tensor) -> tuple[Tensor, Tensor]:
        """Return the teacher's tokens [B, T*N, D] and its pooled vector [B, D] for whole clips."""
        tokens = self._teacher.vision_model(frames).tokens
        return tokens, self._teacher.pool(tokens)


def trivial_distances(target: Tensor, pooled: Tensor) -> dict[str, Tensor]:
    """Return what a student reaches that says the same of every clip: the batch's mean at each place.

    A teacher's tokens share a large part, so a low distance proves nothing by itself; it must lie below these.
    """
    return {
        "local_trivial": cosine_distance(target.mean(dim=0, keepdim=True).expand_as(target), target),
        "global_trivial": cosine_distance(pooled.mean(dim=0, keepdim=True).expand_as(pooled), pooled),
    }
