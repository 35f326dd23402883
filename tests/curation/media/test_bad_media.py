"""Bad and odd files: each ends as a clip or as a failure with the right reason, and none takes another span down."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.media import decode_clip, read_strip
from schemas.media import ClipFormat, MediaLimits
from schemas.reasons import Reason
from tests.curation.media.bad_media import CANARY
from tests.curation.media.conftest import PLAN, Cut
from tests.curation.media.make import run_ffmpeg, write_test_video

BadMedia = tuple[Path, dict[str, Reason | None]]


def first_frame(path: str) -> np.ndarray:
    """The first frame of a clip, uint8 [H, W, 3]."""
    return next(iter(decode_clip(Path(path).read_bytes())))


def test_every_file_ends_as_expected(bad_media: BadMedia, cut: Cut) -> None:
    folder, expected = bad_media
    found: dict[str, Reason | None] = {}
    for name in expected:
        outcome = cut(folder / name)
        assert len(outcome.clips) + len(outcome.failures) == 1, name
        found[name] = outcome.failures[0].reason if outcome.failures else None
    assert found == expected


def test_no_playlist_leads_to_the_canary(bad_media: BadMedia, cut: Cut) -> None:
    folder, expected = bad_media
    secret = first_frame(cut(folder / CANARY).clips[0].media_path).mean(axis=(0, 1))
    assert secret[2] > 200
    playlists = [name for name, reason in expected.items() if reason is Reason.PLAYLIST]
    assert len(playlists) == 4
    for name in playlists:
        assert cut(folder / name).clips == ()


def test_whole_spans_of_a_truncated_file_survive(tmp_path: Path, cut: Cut) -> None:
    good = write_test_video(tmp_path / "good.mp4", seconds=8)
    path = tmp_path / "half.mp4"
    data = good.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    outcome = cut(path, (0, 1_000_000), (1_000_000, 2_500_000), (3_000_000, 5_500_000), (6_000_000, 7_000_000))
    assert [(clip.span_index, clip.frames) for clip in outcome.clips] == [(0, 25), (1, 38)]
    assert [(failure.span_index, failure.reason) for failure in outcome.failures] == [
        (2, "truncated"),
        (3, "truncated"),
    ]
    whole = cut(good, (0, 1_000_000))
    assert outcome.clips[0].media_sha256 == whole.clips[0].media_sha256


def test_bad_spans_beside_good_ones(tmp_path: Path, cut: Cut) -> None:
    path = write_test_video(tmp_path / "video.mp4", seconds=4)
    spans = ((0, 1_000_000), (5, 5), (-1, 9), (4_000_000, 5_000_000), (3_000_000, 4_300_000), (3_000_000, 4_200_000))
    outcome = cut(path, *spans, (100_000, 300_000), (1_010_000, 1_020_000))
    assert [clip.span_index for clip in outcome.clips] == [0, 5]
    assert {failure.span_index: failure.reason for failure in outcome.failures} == {
        1: "span_empty",
        2: "span_negative",
        3: "span_past_end",
        4: "span_past_end",
        6: "too_short",
        7: "no_frames",
    }


def test_only_impossible_spans_touch_no_media(tmp_path: Path, cut: Cut) -> None:
    outcome = cut(tmp_path / "not there.mp4", (5, 5))
    assert outcome.video is None
    assert [failure.reason for failure in outcome.failures] == ["span_empty"]


LIMITS = {
    "file size": (MediaLimits(max_file_mb=1), Reason.FILE_TOO_LARGE),
    "pixels": (MediaLimits(max_pixels=10_000), Reason.FRAME_TOO_LARGE),
    "length": (MediaLimits(max_duration_s=1.5), Reason.TOO_LONG),
}


@pytest.mark.parametrize("name", LIMITS)
def test_limit(name: str, tmp_path: Path, cut: Cut) -> None:
    path = write_test_video(tmp_path / "video.mp4")
    if name == "file size":
        with path.open("ab") as handle:
            handle.truncate(2_000_000)
    limits, reason = LIMITS[name]
    assert [failure.reason for failure in cut(path, limits=limits).failures] == [reason]


def test_a_leading_dash_is_a_reject_where_the_limits_say_so(bad_media: BadMedia, cut: Cut) -> None:
    folder, _ = bad_media
    (failure,) = cut(folder / "-i.mp4", limits=MediaLimits(leading_dash="reject")).failures
    assert failure.reason is Reason.UNSAFE_NAME


# file -> colour of the middle of the first frame, RGB
COLOURS = {"alpha.webm": (128, 0, 0), "alpha.mov": (128, 0, 0), CANARY: (0, 0, 254)}


@pytest.mark.parametrize("name", COLOURS)
def test_colour_survives_and_alpha_lies_over_black(name: str, bad_media: BadMedia, cut: Cut) -> None:
    folder, _ = bad_media
    clip = cut(folder / name).clips[0]
    middle = first_frame(clip.media_path)[60, 80].astype(int)
    assert np.abs(middle - COLOURS[name]).max() <= 6
    strip = read_strip(Path(clip.strip_path).read_bytes(), PLAN)[0, 32, 32].astype(int)
    assert np.abs(strip - COLOURS[name]).max() <= 6


def test_full_range_and_limited_range_look_the_same(bad_media: BadMedia, cut: Cut) -> None:
    folder, _ = bad_media
    plain = first_frame(cut(folder / "good.mp4").clips[0].media_path).astype(int)
    full = first_frame(cut(folder / "full_range.mp4").clips[0].media_path).astype(int)
    assert np.abs(plain - full).mean() < 4


def test_rotated_video_is_upright(bad_media: BadMedia, cut: Cut) -> None:
    folder, _ = bad_media
    plain = first_frame(cut(folder / "good.mp4").clips[0].media_path).astype(int)
    turned = first_frame(cut(folder / "rotated.mp4").clips[0].media_path).astype(int)
    assert turned.shape == (160, 120, 3)
    assert np.abs(np.rot90(plain) - turned).mean() < 4


def test_shorter_side_and_square_pixels(tmp_path: Path, cut: Cut) -> None:
    path = write_test_video(tmp_path / "video.mp4", size="320x240", extra=("-vf", "setsar=4/3"))
    clip = cut(path, clip=ClipFormat(short_side_px=96)).clips[0]
    assert (clip.width_px, clip.height_px) == (170, 96)


def test_cover_picture_is_not_the_video(tmp_path: Path, cut: Cut) -> None:
    video, cover, path = write_test_video(tmp_path / "v.mp4"), tmp_path / "cover.png", tmp_path / "both.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", str(cover))
    maps = ("-map", "1", "-map", "0", "-c", "copy", "-disposition:v:0", "attached_pic")
    run_ffmpeg("-i", str(video), "-i", str(cover), *maps, str(path))
    clip = cut(path).clips[0]
    assert (clip.frames, clip.width_px) == (50, 160)
