"""Decoding in processes: the same frames, several at a time, and no clip that takes for ever or takes all down."""

from __future__ import annotations

import multiprocessing
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from curation.media import FramePlan
from tests.training.data.test_data_cache import clip, samples_of
from training.data import ClipRefused, DecodeWorkers, WorkerOptions, read_frames

__all__ = ["clip"]
PLAN = FramePlan(count=4, size_px=16)


def children() -> int:
    return len(multiprocessing.active_children())


def test_frames_are_those_of_one_process_in_order(clip: bytes) -> None:
    before = children()
    wanted = samples_of(clip, 5)
    with DecodeWorkers(PLAN, WorkerOptions(workers=2)) as workers:
        assert children() == before + 2
        found = workers.frames(wanted)
        expected = read_frames(clip, PLAN, 12)
        assert found.shape == (5, 4, 16, 16, 3)
        assert all(np.array_equal(frames, expected) for frames in found)
        assert workers.frames([]).shape == (0, 4, 16, 16, 3)
    assert children() == before


def test_a_clip_that_gives_no_frames_is_named_and_nobody_stays(clip: bytes) -> None:
    before = children()
    wanted = samples_of(clip, 3)
    wanted[1] = replace(wanted[1], media=b"no video")
    workers = DecodeWorkers(PLAN)
    with pytest.raises(ClipRefused, match=r"sample k1 of shards/x\.tar: "):
        workers.frames(wanted)
    assert children() == before


def test_a_clip_over_its_deadline_is_named_and_nobody_stays(clip: bytes) -> None:
    before = children()
    # Its process is not even up after so short a time.
    late = WorkerOptions(workers=1, deadline_s=0.001)
    said = r"sample k0 of shards/x\.tar: was not decoded in 0\.001 s; give more time"
    workers = DecodeWorkers(PLAN, late)
    with pytest.raises(ClipRefused, match=said):
        workers.frames(samples_of(clip, 2))
    assert children() == before


def test_a_worker_that_dies_is_said(clip: bytes) -> None:
    with DecodeWorkers(PLAN, WorkerOptions(workers=1)) as workers:
        workers.frames(samples_of(clip, 1))
        for child in multiprocessing.active_children():
            child.kill()
            child.join()
        with pytest.raises(ClipRefused, match=r"sample k0 of .*: its decoding process (is gone|died)"):
            workers.frames(samples_of(clip, 1))


@pytest.mark.parametrize("make", [partial(WorkerOptions, workers=0), partial(WorkerOptions, deadline_s=0)])
def test_options_that_mean_nothing_are_refused(make: partial[WorkerOptions]) -> None:
    with pytest.raises(ValueError, match="allowed: from 1, above 0"):
        make()
