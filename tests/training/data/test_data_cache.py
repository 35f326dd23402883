"""Frames of real clips and the decoded cache: literal frames, a round trip, and refusals."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import numpy as np
import pytest

from curation.media import FramePlan, ffmpeg_build
from training.data import (
    BatchOptions,
    CacheRefused,
    ClipRefused,
    ShardSample,
    clip_batch,
    frame_indices,
    open_cache,
    plan_batches,
    read_frames,
    write_cache,
)
from training.data.cache import CacheIdentity
from training.data.frames import centre_square

PLAN = FramePlan(count=4, size_px=16)
IDENTITY = CacheIdentity(manifest_sha256="a" * 64, plan=PLAN)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """12 frames of 32 x 24 pixels that grow lighter by 20 grey levels each."""
    path = tmp_path_factory.mktemp("clip") / "clip.mp4"
    picture = "color=black:s=32x24:r=12:d=1,format=gray,geq=lum='20*N',format=yuv420p"
    arguments = ["-f", "lavfi", "-i", picture, "-c:v", "libx264", "-qp", "0", str(path)]
    subprocess.run([str(ffmpeg_build().path), "-nostdin", "-loglevel", "error", *arguments], check=True, timeout=60)
    return path.read_bytes()


def samples_of(media: bytes, count: int, frames: int = 12) -> list[ShardSample]:
    return [
        ShardSample(
            key=f"k{number}",
            source="stock",
            tier="clean",
            shard="shards/x.tar",
            facts={"frames": frames, "media_sha256": hashlib.sha256(media).hexdigest()},
            media=media,
            text=f"text {number}",
            weights_1e4={"stage1": 10_000, "stage2": 10_000},
            embedding=None,
            sizes={},
        )
        for number in range(count)
    ]


def test_indices_are_the_middles() -> None:
    assert frame_indices(12, 4) == [1, 4, 7, 10]
    assert frame_indices(2, 4) == [0, 0, 1, 1]
    with pytest.raises(ValueError, match="cannot be taken"):
        frame_indices(0, 4)


def test_the_square_is_the_centre() -> None:
    frame = np.zeros((2, 4, 3), np.uint8)
    frame[:, 1:3] = 9
    assert centre_square(frame, 2).tolist() == np.full((2, 2, 3), 9).tolist()
    assert centre_square(frame, 8).shape == (8, 8, 3)


def test_frames_come_from_their_places(clip: bytes) -> None:
    frames = read_frames(clip, PLAN, 12)
    assert (frames.shape, frames.dtype) == ((4, 16, 16, 3), np.uint8)
    lightness = frames.reshape(4, -1).mean(axis=1)
    assert np.all(np.diff(lightness) > 40)
    assert np.array_equal(read_frames(clip, PLAN), frames)


@pytest.mark.parametrize("promised", [11, 13, 0])
def test_another_number_of_frames_is_refused(clip: bytes, promised: int) -> None:
    with pytest.raises(ClipRefused):
        read_frames(clip, PLAN, promised)


def test_a_cache_gives_back_what_was_decoded(clip: bytes, tmp_path: Path) -> None:
    write_cache(tmp_path / "c", samples_of(clip, 5), IDENTITY, per_file=2)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c"]
    cache = open_cache(tmp_path / "c", IDENTITY)
    assert np.array_equal(cache.frames([4, 0]), np.stack([read_frames(clip, PLAN)] * 2))
    plan = plan_batches(cache.samples, BatchOptions(size=2, seed=0))
    batch = clip_batch(cache, plan, 3)
    assert batch.frames.shape == (2, 4, 16, 16, 3)
    assert batch.texts == tuple(f"text {key[1:]}" for key in batch.keys)


@pytest.mark.parametrize(
    "other",
    [
        CacheIdentity(manifest_sha256="b" * 64, plan=PLAN),
        CacheIdentity(manifest_sha256="a" * 64, plan=FramePlan(count=3, size_px=16)),
        CacheIdentity(manifest_sha256="a" * 64, plan=PLAN, tiers=("clean",)),
    ],
)
def test_a_cache_of_something_else_is_refused(clip: bytes, tmp_path: Path, other: CacheIdentity) -> None:
    write_cache(tmp_path / "c", samples_of(clip, 2), IDENTITY)
    with pytest.raises(CacheRefused, match="something else"):
        open_cache(tmp_path / "c", other)


def test_a_damaged_cache_is_refused(clip: bytes, tmp_path: Path) -> None:
    write_cache(tmp_path / "c", samples_of(clip, 2), IDENTITY)
    path = tmp_path / "c" / "frames-00000.npy"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CacheRefused, match="changed"):
        open_cache(tmp_path / "c", IDENTITY)
    path.write_bytes(data[:-1])
    with pytest.raises(CacheRefused, match="cut"):
        open_cache(tmp_path / "c", IDENTITY)


def test_a_clip_that_fails_leaves_no_cache(clip: bytes, tmp_path: Path) -> None:
    with pytest.raises(ClipRefused, match=r"k0 of shards/x\.tar"):
        write_cache(tmp_path / "c", samples_of(clip, 1, frames=99), IDENTITY)
    with pytest.raises(ClipRefused):
        write_cache(tmp_path / "c", samples_of(b"no clip", 1), IDENTITY)
    assert list(tmp_path.iterdir()) == []
