"""Frozen attention-pooling probes: for each factor a norm, one learned query over all tokens, a linear classifier.

As VideoPrism probes its frozen encoders (arXiv 2402.13217, video classification by multihead attention pooling). All
factors are trained in one pass and share no parameter. A probe is `training.model.AttentionPool` in other words: there
is one query, so keys and values need not be made for every token. The query goes through the key weights once, and the
values are made from the attended mean; the numbers are the same for a fraction of the work.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.model import AttentionPool
from training.model.config import LAYER_NORM_EPS
from training.model.layers import new_linear

WEIGHT_DECAY = 1e-2  # ours: AdamW's own default in torch
WARMUP_SHARE = 0.05  # ours: of the steps, linear, before the cosine
STD_FLOOR = 1e-4  # ours: channels that vary less (of 1, after the norm) are not blown up
PREDICT_BATCH = 256


@dataclass(frozen=True, kw_only=True)
class ProbeBudget:
    """The same for every subject.

    rates: learning rates; each factor takes the one that is best on the validation clips.
    """

    seed: int
    steps: int
    batch: int
    heads: int
    rates: tuple[float, ...]


@dataclass(frozen=True)
class Labelled:
    """tokens: float32 [N, M, D]. labels: int64 [N, F], the value of each factor."""

    tokens: Tensor
    labels: Tensor


class ProbeBank(nn.Module):
    """One probe for each of F factors.

    Args:
        width: D of the tokens.
        classes: of each factor.
        heads: of the pooling; its inner width is D, rounded up to a multiple of heads.
    """

    def __init__(self, width: int, classes: Sequence[int], heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = -(-width // heads) * heads
        pools = [AttentionPool(width, heads, inner) for _ in classes]
        linears = [new_linear(width, count) for count in classes]
        self.scale = pools[0].scale

        def stacked(*parts: Tensor) -> nn.Parameter:
            return nn.Parameter(torch.stack([part.detach() for part in parts]))

        self.per_dim_scale = stacked(*[pool.per_dim_scale for pool in pools])
        self.query = stacked(*[pool.pooling_attention_query[0, 0] for pool in pools])
        self.q_weight = stacked(*[pool.q_proj.weight for pool in pools])
        self.q_bias = stacked(*[pool.q_proj.bias for pool in pools])
        # no key bias: it adds the same to all logits of a head, and the softmax takes that away
        self.k_weight = stacked(*[pool.k_proj.weight for pool in pools])
        self.v_weight = stacked(*[pool.v_proj.weight for pool in pools])
        self.v_bias = stacked(*[pool.v_proj.bias for pool in pools])
        self.o_weight = stacked(*[pool.o_proj.weight for pool in pools])
        self.o_bias = stacked(*[pool.o_proj.bias for pool in pools])
        most = max(classes)
        self.out_weight = stacked(*[F.pad(layer.weight, (0, 0, 0, most - layer.out_features)) for layer in linears])
        self.out_bias = stacked(*[F.pad(layer.bias, (0, most - layer.out_features)) for layer in linears])
        self.register_buffer("real", torch.arange(most) < torch.tensor(list(classes))[:, None])

    def pool(self, tokens: Tensor) -> Tensor:
        """[B, M, D] -> [B, F, D]: what the factors' `AttentionPool`s give."""
        query = torch.einsum("fd,fid->fi", self.query, self.q_weight) + self.q_bias
        query = query.unflatten(1, (self.heads, -1)) * (self.scale * F.softplus(self.per_dim_scale))[:, None]
        keys = torch.einsum("fhk,fhkd->fhd", query, self.k_weight.unflatten(1, (self.heads, -1)))
        weights = (keys.flatten(0, 1) @ tokens.transpose(1, 2)).softmax(dim=-1)
        attended = (weights @ tokens).unflatten(1, (-1, self.heads))
        value = torch.einsum("bfhd,fhkd->bfhk", attended, self.v_weight.unflatten(1, (self.heads, -1)))
        return torch.einsum("bfi,fdi->bfd", value.flatten(2) + self.v_bias, self.o_weight) + self.o_bias

    def forward(self, tokens: Tensor) -> Tensor:
        """[B, M, D] -> logits [B, F, most classes]; places beyond a factor's classes hold the least number."""
        logits = torch.einsum("bfd,fcd->bfc", self.pool(tokens), self.out_weight) + self.out_bias
        return logits.masked_fill(~self.get_buffer("real"), torch.finfo(logits.dtype).min)


