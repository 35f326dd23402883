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
from training.model import VideoEncoder, VideoTextModel, unit_length
from training.model.encoder import CHANNELS
from training.objectives.base import Execution, StepLoss, device_of, unit_frames
from training.objectives.decoders import DecoderConfig, LocalDecoder
from training.objectives.losses import Pairs, pair_accuracy, sigmoid_loss, softmax_loss
from training.objectives.masks import kept_count, tube_keep, tube_places
from training.objectives.rebuilding import hidden_error, patch_targets
from training.objectives.tally import Tally

FIRST_TEMPERATURE = 0.07  # CLIP (arXiv 2103.00020, section 2.5); the VideoPrism paper states none
HIGHEST_SCALE = 100.0  # CLIP, the same section: keeps a learned temperature from running away
FIRST_SIGMOID_SCALE = 10.0  # SigLIP (arXiv 2303.15343, section 3.2)
FIRST_SIGMOID_BIAS = -10.0  # the same: nearly all pairs are wrong ones
TIMES = "temporal_embeddings.position_embeddings"

LossName = Literal["softmax", "sigmoid"]


@dataclass(frozen=True, kw_only=True)
class ContrastiveOptions:
    """What stage 1 minimises.

    Attributes:
        loss: `softmax` as in the paper, or `sigmoid` (SigLIP).
        dropped_share: the share of patch positions that a clip's tubes leave out in a step; the paper drops 0.5.
        rebuild: also predict the pixels of what was left out, as a masked autoencoder: the arm of the paper's
            ablations that has one stage.
    """

    loss: LossName = "softmax"
    dropped_share: float = 0.5
    rebuild: bool = False

    def __post_init__(self) -> None:
        if self.loss not in ("softmax", "sigmoid"):
            raise ValueError(f"loss is {self.loss!r}; allowed: softmax, sigmoid; give one of them")
        kept_count(1, self.dropped_share)
        if self.rebuild and not self.dropped_share:
            raise ValueError("rebuild is on and dropped_share 0; allowed: a share above 0; nothing else is rebuilt")


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
    """What stage 1 trains; the pixel decoder, of the size that is given, is there to rebuild alone."""

    def __init__(
        self, model: VideoTextModel, loss: LossName = "softmax", pixel_decoder: DecoderConfig | None = None
    ) -> None:
        super().__init__()
        self.model = model
        self.scale = LearnedScale(loss)
        self.pixel_decoder = None
        if pixel_decoder is not None:
            config = model.video_model.vision_model.config
            places, pixels = config.frames * config.patches, CHANNELS * config.patch_px**2
            self.pixel_decoder = LocalDecoder(config.width, places, pixel_decoder, predicted=pixels)


class _Inputs(NamedTuple):
    """A batch as the towers read it, but for its frames: ids, paddings [B, L] and kept positions [B, K]."""

    ids: Tensor
    paddings: Tensor
    keep: Tensor


class _Outputs(NamedTuple):
    """What the towers make of some clips: float32 embeddings of unit length [b, D], and errors [b] of what is rebuilt.

    Without a pixel decoder the errors are empty: [b, 0].
    """

    video: Tensor
    text: Tensor
    errors: Tensor


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
        if (parts.pixel_decoder is not None) != options.rebuild:
            raise ValueError(
                f"rebuild is {options.rebuild}; allowed: on with a pixel decoder, off without one; give such parts"
            )
        self.trained = parts
        self._execution = execution or Execution()
        self._tokenizer = tokenizer
        self._patches = parts.model.video_model.vision_model.config.patches
        self._kept = kept_count(self._patches, options.dropped_share)
        if options.rebuild and self._kept == self._patches:
            raise ValueError(f"dropped_share leaves all {self._patches} patches and rebuild is on; give a larger one")

    def loss(self, batch: ClipBatch, generator: torch.Generator) -> StepLoss:
        """Return the symmetric contrastive loss of a batch, all of it at once.

        Raises:
            ValueError: a clip of the batch has no text.
        """
        inputs = self._inputs(batch, generator)
        return self._compare(self._embed(batch, inputs, slice(None)))

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
        leaves = _Outputs(*(torch.cat(parts).detach().requires_grad_() for parts in zip(*embedded, strict=True)))
        found = self._compare(leaves)
        found.total.backward()
        for number, rows in enumerate(chunks):
            outputs = embedded[number] if once else self._embed(batch, inputs, rows)
            _flow_on(outputs, leaves, rows)
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

    def _embed(self, batch: ClipBatch, inputs: _Inputs, rows: slice) -> _Outputs:
        ids, paddings, keep = (part[rows] for part in inputs)
        model = self.trained.model
        with self._execution.autocast():
            frames = unit_frames(batch, rows, keep.device)
            tokens = _tokens(model.video_model.vision_model, frames, keep)
            video = unit_length(model.video_model.pool(tokens))
            text = model.embed_text(ids, paddings)
            return _Outputs(video, text, self._errors(frames, tokens, keep))

    def _errors(self, frames: Tensor, tokens: Tensor, keep: Tensor) -> Tensor:
        """Return each clip's error of what is rebuilt, [b], or [b, 0] where nothing is."""
        decoder = self.trained.pixel_decoder
        if decoder is None:
            return tokens.new_zeros(len(tokens), 0, dtype=torch.float32)
        places = tube_places(keep, frames.shape[1], self._patches)
        target = patch_targets(frames, self.trained.model.video_model.vision_model.config.patch_px)
        return hidden_error(decoder(tokens, places)[:, : target.shape[1]], target, places)

    def _compare(self, outputs: _Outputs) -> StepLoss:
        pairs = Pairs.of(outputs.video, outputs.text, self._execution.ranks)
        scale = self.trained.scale
        total = scale.loss(pairs)
        terms = {"temperature": 1 / scale().detach(), "accuracy": pair_accuracy(pairs).detach()}
        if scale.bias is not None:
            terms["bias"] = scale.bias.detach().clone()
        if self.trained.pixel_decoder is not None:
            terms |= {"contrastive": total.detach(), "rebuilt": outputs.errors.detach().mean()}
            total = total + outputs.errors.mean()
        return StepLoss(total=total, terms=terms)

    def _over_ranks(self, found: StepLoss, clips: int) -> StepLoss:
        tally = Tally()
        for name, value in {"total": found.total, **found.terms}.items():
            tally.add(name, value.detach() * clips, clips)
        means = tally.means(self._execution.ranks)
        return StepLoss(total=means.pop("total"), terms=means)


def _flow_on(outputs: _Outputs, leaves: _Outputs, rows: slice) -> None:
    """Let the gradients of some rows of what was cached flow on into what gave these rows anew."""
    flowing = [(own, leaf.grad[rows]) for own, leaf in zip(outputs, leaves, strict=True) if leaf.grad is not None]
    torch.autograd.backward([own for own, _ in flowing], [gradient for _, gradient in flowing])


def _tokens(encoder: VideoEncoder, frames: Tensor, keep: Tensor) -> Tensor:
    """Return the tokens [B, T*K, D] of clips; an image is a clip of one frame, and its time is the first.

    The paper crops the table of times for images; the encoder alone would resize it, and an image would get the mean of
    all times.
    """
    if frames.shape[1] > 1:
        whole: Tensor = encoder(frames, keep).tokens
        return whole
    first = encoder.temporal_embeddings.position_embeddings[:, :1]
    cropped: Tensor = functional_call(encoder, {TIMES: first}, (frames, keep)).tokens
    return cropped
