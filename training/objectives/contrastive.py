"""Stage 1: a clip and its text are pulled together, all other texts of the batch pushed away."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn
from torch.func import functional_call

from training.data import ClipBatch
from training.data.tokens import TextTokenizer
from training.model import VideoTextModel, VideoTower, unit_length
from training.objectives.base import Execution, StepLoss, device_of, unit_frames
from training.objectives.losses import Pairs, pair_accuracy, sigmoid_loss, softmax_loss
from training.objectives.masks import kept_count, tube_keep
from training.objectives.tally import Tally

FIRST_TEMPERATURE = 0.07  # CLIP (arXiv 2103.00020, section 2.5); the VideoPrism paper states none
HIGHEST_SCALE = 100.0  # CLIP, the same section: keeps a learned temperature from running away
FIRST_SIGMOID_SCALE = 10.0  # SigLIP (arXiv 2303.15343, section 3.2)
FIRST_SIGMOID_BIAS = -10.0  # the same: nearly all pairs are wrong ones
TIMES = "vision_model.temporal_embeddings.position_embeddings"

LossName = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, kw_only=True)
class ContrastiveOptions:
    """What stage 1 minimises.

    Attributes:
        loss: `softmax` as in the paper, or `sigmoid` (SigLIP).
        dropped_share: the share of patch positions that a clip's tubes leave out in a step; the paper drops 0.5.
    """

    loss: LossName = "softmax"
    dropped_share: float = 0.5

    def __post_init__(self) -> None:
        if self.loss not in ("softmax", "sigmoid"):
            raise ValueError(f"loss is {self.loss!r}; allowed: softmax, sigmoid; give one of them")
        kept_count(1, self.dropped_share)


class LearnedScale(nn.Module):
    """1 / temperature, learned as a logarithm, and for the sigmoid loss a bias of the logits.

    The parameter is capped and not what comes out of it: a capped output has no gradient, and the scale would stay at
    the cap for good. SigLIP's has no cap.
    """

    def __init__(self, loss: LossName = "softmax") -> None:
        super().__init__()
        first = 1 / FIRST_TEMPERATURE if loss == "softmax" else FIRST_SIGMOID_SCALE
        self.log_scale = nn.Parameter(torch.tensor(math.log(first)))
        self.bias = nn.Parameter(torch.tensor(FIRST_SIGMOID_BIAS)) if loss == "sigmoid" else None

    def forward(self) -> Tensor:
        """Return the scale: a scalar above 0."""
        return self.log_scale.exp()

    def loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of pairs."""
        return softmax_loss(pairs, self()) if self.bias is None else sigmoid_loss(pairs, self(), self.bias)

    @torch.no_grad()
    def cap(self) -> None:
        """Bring the scale back to HIGHEST_SCALE if it is above."""
        if self.bias is None:
            self.log_scale.clamp_(max=math.log(HIGHEST_SCALE))


class ContrastiveParts(nn.Module):
    """What stage 1 trains."""

    def __init__(self, model: VideoTextModel, loss: LossName = "softmax") -> None:
        super().__init__()
        self.model = model
        self.scale = LearnedScale(loss)


class _Inputs(NamedTuple):
    """A batch as the towers read it, but for its frames: ids, paddings [B, L] and kept positions [B, K]."""

    ids: Tensor
    paddings: Tensor
    keep: Tensor


