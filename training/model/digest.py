"""The identity of weights: equal names, shapes and values, equal digest."""

from __future__ import annotations

import hashlib

import torch
from torch import nn


def weights_digest(model: nn.Module) -> str:
    """Return the SHA-256 over a model's state in float32, by name: 64 hex characters."""
    digest = hashlib.sha256()
    for name, value in sorted(model.state_dict().items()):
        plain = value.detach().to("cpu", torch.float32).contiguous()
        digest.update(f"{name} {tuple(plain.shape)}\n".encode())
        digest.update(plain.numpy().tobytes())
    return digest.hexdigest()
