"""The training loop: a sigmoid loss over all frame-text pairs of a batch, with labels from the world's truth."""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.scorer.data import Pool, jitter, mismatches, write_texts
from training.scorer.recipe import CONTEXT_TOKENS, MEAN, STD, Recipe, model_config

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


def _rate(recipe: Recipe, step: int) -> float:
    if step < recipe.warmup_steps:
        return recipe.peak_rate * (step + 1) / recipe.warmup_steps
    done = (step - recipe.warmup_steps) / max(1, recipe.steps - recipe.warmup_steps)
    return recipe.peak_rate * 0.5 * (1 + math.cos(math.pi * done))


def _optimiser(model: Any, bias: torch.nn.Parameter, recipe: Recipe) -> torch.optim.AdamW:
    matrices = [weight for weight in model.parameters() if weight.ndim >= 2]
    others = [weight for weight in model.parameters() if weight.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": [*others, bias], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=recipe.peak_rate, betas=(0.9, 0.98))


def fit(recipe: Recipe, pool: Pool, tokenizer: Tokenizer, on_step: Callable[[int, float], None] | None = None) -> Any:
    """Train a fresh open_clip CLIP on the pool. `tokenizer` cuts and pads to the context. Returns it in eval mode.

    The same recipe gives the same weights on one machine with one thread count, and near ones elsewhere.
    """
    from open_clip import CLIP

    torch.manual_seed(recipe.seed)
    model = CLIP(**model_config(tokenizer.get_vocab_size()), init_logit_scale=math.log(10.0))
    model = model.to(memory_format=torch.channels_last).train()
    bias = torch.nn.Parameter(torch.zeros(()))
    optimiser = _optimiser(model, bias, recipe)
    rng, arrays = random.Random(recipe.seed), np.random.default_rng(recipe.seed)
    started, seen = time.monotonic(), 0.0
    for step in range(recipe.steps):
        rows = arrays.integers(len(pool.frames), size=recipe.batch)
        texts = write_texts([pool.factors[row] for row in rows], rng, recipe.text_share_filler)
        tokens = torch.tensor([found.ids for found in tokenizer.encode_batch(texts.texts)])
        missed = torch.from_numpy(mismatches(pool.codes[rows], texts))
        for group in optimiser.param_groups:
            group["lr"] = _rate(recipe, step)
        with torch.autocast("cpu", torch.bfloat16):
            images = model.encode_image(pixels(jitter(pool.frames[rows], arrays)))
        images = functional.normalize(images.float(), dim=-1)
        logits = model.logit_scale.exp() * images @ encode_texts(model, tokens).T + bias
        loss = loss_of(logits, missed)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        seen = 0.98 * seen + 0.02 * float(loss.detach())
        if step % 100 == 99:
            log.info("step %d loss %.4f %.0f s", step + 1, seen / (1 - 0.98 ** (step + 1)), time.monotonic() - started)
        if on_step is not None:
            on_step(step, float(loss.detach()))
    return model.eval()