class ContrastiveObjective:
    """The loss of stage 1."""

    def __init__(
        self,
        parts: ContrastiveParts,
        tokenizer: TextTokenizer,
        options: ContrastiveOptions | None = None,
        execution: Execution | None = None,
    ) -> None:
        options = options or ContrastiveOptions()
        if (parts.scale.bias is not None) != (options.loss == "sigmoid"):
            raise ValueError(f"loss is {options.loss} and the parts are of another; allowed: parts of the same loss")
        self.trained = parts
        self._execution = execution or Execution()
        self._tokenizer = tokenizer
        self._patches = parts.model.video_model.vision_model.config.patches
        self._kept = kept_count(self._patches, options.dropped_share)

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the symmetric contrastive loss of a batch, all of it at once.

        Raises:
            ValueError: a clip of the batch has no text.
        """
        inputs = self._inputs(batch, generator)
        return self._compare(*self._embed(batch, inputs, slice(None)))

    def backward(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Add the batch's gradient, by gradient caching (Gao et al. 2021, arXiv 2101.06983).

        Chunks are embedded without keeping activations; the loss of all embeddings gives each its gradient; chunks are
        embedded again, and theirs flow on into the weights. One chunk is embedded once.

        Raises:
            ValueError: a clip of the batch has no text.
        """
        inputs = self._inputs(batch, generator)
        chunks = list(self._execution.chunks(len(batch.keys)))
        once = len(chunks) == 1
        with torch.set_grad_enabled(once):
            embedded = [self._embed(batch, inputs, rows) for rows in chunks]
        video, text = (torch.cat(parts).detach().requires_grad_() for parts in zip(*embedded, strict=True))
        found = self._compare(video, text)
        found.total.backward()
        assert video.grad is not None and text.grad is not None
        for number, rows in enumerate(chunks):
            outputs = embedded[number] if once else self._embed(batch, inputs, rows)
            torch.autograd.backward(outputs, (video.grad[rows], text.grad[rows]))
        self._execution.ranks.average_gradients(self.trained.parameters())
        return self._over_ranks(found, len(batch.keys))

    def after_step(self) -> None:
        """Keep the temperature from running away."""
        self.trained.scale.cap()

    def _inputs(self, batch: ClipBatch, generator: torch.Generator) -> _Inputs:
        texts = [text for text in batch.texts if text is not None]
        if len(texts) != len(batch.texts):
            raise ValueError(f"step {batch.step}: a clip of source {batch.source} has no text; plan with texts only")
        generators = self._execution.clip_generators(len(texts), generator)
        keep = tube_keep(generators, self._patches, self._kept)
        # One length for all chunks: a chunk's own longest text would give other shapes, and so other bits.
        ids, paddings = self._tokenizer(texts)
        device = device_of(self.trained)
        return _Inputs(ids.to(device), paddings.to(device), keep.to(device))

    def _embed(self, batch: ClipBatch, inputs: _Inputs, rows: slice) -> tuple[Tensor, Tensor]:
        """Return float32 embeddings of unit length, clips and texts, [rows, D] each."""
        model, ids, paddings, keep = self.trained.model, *(part[rows] for part in inputs)
        with self._execution.autocast():
            video = unit_length(_pooled(model.video_model, unit_frames(batch, rows, keep.device), keep))
            return video, model.embed_text(ids, paddings)

    def _compare(self, video: Tensor, text: Tensor) -> StepLoss:
        pairs = Pairs.of(video, text, self._execution.ranks)
        scale = self.trained.scale
        terms = {"temperature": 1 / scale().detach(), "accuracy": pair_accuracy(pairs).detach()}
        if scale.bias is not None:
            terms["bias"] = scale.bias.detach().clone()
        return StepLoss(total=scale.loss(pairs), terms=terms)

    def _over_ranks(self, found: StepLoss, clips: int) -> StepLoss:
        tally = Tally()
        for name, value in {"total": found.total, **found.terms}.items():
            tally.add(name, value.detach() * clips, clips)
        means = tally.means(self._execution.ranks)
        return StepLoss(total=means.pop("total"), terms=means)


def _pooled(tower: VideoTower, frames: Tensor, keep: Tensor) -> Tensor:
    """Return the pooled clips; an image is a clip of one frame, and its time is the first.

    The paper crops the table of times for images; the encoder alone would resize it, and an image would get the mean of
    all times.
    """
    if frames.shape[1] > 1:
        pooled: Tensor = tower(frames, keep)
        return pooled
    first = tower.vision_model.temporal_embeddings.position_embeddings[:, :1]
    cropped: Tensor = functional_call(tower, {TIMES: first}, (frames, keep))
    return cropped
