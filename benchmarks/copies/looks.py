"""What the methods see of a clip, taken in one decode: our frame hashes, the peers' hashes, frames for a scorer."""

from __future__ import annotations

import math
import multiprocessing
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import av
import imagehash
import numpy as np
import polars as pl
from numpy.typing import NDArray
from PIL import Image

from curation.media.colours import luma_view, planes, square_rgb
from curation.media.frame_hashes import FrameHashTaker
from curation.media.strips import read_strip, uniform_indices, write_strip
from curation.media.tasks import FramePlan
from curation.scorers import Scorer

SCORE_FRAMES = 8
EMBEDDED_CLIPS = 128
COLLAGE_FRAME_PX, COLLAGE_WIDTH_PX, COLLAGE_EVERY_S = 144, 1024, 1.0
"""As videohash 3 has them (videohash/framesextractor.py, videohash.py)."""


@dataclass(frozen=True, kw_only=True)
class Look:
    """What one decode of a clip gave.

    Attributes:
        frame_hashes: ours, 32 bytes each.
        hash_quality: a byte each.
        collage: bool [64], wavelet hash of a collage of a frame every second.
        middle: bool [64], DCT hash of the middle frame.
        strip: JPEG of the score frames.
    """

    frame_hashes: bytes
    hash_quality: bytes
    collage: NDArray[np.bool_]
    middle: NDArray[np.bool_]
    strip: bytes


def take_look(path: Path, size_px: int) -> Look:
    """Decode a clip once.

    Args:
        size_px: side of a score frame.
    """
    taker = FrameHashTaker()
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_count = 1
        wanted = uniform_indices(stream.frames, SCORE_FRAMES)
        squares, collage, first_s, middle = [], [], None, None
        for index, frame in enumerate(container.decode(stream)):
            first_s = frame.time if first_s is None else first_s
            time_s = frame.time - first_s
            taker.add(index, round(time_s * 1_000_000), luma_view(frame))
            if index in wanted:
                square = square_rgb(planes(frame), frame.colorspace, size_px)
                squares += [square] * wanted.count(index)
            if time_s >= len(collage) * COLLAGE_EVERY_S:
                image = frame.to_image()
                collage.append(image.resize((COLLAGE_FRAME_PX, COLLAGE_FRAME_PX), Image.Resampling.BICUBIC))
            if index == stream.frames // 2:
                middle = frame.to_image()
    if middle is None:
        raise RuntimeError(f"{path.name}: no middle frame of {stream.frames}")
    hashes = taker.hashes()
    return Look(
        frame_hashes=hashes.hashes,
        hash_quality=hashes.quality,
        collage=imagehash.whash(_collage(collage)).hash.flatten(),
        middle=imagehash.phash(middle).hash.flatten(),
        strip=write_strip(squares),
    )


def _collage(pictures: Sequence[Image.Image]) -> Image.Image:
    """Return the pictures row by row, as many in a row as there are rows or one more."""
    across = math.ceil(math.sqrt(len(pictures)))
    side = COLLAGE_WIDTH_PX // across
    canvas = Image.new("RGB", (side * across, side * math.ceil(len(pictures) / across)))
    for place, picture in enumerate(pictures):
        canvas.paste(picture.resize((side, side)), (place % across * side, place // across * side))
    return canvas


def take_looks(paths: Sequence[Path], size_px: int, processes: int) -> list[Look]:
    """Decode all clips, in their order."""
    # fresh processes: a fork of one that has used polars or torch may wait for ever for a lock
    with ProcessPoolExecutor(max_workers=processes, mp_context=multiprocessing.get_context("spawn")) as pool:
        return list(pool.map(partial(take_look, size_px=size_px), paths, chunksize=8))


def save_looks(path: Path, looks: Sequence[Look]) -> None:
    """Keep looks for a later run of the same code on the same set, as Parquet."""
    rows = [
        {**vars(look), "collage": np.packbits(look.collage).tobytes(), "middle": np.packbits(look.middle).tobytes()}
        for look in looks
    ]
    pl.DataFrame(rows).write_parquet(path)


def load_looks(path: Path) -> list[Look]:
    """Return what `save_looks` kept."""
    return [
        Look(**{**row, "collage": _bits(row["collage"]), "middle": _bits(row["middle"])})
        for row in pl.read_parquet(path).iter_rows(named=True)
    ]


def _bits(packed: bytes) -> NDArray[np.bool_]:
    return np.unpackbits(np.frombuffer(packed, np.uint8)).astype(bool)


def embed(looks: Sequence[Look], scorer: Scorer) -> NDArray[np.float32]:
    """Return the mean of each clip's normalised frame embeddings, normalised: float32 [clips, D]."""
    plan = FramePlan(count=SCORE_FRAMES, size_px=scorer.image_size)
    found = []
    # many clips at once: a scorer fills its last batch up with zeros, which would be most of a clip's own batch
    for start in range(0, len(looks), EMBEDDED_CLIPS):
        frames = [read_strip(look.strip, plan) for look in looks[start : start + EMBEDDED_CLIPS]]
        vectors = scorer.embed_frames(np.concatenate(frames))
        found.append(vectors.reshape(len(frames), SCORE_FRAMES, -1).mean(axis=1))
    means = np.concatenate(found)
    unit: NDArray[np.float32] = means / np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32)
