"""Which positions stay: exact counts, no repeats, a function of the generator."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from training.objectives.masks import ClipMasks, MaskShape, block_keep, draw_masks, kept_count, tube_keep, tube_places


def generators(clips: int, seed: int = 0) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed * 1000 + clip) for clip in range(clips)]


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
    for keep in (tube_keep(generators(3, seed), grid * grid, count), block_keep(generators(3, seed), grid, count)):
        assert keep.shape == (3, count) and keep.dtype == torch.int64
        for row in keep.tolist():
            assert row == sorted(set(row)) and row[0] >= 0 and row[-1] < grid * grid


def test_clips_get_masks_of_their_own_and_steps_repeat() -> None:
    assert tube_keep(generators(8), 16, 8).unique(dim=0).shape[0] > 4
    assert block_keep(generators(8), 4, 6).unique(dim=0).shape[0] > 4
    assert torch.equal(block_keep(generators(8), 4, 6), block_keep(generators(8), 4, 6))


def test_blocks_mask_neighbours_more_often_than_tubes_do() -> None:
    def neighbours(keep: torch.Tensor) -> float:
        masked = torch.ones(len(keep), 64, dtype=torch.bool).scatter_(1, keep, False).view(-1, 8, 8)
        return (masked[:, :, 1:] & masked[:, :, :-1]).float().mean().item()

    count = kept_count(64, 0.5)
    blocks, tubes = block_keep(generators(200), 8, count), tube_keep(generators(200), 64, count)
    assert neighbours(blocks) > neighbours(tubes) + 0.05


def test_every_position_is_masked_sometimes_and_kept_sometimes() -> None:
    kept = torch.zeros(16).index_add_(0, block_keep(generators(400), 4, 6).flatten(), torch.ones(2400))
    assert kept.min() > 40 and kept.max() < 360


def drawn(kind: str, share: float = 0.65, clips: int = 200, frames: int = 8, grid: int = 4) -> ClipMasks:
    shape = MaskShape(kind=kind, masked_share=share, frames=frames, grid=grid)  # type: ignore[arg-type]
    return draw_masks(generators(clips), shape)


def test_places_of_tubes_go_frame_by_frame() -> None:
    assert tube_places(torch.tensor([[0, 3], [1, 2]]), 2, 4).tolist() == [[0, 3, 4, 7], [1, 2, 5, 6]]


@given(
    kind=st.sampled_from(["tubes", "blocks", "bevt"]),
    share=st.floats(0, 0.99),
    frames=st.integers(1, 9),
    grid=st.integers(1, 6),
)
def test_every_mask_says_the_same_in_all_its_forms(kind: str, share: float, frames: int, grid: int) -> None:
    found = drawn(kind, share, 2, frames, grid)
    assert found.visible.shape == (2, frames, grid**2)
    assert [row.nonzero()[:, 0].tolist() for row in found.visible.flatten(1)] == found.places.tolist()
    if found.keep is not None:
        assert torch.equal(tube_places(found.keep, frames, grid**2), found.places)


def test_bevt_masks_exactly_the_share_of_a_clip() -> None:
    # 83 of 8 x 16 patches; no tube of whole positions could.
    assert (~drawn("bevt").visible).sum(dim=(1, 2)).unique().tolist() == [83]
    assert (~drawn("bevt", 0.3).visible).sum(dim=(1, 2)).unique().tolist() == [38]


def test_bevt_masks_a_run_of_frames_and_leaves_the_others_whole() -> None:
    masked = ~drawn("bevt", 0.3).visible
    lengths = set()
    for clip in masked:
        touched = clip.any(dim=1)
        # Going round the clip, a run begins once, or never where it holds all frames.
        assert int((touched & ~touched.roll(1)).sum()) == (0 if touched.all() else 1)
        lengths.add(int(touched.sum()))
    assert lengths == {4, 5, 6, 7, 8}
    # Every frame is in a run sometimes, and out of one sometimes: runs go round the end of the clip.
    inside = masked.any(dim=2).float().mean(dim=0)
    assert inside.min() > 0.6 and inside.max() < 0.9


def test_all_frames_of_a_run_have_one_mask_but_for_a_single_patch() -> None:
    for clip in ~drawn("bevt", 0.5).visible:
        rows = clip[clip.any(dim=1)]
        common = rows.all(dim=0)
        assert int((rows & ~common).sum(dim=1).max()) <= 1
        assert int(common.sum()) == 64 // len(rows)


def test_no_frame_of_a_run_is_masked_whole_where_it_can_be_helped() -> None:
    assert drawn("bevt", 0.75).visible.any(dim=2).all()


def test_a_mask_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="mask is 'rows'; allowed: tubes, blocks, bevt"):
        MaskShape(kind="rows", masked_share=0.5, frames=1, grid=1)  # type: ignore[arg-type]
