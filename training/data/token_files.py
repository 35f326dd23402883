"""What the files of tokenizers, and the batches that they give, have in common."""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch
from torch import Tensor

PAD_ID = 0  # the published text tower's padding


def schema_of(data: bytes) -> str | None:
    """Return what a tokenizer's file says of its kind, or None."""
    try:
        document = json.loads(data)
    except ValueError:
        return None
    schema = document.get("schema") if isinstance(document, dict) else None
    return schema if isinstance(schema, str) else None


def padded(rows: Sequence[Sequence[int]]) -> tuple[Tensor, Tensor]:
    """Return ids int64 [B, L] and paddings bool [B, L] of rows of ids; L is the longest, at least 1."""
    longest = max((len(row) for row in rows), default=0) or 1
    ids = torch.tensor([[*row, *[PAD_ID] * (longest - len(row))] for row in rows], dtype=torch.int64)
    lengths = torch.tensor([len(row) for row in rows])
    return ids.view(len(rows), longest), torch.arange(longest)[None] >= lengths[:, None]
