"""What a training sets for its process, it sets back; gradients of a table add up in one order."""

from __future__ import annotations

import torch

from training.loop.precision import Precision, repeatable, resolve_precision


def settings() -> tuple[int, bool, bool]:
    fills = torch.utils.deterministic.fill_uninitialized_memory
    return torch.get_num_threads(), torch.are_deterministic_algorithms_enabled(), fills


def test_threads_and_order_are_set_and_set_back() -> None:
    before = settings()
    with repeatable(1):
        assert settings() == (1, True, False)
    assert settings() == before


def test_auto_is_what_the_processor_multiplies() -> None:
    assert resolve_precision("auto").name in ("float32", "bfloat16")
    assert resolve_precision("float32") == Precision("float32")


def test_matrices_alone_are_multiplied_in_half_precision() -> None:
    rows = torch.eye(2)
    with resolve_precision("bfloat16").autocast():
        assert (rows @ rows).dtype == torch.bfloat16
        assert rows.softmax(dim=0).dtype == torch.float32
    with resolve_precision("float32").autocast():
        assert (rows @ rows).dtype == torch.float32
