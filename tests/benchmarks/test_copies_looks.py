"""What is taken of a planted clip in one decode."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import imagehash
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from benchmarks.copies.encode import draw_video
from benchmarks.copies.looks import Look, embed, load_looks, save_looks, take_look, take_looks
from benchmarks.copies.scenes import FPS, Scene, frames
from curation.media import decode_clip
from curation.scorers import Scorer


class MeanColour:
    """A scorer whose embedding of a frame is its mean colour, normalised."""

    digest = "0" * 64
    name = "mean colour"
    image_size = 16

    def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        means = frames.astype(np.float32).mean(axis=(1, 2))
        return means / np.linalg.norm(means, axis=1, keepdims=True)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        raise AssertionError("no text is embedded here")

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        raise AssertionError("no text is embedded here")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A drawn clip of 2.2 s."""
    path = tmp_path_factory.mktemp("clips") / "clip.mp4"
    draw_video(path, frames(((Scene(place=1, person=1), 2.2),)), FPS)
    return path


def test_a_look_holds_what_each_method_needs(clip: Path) -> None:
    look = take_look(clip, 16)
    # a hash each quarter of a second
    assert len(look.hash_quality) in (8, 9)
    assert len(look.frame_hashes) == 32 * len(look.hash_quality)
    pictures = [Image.fromarray(frame) for frame in decode_clip(clip)]
    assert len(pictures) == 55
    near = np.count_nonzero(imagehash.phash(pictures[27]).hash.flatten() != look.middle)
    assert near <= 2
    # frames at 0, 1 and 2 s, two in a row
    canvas = Image.new("RGB", (1024, 1024))
    for place, number in enumerate((0, 25, 50)):
        small = pictures[number].resize((144, 144), Image.Resampling.BICUBIC).resize((512, 512))
        canvas.paste(small, (place % 2 * 512, place // 2 * 512))
    assert np.count_nonzero(imagehash.whash(canvas).hash.flatten() != look.collage) <= 2


def test_looks_are_kept_and_taken_by_several_processes(clip: Path, tmp_path: Path) -> None:
    looks = take_looks([clip, clip], 16, 2)
    save_looks(tmp_path / "looks.parquet", looks)
    for found in (looks, load_looks(tmp_path / "looks.parquet")):
        assert [same(look, take_look(clip, 16)) for look in found] == [True, True]


def same(one: Look, other: Look) -> bool:
    return all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


def test_an_embedding_is_the_normalised_mean_over_frames(clip: Path) -> None:
    scorer: Scorer = MeanColour()
    look = take_look(clip, 16)
    vectors = embed([look] * 130, scorer)
    assert vectors.shape == (130, 3)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1)
    assert np.array_equal(vectors, np.repeat(vectors[:1], 130, axis=0))
