from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.scorers.batching import PaddedBatches, ScorerOutOfMemory, is_out_of_memory


class Encoder:
    """Doubles what it is given, in batches of `room` items at most; keeps the shapes it met."""

    def __init__(self, room: int = 64, error: Exception | None = None) -> None:
        self.room = room
        self.error = error or RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB")
        self.shapes: list[int] = []

    def __call__(self, items: np.ndarray) -> np.ndarray:
        self.shapes.append(len(items))
        if len(items) > self.room:
            raise self.error
        return (items * 2.0).astype(np.float32)


class Releases:
    def __init__(self) -> None:
        self.count = 0

    def __call__(self) -> None:
        self.count += 1


def items(count: int) -> np.ndarray:
    return np.arange(count * 3, dtype=np.int64).reshape(count, 3)


@given(st.integers(0, 40), st.integers(1, 9), st.integers(1, 9))
def test_every_item_comes_back_once_whatever_fits(count: int, size: int, room: int) -> None:
    release, encoder = Releases(), Encoder(room)
    batches = PaddedBatches(size, release)
    found = batches.run(items(count), encoder)
    assert found.dtype == np.float32
    assert found.tolist() == (items(count) * 2.0).tolist()
    assert found.shape == (count, 3)
    assert batches.size <= min(size, room)
    assert release.count == batches.halvings


def test_every_batch_has_the_one_shape() -> None:
    encoder = Encoder()
    PaddedBatches(4, Releases()).run(items(9), encoder)
    assert encoder.shapes == [4, 4, 4]


def test_no_item_still_tells_the_width() -> None:
    encoder = Encoder()
    assert PaddedBatches(4, Releases()).run(items(0), encoder).shape == (0, 3)
    assert encoder.shapes == [4]


def test_a_batch_that_does_not_fit_is_halved_and_stays_so() -> None:
    encoder, release = Encoder(room=3), Releases()
    batches = PaddedBatches(8, release)
    assert batches.run(items(5), encoder).tolist() == (items(5) * 2.0).tolist()
    assert encoder.shapes == [8, 4, 2, 2, 2]
    assert (batches.size, batches.halvings, release.count) == (2, 2, 2)
    encoder.shapes.clear()
    batches.run(items(2), encoder)
    assert encoder.shapes == [2]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:117] DefaultCPUAllocator: can't allocate memory: 9 bytes"),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 9 bytes"),
        RuntimeError("CUDA out of memory. Tried to allocate 20.00 MiB"),
    ],
)
def test_one_item_that_does_not_fit_is_a_clear_error(error: Exception) -> None:
    assert is_out_of_memory(error)
    with pytest.raises(ScorerOutOfMemory, match=r"one item of shape \[3\] does not fit into memory.*use a smaller"):
        PaddedBatches(8, Releases()).run(items(5), Encoder(room=0, error=error))


@pytest.mark.parametrize("error", [RuntimeError("shapes do not match"), ValueError("no"), OSError("gone")])
def test_any_other_error_is_not_tried_again(error: Exception) -> None:
    encoder = Encoder(room=0, error=error)
    with pytest.raises(type(error), match=str(error)):
        PaddedBatches(8, Releases()).run(items(5), encoder)
    assert encoder.shapes == [8]
