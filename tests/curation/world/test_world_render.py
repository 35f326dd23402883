"""The files of the built-in world: bytes, frames, what is seen in them, and what is left by an interrupt."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
from collections.abc import Iterable
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import pytest

from curation.world import RenderError, World, WorldOptions, WorldVideo, plan_world, render_video, render_world
from curation.world.draw import COLOURS, draw_clip, draw_frames
from curation.world.factors import Factors
from curation.world.records import video_rows


@pytest.fixture(scope="module")
def world() -> World:
    return plan_world(WorldOptions(seed=2, clips=60))


@pytest.fixture(scope="module")
def folder(world: World, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("world")
    assert render_world(world, made) == len(world.videos)
    return made


def digests(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def decoded(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return np.stack([frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)])


def frames_until_the_end(path: Path) -> int:
    """Frames that can be decoded before the file ends or breaks."""
    count = 0
    with av.open(str(path)) as container, contextlib.suppress(av.error.FFmpegError):
        for _ in container.decode(video=0):
            count += 1
    return count


def broken(world: World, kinds: Iterable[str]) -> list[WorldVideo]:
    return [video for video in world.videos if video.broken in kinds]


def test_each_file_has_the_frames_that_it_promises(world: World, folder: Path) -> None:
    for video in world.videos:
        if video.broken is None:
            frames = decoded(folder / video.file_name)
            assert frames.shape == (video.frames, 96, 96, 3)
            assert video.frames == sum((row.end_us - row.start_us) // 100_000 for row in one_row_per_span(video))


def one_row_per_span(video: WorldVideo) -> list:
    return list({row.start_us: row for row in video_rows(video)}.values())


def test_each_span_shows_what_was_drawn_for_it(world: World, folder: Path) -> None:
    for video in world.videos[:8]:
        if video.broken is None:
            frames = decoded(folder / video.file_name).astype(np.float32)
            for clip in video.clips:
                first = clip.start_us // 100_000
                seen = frames[first : first + clip.frames]
                drawn = draw_clip(clip).astype(np.float32)
                assert np.abs(seen - drawn).mean() < 12
                assert np.abs(seen.mean(axis=(0, 1, 2)) - drawn.mean(axis=(0, 1, 2))).max() < 4


def test_copies_are_equal_byte_for_byte(world: World, folder: Path) -> None:
    found = digests(folder)
    copies = [(video.file_name, video.copy_of) for video in world.videos if video.copy_of is not None]
    assert copies
    for copy, original in copies:
        assert found[copy] == found[str(original)]
    others = [found[video.file_name] for video in world.videos if video.copy_of is None]
    assert len(set(others)) == len(others)


def test_rendering_again_gives_equal_bytes(world: World, folder: Path, tmp_path: Path) -> None:
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    chosen = [*world.videos[:4], *broken(world, ("truncated", "empty", "garbage", "text", "playlist"))]
    for video in chosen:
        render_video(video, tmp_path, ffmpeg)
    again = digests(tmp_path)
    assert again == {name: digest for name, digest in digests(folder).items() if name in again}
    assert len(again) == len({video.file_name for video in chosen})


@pytest.mark.parametrize(
    ("kind", "starts_with"),
    [
        ("empty", b""),
        ("text", b"<!DOCTYPE html>"),
        ("playlist", b"#EXTM3U"),
        ("garbage", b""),
        ("truncated", b"\0\0\0"),
    ],
)
def test_broken_files_are_broken_in_their_own_way(kind: str, starts_with: bytes, tmp_path: Path) -> None:
    world = plan_world(WorldOptions(clips=750))
    video = broken(world, (kind,))[0]
    render_video(video, tmp_path, imageio_ffmpeg.get_ffmpeg_exe())
    body = (tmp_path / video.file_name).read_bytes()
    assert body.startswith(starts_with)
    assert (len(body) == 0) == (kind == "empty")
    if kind == "truncated":
        assert 0 <= body.index(b"moov") < body.index(b"mdat")
        assert 0 < frames_until_the_end(tmp_path / video.file_name) < video.frames
    else:
        with pytest.raises((av.error.FFmpegError, IndexError)):
            decoded(tmp_path / video.file_name)


def test_an_interrupted_render_goes_on(world: World, folder: Path, tmp_path: Path) -> None:
    seen: list[str] = []

    def stop_after_three(video: WorldVideo) -> None:
        seen.append(video.file_name)
        if len(seen) == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render_world(world, tmp_path, processes=1, on_video=stop_after_three)
    (tmp_path / ".stock_00000_abcdef.mp4.17.part").write_bytes(b"half of a file")
    whole = {path.name for path in tmp_path.glob("*.mp4") if not path.name.startswith(".")}
    assert 3 <= len(whole) < len(world.videos)
    assert render_world(world, tmp_path) == len(world.videos) - len(whole)
    assert digests(tmp_path) == digests(folder)
    assert render_world(world, tmp_path) == 0


def test_a_failing_ffmpeg_is_named(world: World, tmp_path: Path) -> None:
    with pytest.raises(RenderError, match="ffmpeg ended with 1 on stock_"):
        render_video(world.videos[0], tmp_path, "/bin/false")
    assert not list(tmp_path.glob("*.mp4"))


def test_no_processes_is_refused(world: World, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="processes is 0; allowed are integers from 1"):
        render_world(world, tmp_path, processes=0)


BASE = {
    "shape": "circle",
    "colour": "red",
    "texture": "plain",
    "background": "snow",
    "size": "large",
    "direction": "left",
    "turn": "straight",
    "speed": "slow",
    "rotation": "none",
    "growth": "steady",
}


def drawn(**other: str) -> np.ndarray:
    """First, middle and last frame, float32 [3, 96, 96, 3]."""
    return draw_frames(Factors(**{**BASE, **other}), 99, [0.0, 0.5, 1.0]).astype(np.float32)


def red_pixels(frames: np.ndarray) -> np.ndarray:
    return (np.abs(frames - np.array(COLOURS["red"])) < 30).all(axis=3)


def centres(frames: np.ndarray) -> list[tuple[float, float]]:
    """Column and row of the red object's middle, pixels."""
    found = [np.nonzero(mask) for mask in red_pixels(frames)]
    return [(float(columns.mean()), float(rows.mean())) for rows, columns in found]


