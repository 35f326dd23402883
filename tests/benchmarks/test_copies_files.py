"""The files of planted copies show what their records say."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from benchmarks.copies.changes import CHANGES, US_PER_S
from benchmarks.copies.encode import Look, look_of
from benchmarks.copies.originals import Original
from benchmarks.copies.plant import Maker, Planted, plan_bases
from benchmarks.copies.records import Clip
from benchmarks.copies.scenes import FPS, Scene
from benchmarks.copies.truth import MAIN

SCENES = (Scene(place=1, person=1, action=1), Scene(place=2, person=2, action=2))
SPAN = (200_000, 2_200_000)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Maker, list[Planted]]:
    """Two drawn videos of 3 s and their unchanged clips."""
    work = tmp_path_factory.mktemp("set")
    for name in ("videos", "clips", "pictures"):
        (work / name).mkdir()
    originals = [
        Original(name=name, group=name, role=MAIN, spans_us=(SPAN,), shots=((scene, 3.0),))
        for name, scene in zip("ab", SCENES, strict=True)
    ]
    planned, maker = plan_bases(originals, work), Maker(work=work)
    for own in planned:
        maker.video(own.original)
        maker.unchanged(own)
        maker.pictures(own)
    return maker, planned


def frames_of(maker: Maker, clip: Clip) -> list[np.ndarray]:
    """Grey frames of one size, float64 [72, 128], so that sizes do not matter."""
    with av.open(str(maker.work / clip.file)) as container:
        greys = [Image.fromarray(frame.to_ndarray(format="gray")) for frame in container.decode(video=0)]
    return [np.asarray(grey.resize((128, 72), Image.Resampling.BOX), np.float64) for grey in greys]


def drawn(scene: Scene, time_us: int) -> np.ndarray:
    picture = Image.fromarray(scene.frame(round(time_us * FPS / US_PER_S) / FPS)).convert("L")
    return np.asarray(picture.resize((128, 72), Image.Resampling.BOX), np.float64)


def time_shown(frame: np.ndarray, scene: Scene) -> int:
    """Return the time of the scene's frame that looks most like one."""
    times = [number * US_PER_S // FPS for number in range(3 * FPS)]
    return min(times, key=lambda time_us: float(np.abs(drawn(scene, time_us) - frame).mean()))


@pytest.mark.parametrize("kind", ["crf_40", "scale_quarter", "trim_head", "trim_both", "grey", "fps_15", "speed_0.9"])
def test_a_copy_begins_and_ends_where_its_piece_does(kind: str, made: tuple[Maker, list[Planted]]) -> None:
    maker, planned = made
    look = look_of(planned[0].path(maker.work))
    assert look == Look(width_px=512, height_px=288, rate=25, length_us=2_000_000)
    clip = maker.changed(planned[0], kind, CHANGES[kind], look)
    frames = frames_of(maker, clip)
    (piece,) = clip.pieces
    # a frame is 40 ms, one of 15 frames a second 67
    assert abs(time_shown(frames[0], SCENES[0]) - piece.start_us) <= 80_000
    assert abs(time_shown(frames[-1], SCENES[0]) - piece.end_us) <= 120_000


def test_the_shifted_clip_is_half_a_second_later(made: tuple[Maker, list[Planted]]) -> None:
    maker, planned = made
    clip = maker.shifted(planned[0])
    assert [(piece.start_us, piece.end_us) for piece in clip.pieces] == [(700_000, 2_700_000)]
    assert abs(time_shown(frames_of(maker, clip)[0], SCENES[0]) - 700_000) <= 40_000


def test_a_joined_clip_shows_both(made: tuple[Maker, list[Planted]]) -> None:
    maker, planned = made
    clip = maker.joined(planned[0], planned[1], look_of(planned[0].path(maker.work)))
    assert [(piece.base_id, piece.start_us, piece.end_us) for piece in clip.pieces] == [
        (own.base.base_id, *SPAN) for own in planned
    ]
    frames = frames_of(maker, clip)
    assert len(frames) == 100
    inside = [float(np.abs(frame - drawn(scene, 1_200_000)).mean()) for scene in SCENES for frame in frames[25::50]]
    assert sorted(error < 3 for error in inside) == [False, False, True, True]


@pytest.mark.parametrize(
    ("kind", "corner"), [("logo", (slice(0, 24), slice(100, 128))), ("subtitles", (slice(54, 72), slice(0, 128)))]
)
def test_what_lies_over_a_copy_is_where_it_should_be(
    kind: str, corner: tuple[slice, slice], made: tuple[Maker, list[Planted]]
) -> None:
    maker, planned = made
    look = look_of(planned[0].path(maker.work))
    clip = maker.changed(planned[0], kind, CHANGES[kind], look)
    plain, changed = frames_of(maker, planned[0].clip), frames_of(maker, clip)
    for number in (2, 47):
        difference = np.abs(plain[number] - changed[number])
        assert difference[corner].max() > 60
        difference[corner] = 0
        assert difference.max() < 30
    if kind == "subtitles":
        assert np.abs(changed[2] - changed[47])[corner].max() > 60


def test_the_same_set_has_the_same_bytes(made: tuple[Maker, list[Planted]], tmp_path: Path) -> None:
    maker, planned = made
    again = Maker(work=tmp_path)
    for name in ("videos", "clips", "pictures"):
        (tmp_path / name).mkdir()
    (own,) = plan_bases([planned[0].original], tmp_path)
    again.video(own.original)
    again.unchanged(own)
    assert own.path(tmp_path).read_bytes() == planned[0].path(maker.work).read_bytes()
