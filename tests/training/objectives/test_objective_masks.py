"""Which positions stay: exact counts, no repeats, a function of the generator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.objectives.masks import block_keep, kept_count, tube_keep


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


COUNTS = {"half": (16, 0.5, 8), "the paper's mask on 4 x 4": (16, 0.65, 6), "on 16 x 16": (256, 0.65, 90)}
EDGES = {"nothing dropped": (16, 0.0, 16), "never all of them": (2, 0.99, 1)}


@pytest.mark.parametrize("case", COUNTS | EDGES)
def test_how_many_stay(case: str) -> None:
    patches, share, expected = (COUNTS | EDGES)[case]
    assert kept_count(patches, share) == expected


def test_a_share_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match="allowed: 0 up to but not 1"):
        kept_count(16, 1.0)


@given(grid=st.integers(1, 9), share=st.floats(0, 0.99), seed=st.integers(0, 99))
def test_both_kinds_keep_exactly_so_many_different_positions(grid: int, share: float, seed: int) -> None:
    count = kept_count(grid * grid, share)
    for keep in (tube_keep(3, grid * grid, count, generator(seed)), block_keep(3, grid, count, generator(seed))):
        assert keep.shape == (3, count) and keep.dtype == torch.int64
        for row in keep.tolist():
            assert row == sorted(set(row)) and row[0] >= 0 and row[-1] < grid * grid


def test_clips_get_masks_of_their_own_and_steps_repeat() -> None:
    assert tube_keep(8, 16, 8, generator(3)).unique(dim=0).shape[0] > 4
    assert block_keep(8, 4, 6, generator(3)).unique(dim=0).shape[0] > 4
    assert torch.equal(block_keep(8, 4, 6, generator(3)), block_keep(8, 4, 6, generator(3)))


def test_blocks_mask_neighbours_more_often_than_tubes_do() -> None:
    def neighbours(keep: torch.Tensor) -> float:
        masked = torch.ones(len(keep), 64, dtype=torch.bool).scatter_(1, keep, False).view(-1, 8, 8)
        return (masked[:, :, 1:] & masked[:, :, :-1]).float().mean().item()

    count = kept_count(64, 0.5)
    assert (
        neighbours(block_keep(200, 8, count, generator())) > neighbours(tube_keep(200, 64, count, generator())) + 0.05
    )


def test_every_position_is_masked_sometimes_and_kept_sometimes() -> None:
    kept = torch.zeros(16).index_add_(0, block_keep(400, 4, 6, generator()).flatten(), torch.ones(2400))
    assert kept.min() > 40 and kept.max() < 360
