"""The held-out draw: repeatable, apart from other draws, taken by the training reader's rule."""

from __future__ import annotations

import numpy as np
import pytest

from curation.world import FACTORS, WorldOptions, plan_world
from curation.world.draw import draw_clip, draw_frames
from curation.world.records import WorldClip
from training.data.frames import centre_square, frame_indices
from training.evaluation.clips import FrameSize, HeldOutClip, clip_frames, draw_clips, labels_of, moments_of


def test_a_longer_split_begins_with_the_shorter_one() -> None:
    assert draw_clips("test", 1, 30)[:10] == draw_clips("test", 1, 10)


@pytest.mark.parametrize(("split", "seed"), [("train", 1), ("test", 2)])
def test_splits_and_seeds_share_no_look(split: str, seed: int) -> None:
    looks = {clip.look_seed for clip in draw_clips("test", 1, 200)}
    assert len(looks) == 200
    assert not looks & {clip.look_seed for clip in draw_clips(split, seed, 200)}


def test_no_look_is_one_of_a_planned_world() -> None:
    world = plan_world(WorldOptions(seed=1, clips=600))
    planned = {clip.look_seed for video in world.videos for clip in video.clips}
    assert len(planned) > 500
    assert not planned & {clip.look_seed for clip in draw_clips("train", 1, 600)}


def test_every_factor_is_drawn_evenly() -> None:
    labels = labels_of(draw_clips("train", 1, 2000))
    for column, (name, values) in enumerate(FACTORS.items()):
        shares = labels[:, column].bincount(minlength=len(values)) / 2000
        assert (shares - 1 / len(values)).abs().max() < 0.04, name


@pytest.mark.parametrize(
    ("length", "count", "expected"),
    [
        (16, 8, [1 / 15, 3 / 15, 5 / 15, 7 / 15, 9 / 15, 11 / 15, 13 / 15, 15 / 15]),
        (17, 2, [4 / 16, 12 / 16]),
        (28, 1, [14 / 27]),
    ],
)
def test_moments_are_the_middles_of_equal_parts(length: int, count: int, expected: list[float]) -> None:
    assert moments_of(length, count) == pytest.approx(expected)


def test_frames_are_those_that_the_reader_takes_of_the_whole_clip() -> None:
    (clip,) = draw_clips("test", 3, 1)
    whole = draw_clip(WorldClip(factors=clip.factors, look_seed=clip.look_seed, start_us=0, frames=clip.length))
    wanted = np.stack([centre_square(whole[index], 32) for index in frame_indices(clip.length, 8)])
    size = FrameSize(frames=8, image_px=32)
    # drawing all frames at once may take a larger window around the object; no pixel depends on it
    assert np.array_equal(clip_frames([clip], [size])[size][0], wanted)


def test_each_size_is_kept_and_no_other() -> None:
    sizes = [FrameSize(frames=2, image_px=96), FrameSize(frames=2, image_px=8), FrameSize(frames=3, image_px=8)]
    clips, done = draw_clips("test", 1, 4), list[int]()
    drawn = clip_frames(clips, sizes, done.append)
    assert {size: frames.shape for size, frames in drawn.items()} == {
        sizes[0]: (4, 2, 96, 96, 3),
        sizes[1]: (4, 2, 8, 8, 3),
        sizes[2]: (4, 3, 8, 8, 3),
    }
    assert done == [1, 2, 3, 4]
    first = draw_frames(clips[0].factors, clips[0].look_seed, moments_of(clips[0].length, 2))
    assert np.array_equal(drawn[sizes[0]][0], first)


def test_labels_are_positions_among_the_values() -> None:
    factors = draw_clips("test", 1, 1)[0].factors
    second = type(factors)(**{name: values[1] for name, values in FACTORS.items()})
    first = type(factors)(**{name: values[0] for name, values in FACTORS.items()})
    clips = [HeldOutClip(first, 0, 16), HeldOutClip(second, 0, 16)]
    assert labels_of(clips).tolist() == [[0] * 10, [1] * 10]
