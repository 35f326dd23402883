"""Changed clips: all frames of a clip alike, no mirror where direction matters, a function of the step."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.data import AugmentOptions, augmented
from training.data.augment import names_direction, window
from training.data.batches import ClipBatch

ALL = AugmentOptions(crop=0.3, flip=0.5, colour=0.4)


def batch_of(*texts: str | None, source: str = "stock", step: int = 3) -> ClipBatch:
    """Clips whose frames are alike: a ramp from left to right, another for each clip."""
    ramp = np.linspace(0, 200, 16).astype(np.uint8)
    frames = np.stack(
        [np.broadcast_to((ramp + row % 40)[None, None, :, None], (4, 16, 16, 3)) for row in range(len(texts))]
    )
    return ClipBatch(
        step=step,
        source=source,
        epoch=0.0,
        keys=tuple(f"k{row}" for row in range(len(texts))),
        texts=texts,
        shards=("x",) * len(texts),
        frames=frames,
    )


def test_nothing_is_changed_unless_asked_for() -> None:
    batch = batch_of("a", "b")
    assert augmented(batch, AugmentOptions(), seed=1) is batch


def test_all_frames_of_a_clip_are_changed_alike_and_clips_differ() -> None:
    batch = batch_of(*["a"] * 8)
    found = augmented(batch, ALL, seed=1).frames
    assert found.shape == batch.frames.shape and found.dtype == np.uint8
    assert all(np.array_equal(frame, clip[0]) for clip in found for frame in clip)
    assert not any(np.array_equal(clip, before) for clip, before in zip(found, batch.frames, strict=True))


def test_a_change_hangs_on_seed_step_and_key_and_not_on_neighbours() -> None:
    batch = batch_of(*["a"] * 4)
    found = augmented(batch, ALL, seed=1).frames
    second = replace(batch, keys=batch.keys[1:2], texts=("a",), frames=batch.frames[1:2])
    assert np.array_equal(augmented(second, ALL, seed=1).frames[0], found[1])
    assert not np.array_equal(augmented(batch, ALL, seed=2).frames, found)
    assert not np.array_equal(augmented(replace(batch, step=4), ALL, seed=1).frames, found)


def test_a_mirror_turns_left_and_right_in_every_frame() -> None:
    batch = batch_of("a circle grows")
    found = augmented(batch, AugmentOptions(flip=1.0), seed=1).frames
    assert np.array_equal(found, batch.frames[:, :, :, ::-1])


def test_half_of_many_clips_are_mirrored() -> None:
    batch = batch_of(*["a"] * 400)
    found = augmented(batch, AugmentOptions(flip=0.5), seed=1).frames
    turned = sum(not np.array_equal(clip, before) for clip, before in zip(found, batch.frames, strict=True))
    assert 160 < turned < 240


DIRECTIONS = {
    "moves left": True,
    "Right-hand traffic": True,
    "a wheel turns clockwise": True,
    "turning anticlockwise": True,
    "counter-clockwise": True,
    "drifts leftwards": True,
    "an eastward wind": True,
    "a bright circle": False,
    "copyright": False,
    "the least of all": False,
    "grows and shrinks": False,
    None: False,
}


@pytest.mark.parametrize("text", DIRECTIONS)
def test_texts_that_a_mirror_would_make_wrong(text: str | None) -> None:
    assert names_direction(text) is DIRECTIONS[text]


def test_no_clip_is_mirrored_whose_text_or_source_has_a_direction() -> None:
    options = AugmentOptions(flip=1.0, directed_sources=("driving",))
    for batch in (batch_of("it moves left"), batch_of("a circle", source="driving")):
        assert np.array_equal(augmented(batch, options, seed=1).frames, batch.frames)


def test_colours_stay_within_their_distance() -> None:
    batch = batch_of(*["a"] * 50)
    even = batch.with_frames(np.full_like(batch.frames, 100))
    means = augmented(even, AugmentOptions(colour=0.2), seed=1).frames.mean(axis=(1, 2, 3, 4))
    assert 80 <= means.min() < 90 and 110 < means.max() <= 120


@given(st.integers(1, 300), st.floats(0.01, 1), st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4))
def test_a_window_lies_inside(side: int, smallest: float, draws: list[float]) -> None:
    left, top, right, bottom = window(side, smallest, draws)
    assert 0 <= left < right <= side and 0 <= top < bottom <= side


def test_a_window_keeps_the_part_that_was_asked_for() -> None:
    assert window(100, 0.25, [0.0, 0.5, 0.0, 0.999]) == (0, 50, 50, 100)


WRONG = {
    "no window": (partial(AugmentOptions, crop=0.0), "crop is 0.0; allowed: above 0, to 1"),
    "no chance": (partial(AugmentOptions, flip=1.5), "flip is 1.5; allowed: 0 to 1"),
    "no colour": (partial(AugmentOptions, colour=1.0), "colour is 1.0; allowed: 0 up to but not 1"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_means_nothing_is_refused(case: str) -> None:
    make, message = WRONG[case]
    with pytest.raises(ValueError, match=message):
        make()