def normalise(train: Tensor, others: Sequence[Tensor]) -> None:
    """Give all tokens [N, M, D], in place, the norm that stands before the pooling.

    Layer norm over D for each token, then for each channel the mean and spread of the training clips. The second is a
    layer norm's own weight and bias, set from data: it does not change what a probe can say, only how fast it learns it
    where tokens share a large common part.
    """
    for tokens in (train, *others):
        for part in tokens.split(PREDICT_BATCH):
            part.copy_(F.layer_norm(part, part.shape[-1:], eps=LAYER_NORM_EPS))
    spread, mean = torch.std_mean(train, dim=(0, 1), correction=0)
    for tokens in (train, *others):
        tokens.sub_(mean).div_(spread.clamp(min=STD_FLOOR))


def train_banks(
    train: Labelled, classes: Sequence[int], budget: ProbeBudget, on_step: Callable[[int], None]
) -> list[ProbeBank]:
    """Train one bank for each learning rate; all begin with the same weights and see the same batches.

    Args:
        train: tokens as `normalise` leaves them.

    Returns:
        The banks in the order of `budget.rates`.
    """
    banks = []
    for _ in budget.rates:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(budget.seed)
            banks.append(ProbeBank(train.tokens.shape[2], classes, budget.heads))
    groups = [{"params": list(bank.parameters()), "lr": rate} for bank, rate in zip(banks, budget.rates, strict=True)]
    optimiser = torch.optim.AdamW(groups, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda step: _share_of_rate(step, budget.steps))
    order = torch.Generator().manual_seed(budget.seed)
    waiting = torch.empty(0, dtype=torch.int64)
    for step in range(budget.steps):
        while len(waiting) < budget.batch:
            waiting = torch.cat([waiting, torch.randperm(len(train.tokens), generator=order)])
        taken, waiting = waiting[: budget.batch], waiting[budget.batch :]
        tokens, labels = train.tokens[taken], train.labels[taken]
        optimiser.zero_grad()
        for bank in banks:
            # a sum over factors, so that no factor's gradient depends on how many there are
            loss = F.cross_entropy(bank(tokens).transpose(1, 2), labels, reduction="none").mean(0).sum()
            torch.autograd.backward(loss)
        optimiser.step()
        schedule.step()
        on_step(step + 1)
    return banks


def accuracies(bank: ProbeBank, clips: Labelled) -> Tensor:
    """Return the share of clips that each factor's probe gets right: float64 [F]."""
    with torch.inference_mode():
        guesses = torch.cat([bank(part).argmax(dim=-1) for part in clips.tokens.split(PREDICT_BATCH)])
    return (guesses == clips.labels).double().mean(dim=0)


def probe(
    splits: tuple[Labelled, Labelled, Labelled],
    classes: Sequence[int],
    budget: ProbeBudget,
    on_step: Callable[[int], None],
) -> list[float]:
    """Train, choose each factor's learning rate by validation accuracy, and measure that one probe on the test clips.

    Args:
        splits: train, validation, test; their tokens are normalised in place.

    Returns:
        Test accuracy of each factor, in [0, 1].
    """
    train, validation, test = splits
    normalise(train.tokens, (validation.tokens, test.tokens))
    banks = train_banks(train, classes, budget, on_step)
    chosen = torch.stack([accuracies(bank, validation) for bank in banks]).argmax(dim=0)
    tested = torch.stack([accuracies(bank, test) for bank in banks])
    return [float(tested[rate, factor]) for factor, rate in enumerate(chosen.tolist())]


def _share_of_rate(step: int, steps: int) -> float:
    warmup = max(1, round(WARMUP_SHARE * steps))
    if step < warmup:
        return (step + 1) / warmup
    return 0.5 * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup)))