@pytest.mark.parametrize("colour", list(COLOURS))
def test_the_object_has_its_colour(colour: str) -> None:
    (column, row) = centres(drawn())[0]
    middle = drawn(colour=colour)[0, int(row) - 3 : int(row) + 3, int(column) - 3 : int(column) + 3]
    assert np.abs(middle.mean(axis=(0, 1)) - np.array(COLOURS[colour])).max() < 12


@pytest.mark.parametrize(
    ("direction", "turn", "speed", "halves"),
    [
        ("left", "straight", "fast", [(-20, 0), (-20, 0)]),
        ("right", "straight", "fast", [(20, 0), (20, 0)]),
        ("up", "back", "fast", [(0, -20), (0, 20)]),
        ("left", "right_turn", "fast", [(-20, 0), (0, -20)]),
        ("left", "left_turn", "fast", [(-20, 0), (0, 20)]),
        ("down", "left_turn", "fast", [(0, 20), (20, 0)]),
        ("right", "straight", "slow", [(2.5, 0), (2.5, 0)]),
    ],
)
def test_the_object_goes_where_it_should(
    direction: str, turn: str, speed: str, halves: list[tuple[float, float]]
) -> None:
    path = centres(drawn(direction=direction, turn=turn, speed=speed, size="small"))
    for (before, after), (right_px, down_px) in zip(itertools.pairwise(path), halves, strict=True):
        assert after[0] - before[0] == pytest.approx(right_px, abs=1.0)
        assert after[1] - before[1] == pytest.approx(down_px, abs=1.0)


@pytest.mark.parametrize(
    ("growth", "low", "high"), [("steady", 0.95, 1.05), ("growing", 1.6, 2.3), ("shrinking", 0.4, 0.6)]
)
def test_the_object_grows_or_shrinks(growth: str, low: float, high: float) -> None:
    areas = red_pixels(drawn(growth=growth, size="small")).sum(axis=(1, 2))
    assert low < areas[2] / areas[0] < high


def test_the_rotation_is_seen_and_has_a_sense() -> None:
    still, clockwise, counter = (
        drawn(rotation=rotation, shape="bar") for rotation in ("none", "clockwise", "counterclockwise")
    )
    assert np.abs(clockwise[1] - still[1]).mean() > 3
    assert np.abs(counter[1] - clockwise[1]).mean() > 0.5


@pytest.mark.parametrize(
    ("factor", "value"),
    [("texture", "striped"), ("texture", "dotted"), ("texture", "checkered"), ("background", "sky"), ("size", "small")],
)
def test_each_appearance_value_changes_the_frame(factor: str, value: str) -> None:
    assert np.abs(drawn(**{factor: value})[0] - drawn()[0]).mean() > 1.5
