"""Stage 2: a student that sees a third of a clip predicts what its frozen teacher says of the whole clip."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from training.data import ClipBatch
from training.model import VideoEncoder
from training.objectives.base import Execution, StepLoss, device_of, unit_frames
from training.objectives.decoders import DecoderConfig, GlobalDecoder, LocalDecoder, shuffled_order
from training.objectives.losses import cosine_distances
from training.objectives.masks import ClipMasks, MaskKind, MaskShape, draw_masks
from training.objectives.tally import Tally
from training.objectives.teacher import Targets, Teacher
from training.objectives.trivial import TrivialDistance

StudentStart = Literal["teacher", "random"]


@dataclass(frozen=True, kw_only=True)
class DistillationOptions:
    """What stage 2 minimises. The defaults but for `mask` are the paper's; each switch is an arm of its ablations.

    Attributes:
        mask: which patches the student does not see; see `MaskShape`.
        masked_share: how many of them; the paper masks 0.65.
        shuffled: whether the local decoder's tokens change places before they get positions.
        whole_clip: whether the teacher's pooled vector is to be said too, not only its tokens.
    """

    mask: MaskKind = "blocks"
    masked_share: float = 0.65
    shuffled: bool = True
    whole_clip: bool = True

    def __post_init__(self) -> None:
        MaskShape(kind=self.mask, masked_share=self.masked_share, frames=1, grid=1)


class DistillationParts(nn.Module):
    """What stage 2 trains: the student, which starts as the teacher's encoder or at random, and two decoders.

    The global decoder is there without `whole_clip` too, and stays as it began.
    """

    def __init__(self, teacher: VideoEncoder, decoder: DecoderConfig, start: StudentStart = "teacher") -> None:
        super().__init__()
        if start not in ("teacher", "random"):
            raise ValueError(f"start is {start!r}; allowed: teacher, random; give one of them")
        config = teacher.config
        student = copy.deepcopy(teacher) if start == "teacher" else VideoEncoder(config)
        self.student = student.requires_grad_(True)
        self.local_decoder = LocalDecoder(config.width, config.frames * config.patches, decoder)
        self.global_decoder = GlobalDecoder(config.width, config.heads, decoder)


class _Draws(NamedTuple):
    """What is random in a step: a mask a clip, and the order of its places [B, T*N], or None."""

    masks: ClipMasks
    order: Tensor | None

    def rows(self, rows: slice, device: torch.device) -> _Draws:
        order = None if self.order is None else self.order[rows].to(device)
        return _Draws(self.masks.rows(rows, device), order)


class _Seen(NamedTuple):
    """What some clips came to: local distances [b, T*N], global ones [b] or None, the targets, visible places."""

    local: Tensor
    whole: Tensor | None
    targets: Targets
    places: Tensor

    @property
    def total(self) -> Tensor:
        """The sum of both mean distances, with equal weights (paper, section 3.3)."""
        return self.local.mean() if self.whole is None else self.local.mean() + self.whole.mean()


class DistillationObjective:
    """The loss of stage 2."""

    def __init__(
        self,
        parts: DistillationParts,
        teacher: Teacher,
        options: DistillationOptions | None = None,
        execution: Execution | None = None,
    ) -> None:
        self.trained = parts
        self._teacher = teacher
        self._options = options or DistillationOptions()
        self._execution = execution or Execution()
        config = teacher.config
        self._masks = MaskShape(
            kind=self._options.mask,
            masked_share=self._options.masked_share,
            frames=config.frames,
            grid=config.grid,
        )

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the loss of a batch, all of it at once."""
        watch = _Watch()
        seen = self._see(batch, self._draws(len(batch.keys), generator), slice(None))
        watch.add(seen)
        return StepLoss(total=seen.total, terms=watch.terms(self._execution))

    def backward(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Add the batch's gradient, chunk by chunk: the loss is a mean over clips, so chunks add up."""
        watch = _Watch()
        clips = len(batch.keys)
        draws = self._draws(clips, generator)
        for rows in self._execution.chunks(clips):
            seen = self._see(batch, draws, rows)
            (seen.total * (seen.local.shape[0] / clips)).backward()
            watch.add(seen)
        self._execution.ranks.average_gradients(self.trained.parameters())
        terms = watch.terms(self._execution)
        total = terms["local"] + terms["global"] if self._options.whole_clip else terms["local"]
        return StepLoss(total=total, terms=terms)

    def after_step(self) -> None:
        """Nothing here has a range."""

    def _draws(self, clips: int, generator: torch.Generator) -> _Draws:
        generators = self._execution.clip_generators(clips, generator)
        masks = draw_masks(generators, self._masks)
        places = self._masks.frames * self._masks.grid**2
        return _Draws(masks, shuffled_order(generators, places) if self._options.shuffled else None)

    def _see(self, batch: ClipBatch, draws: _Draws, rows: slice) -> _Seen:
        device = device_of(self.trained)
        masks, order = draws.rows(rows, device)
        with self._execution.autocast():
            frames = unit_frames(batch, rows, device)
            targets = self._teacher.targets(frames, batch.frames[rows])
            visible = visible_tokens(self.trained.student, frames, masks)
            local = self.trained.local_decoder(visible, masks.places, order)
            whole = self.trained.global_decoder(visible) if self._options.whole_clip else None
        return _Seen(
            local=cosine_distances(local, targets.tokens),
            whole=None if whole is None else cosine_distances(whole, targets.pooled),
            targets=targets,
            places=masks.places,
        )


def visible_tokens(student: VideoEncoder, frames: Tensor, masks: ClipMasks) -> Tensor:
    """Return the tokens of the patches that a mask leaves: [B, V, D], in the order of its places."""
    if masks.keep is not None:
        tubes: Tensor = student(frames, masks.keep).tokens
        return tubes
    tokens: Tensor = student(frames, visible=masks.visible).tokens
    return tokens.gather(1, masks.places[..., None].expand(-1, -1, tokens.shape[2]))


class _Watch:
    """The terms of a batch, from its chunks."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._local_trivial = TrivialDistance()
        self._whole_trivial = TrivialDistance()

    def add(self, seen: _Seen) -> None:
        """Add a chunk."""
        local = seen.local.detach()
        visible = local.gather(1, seen.places)
        self._tally.add("local", local.sum(), local.numel())
        self._tally.add("local_visible", visible.sum(), visible.numel())
        self._tally.add("local_masked", local.sum() - visible.sum(), local.numel() - visible.numel())
        if seen.whole is not None:
            self._tally.add("global", seen.whole.detach().sum(), len(seen.whole))
        self._local_trivial.add(seen.targets.tokens)
        self._whole_trivial.add(seen.targets.pooled)

    def terms(self, execution: Execution) -> dict[str, Tensor]:
        """Return the means over all chunks and ranks."""
        terms = self._tally.means(execution.ranks)
        terms["local_trivial"] = self._local_trivial.distance(execution.ranks)
        terms["global_trivial"] = self._whole_trivial.distance(execution.ranks)
        return terms
