"""The training loop: a sigmoid loss over all frame-text pairs of a batch, with labels from the world's truth."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from tokenizers import Tokenizer

from curation.world.factors import APPEARANCE
from training.scorer.data import Pool, jitter, mismatches, write_texts
from training.scorer.recipe import CONTEXT_TOKENS, EMBED_DIM, MEAN, STD, Recipe, model_config

log = logging.getLogger(__name__)

_SHORT_TOKENS = 26
"""Most texts are shorter; they go through the text tower in a batch of their own, which saves a third of the time."""


def _encode_texts(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """open_clip's `encode_text` on tokens cut to their own length; padding behind the end token changes nothing."""
    length = tokens.shape[1]
    hidden = model.token_embedding(tokens) + model.positional_embedding[:length]
    hidden = model.ln_final(model.transformer(hidden, attn_mask=model.attn_mask[:length, :length]))
    at_end = hidden[torch.arange(len(tokens)), (tokens == model.text_eos_id).int().argmax(dim=-1)]
    return functional.normalize(at_end @ model.text_projection, dim=-1)


def encode_texts(model: Any, tokens: torch.Tensor) -> torch.Tensor:
    """int64 [T, 48] -> float32 [T, D], L2-normalised; short and long texts apart."""
    short = (tokens[:, _SHORT_TOKENS:] == 0).all(dim=1)
    found = torch.empty(len(tokens), model.text_projection.shape[1])
    for rows, length in ((short, _SHORT_TOKENS), (~short, CONTEXT_TOKENS)):
        if rows.any():
            found = found.index_put((rows.nonzero()[:, 0],), _encode_texts(model, tokens[rows][:, :length]))
    return found


def pixels(frames: NDArray[np.float32]) -> torch.Tensor:
    """float32 [B, S, S, 3] in 0 to 255 -> normalised [B, 3, S, S], channels last in memory."""
    mean, std = np.array(MEAN, np.float32) * 255, np.array(STD, np.float32) * 255
    return torch.from_numpy((frames - mean) / std).permute(0, 3, 1, 2)


def loss_of(logits: torch.Tensor, missed: torch.Tensor) -> torch.Tensor:
    """Mean over four equal groups: a clip's own text, its own changed text, all right pairs, all wrong pairs.

    logits: float32 [B, 2B]. missed: int64 [B, 2B], named factors that the frame fails; zero is a right pair. Among the
    wrong ones those that fail a single factor weigh as much as all others.
    """
    each = functional.binary_cross_entropy_with_logits(logits, (missed == 0).float(), reduction="none")
    batch = len(logits)
    groups = [each.diagonal().mean(), each[:, batch:].diagonal().mean(), each[missed == 0].mean()]
    wrong = (each[missed == 1].mean() + each[missed > 1].mean()) / 2
    return (torch.stack(groups).sum() + wrong) / 4


class _Factors(torch.nn.Module):
    """A linear reading of each appearance factor from image embeddings; only a help in training, not shipped."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes = [len(values) for values in APPEARANCE.values()]
        self.read = torch.nn.Linear(EMBED_DIM, sum(self.sizes))

    def loss(self, images: torch.Tensor, codes: NDArray[np.int8]) -> torch.Tensor:
        """Mean cross-entropy over the factors. images: float32 [B, D]. codes: int8 [B, 5]."""
        wanted = torch.from_numpy(codes.astype(np.int64)).unbind(dim=1)
        parts = self.read(images).split(self.sizes, dim=1)
        return torch.stack([functional.cross_entropy(*pair) for pair in zip(parts, wanted, strict=True)]).mean()


@dataclass(frozen=True)
class _Bench:
    """What both phases work on."""

    recipe: Recipe
    pool: Pool
    model: Any
    factors: _Factors
    arrays: np.random.Generator
    on_step: Callable[[int, float], None] | None

    def draw(self) -> tuple[NDArray[np.int64], torch.Tensor]:
        """Rows of the pool, and their image embeddings before normalisation: float32 [B, D]."""
        rows = self.arrays.integers(len(self.pool.frames), size=self.recipe.batch)
        with torch.autocast("cpu", torch.bfloat16):
            images = self.model.encode_image(pixels(jitter(self.pool.frames[rows], self.arrays)))
        return rows, images.float()

    def run(
        self, weights: list[torch.nn.Parameter], steps: int, first: int, loss_at: Callable[[], torch.Tensor]
    ) -> None:
        """Step through one phase with its own optimiser, warm-up and cosine decay; `first` numbers its first step."""
        optimiser = _optimiser(weights, self.recipe)
        started, seen = time.monotonic(), 0.0
        for step in range(steps):
            for group in optimiser.param_groups:
                group["lr"] = _rate(self.recipe, step, steps)
            loss = loss_at()
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, 1.0)
            optimiser.step()
            value = float(loss.detach())
            seen = 0.98 * seen + 0.02 * value
            if step % 100 == 99:
                mean = seen / (1 - 0.98 ** (step + 1))
                log.info("step %d loss %.4f %.0f s", first + step + 1, mean, time.monotonic() - started)
            if self.on_step is not None:
                self.on_step(first + step, value)


def _rate(recipe: Recipe, step: int, steps: int) -> float:
    warm = min(1.0, (step + 1) / recipe.warmup_steps)
    return recipe.peak_rate * warm * 0.5 * (1 + math.cos(math.pi * step / steps))


def _optimiser(weights: list[torch.nn.Parameter], recipe: Recipe) -> torch.optim.AdamW:
    groups = [
        {"params": [weight for weight in weights if weight.ndim >= 2], "weight_decay": recipe.weight_decay},
        {"params": [weight for weight in weights if weight.ndim < 2], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.98))


def fit(recipe: Recipe, pool: Pool, tokenizer: Tokenizer, on_step: Callable[[int, float], None] | None = None) -> Any:
    """Train a fresh open_clip CLIP on the pool. `tokenizer` cuts and pads to the context. Returns it in eval mode.

    First the image tower learns the factors, then both towers learn pairs. `on_step` gets the step (of both phases
    together) and its loss. The same recipe gives the same weights on one machine with one thread count.
    """
    from open_clip import CLIP

    torch.manual_seed(recipe.seed)
    model = CLIP(**model_config(tokenizer.get_vocab_size()), init_logit_scale=math.log(10.0))
    model = model.to(memory_format=torch.channels_last).train()
    bench = _Bench(recipe, pool, model, _Factors(), np.random.default_rng(recipe.seed), on_step)
    rng = random.Random(recipe.seed)

    def factor_loss() -> torch.Tensor:
        rows, images = bench.draw()
        return bench.factors.loss(images, pool.codes[rows])

    def pair_loss() -> torch.Tensor:
        rows, images = bench.draw()
        texts = write_texts([pool.factors[row] for row in rows], rng, recipe.text_share_filler)
        tokens = torch.tensor([found.ids for found in tokenizer.encode_batch(texts.texts)])
        missed = torch.from_numpy(mismatches(pool.codes[rows], texts))
        cosines = functional.normalize(images, dim=-1) @ encode_texts(model, tokens).T
        pairs = loss_of(model.logit_scale.exp() * (cosines - recipe.margin), missed)
        return pairs + recipe.factor_weight * bench.factors.loss(images, pool.codes[rows])

    reading = list(bench.factors.parameters())
    bench.run([*model.visual.parameters(), *reading], recipe.factor_steps, 0, factor_loss)
    bench.run([*model.parameters(), *reading], recipe.steps, recipe.factor_steps, pair_loss)
    return model.eval()
