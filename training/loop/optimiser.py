"""The optimiser, and the learning rate as a function of the step."""

from __future__ import annotations

import math

import torch
from torch import nn

from training.loop.config import OptimiserConfig


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """Return the learning rate of a step, counted from 0, of `steps` in all: up linearly, then along `config.fall`.

    Raises:
        ValueError: there is no such step.
    """
    if not 0 <= step < steps:
        raise ValueError(f"step is {step}; allowed: 0 to {steps - 1}")
    if step < config.warmup_steps:
        return config.peak_lr * (step + 1) / (config.warmup_steps + 1)
    if config.fall == "constant":
        return config.peak_lr
    if config.fall == "inverse_sqrt":
        return config.peak_lr * math.sqrt((config.warmup_steps + 1) / (step + 1))
    passed = (step - config.warmup_steps) / max(1, steps - 1 - config.warmup_steps)
    left = 1 - passed if config.fall == "linear" else 0.5 * (1 + math.cos(math.pi * passed))
    return config.final_lr + (config.peak_lr - config.final_lr) * left


def decays(name: str, parameter: nn.Parameter) -> bool:
    """Return whether weight decay applies: to matrices, not to norms, biases, tables, single tokens or scalars."""
    return parameter.squeeze().dim() >= 2 and "position_embedding" not in name


def new_optimiser(trained: nn.Module, config: OptimiserConfig) -> torch.optim.Optimizer:
    """Return the optimiser of all in `trained` that wants a gradient, in two groups: with weight decay and without."""
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for name, parameter in trained.named_parameters():
        if parameter.requires_grad:
            groups[decays(name, parameter)].append(parameter)
    both = [
        {"params": groups[True], "weight_decay": config.weight_decay},
        {"params": groups[False], "weight_decay": 0.0},
    ]
    if config.kind == "adafactor":
        return torch.optim.Adafactor(both, lr=config.peak_lr)
    return torch.optim.AdamW(both, lr=config.peak_lr, betas=(config.beta1, config.beta2), fused=True)
