from __future__ import annotations

import polars as pl
import pytest

from curation.judging.shapes import shape_of
from schemas.sharding import ShapeBuckets


def shape(options: dict, width_px: int, height_px: int, duration_us: int) -> str:
    clip = pl.DataFrame(
        {"width_px": [width_px], "height_px": [height_px], "duration_us": [duration_us]},
        schema={"width_px": pl.Int32, "height_px": pl.Int32, "duration_us": pl.Int64},
    )
    return clip.select(shape_of(ShapeBuckets.model_validate(options)))["shape"].item()


@pytest.mark.parametrize(
    ("width_px", "height_px", "expected"),
    [
        (640, 239, "0p"),
        (640, 240, "240p"),
        (479, 640, "240p"),
        (640, 480, "480p"),
        (4096, 2160, "480p"),
    ],
)
def test_a_clip_lies_under_the_largest_side_that_it_reaches(width_px: int, height_px: int, expected: str) -> None:
    assert shape({"short_sides_px": [240, 480]}, width_px, height_px, 1) == expected


@pytest.mark.parametrize(
    ("duration_us", "expected"),
    [(4_999_999, "0s"), (5_000_000, "5s"), (9_999_999, "5s"), (10_000_000, "10s"), (3_600_000_000, "10s")],
)
def test_a_clip_lies_under_the_longest_duration_that_it_reaches(duration_us: int, expected: str) -> None:
    assert shape({"durations_s": [5, 10]}, 640, 360, duration_us) == expected


@pytest.mark.parametrize(
    ("width_px", "height_px", "expected"),
    [
        (1920, 1080, "16x9"),
        (854, 480, "16x9"),
        (720, 720, "1x1"),
        (1080, 1920, "9x16"),
        # 4:3 is the geometric mean of 1:1 and 16:9: at it a clip is wide, a column of pixels less and it is square.
        (640, 480, "16x9"),
        (639, 480, "1x1"),
        (480, 640, "1x1"),
        (479, 640, "9x16"),
        (4000, 100, "16x9"),
    ],
)
def test_a_clip_lies_under_the_nearest_aspect(width_px: int, height_px: int, expected: str) -> None:
    assert shape({"aspects": ["1:1", "16:9", "9:16"]}, width_px, height_px, 1) == expected


def test_a_shape_is_named_by_what_splits() -> None:
    options = {"short_sides_px": [480], "aspects": ["16:9"], "durations_s": [5]}
    assert shape(options, 854, 480, 5_000_000) == "480p_16x9_5s"


def test_without_options_all_clips_have_one_shape() -> None:
    clips = pl.DataFrame({"width_px": [1, 2], "height_px": [1, 2], "duration_us": [1, 2]})
    assert clips.select("width_px", shape_of(None))["shape"].to_list() == ["", ""]
