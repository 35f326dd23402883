"""How many frames of the original ffmpeg decodes, by its own count: once for many spans, and only near them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from curation.media import CutOutcome, MediaSandbox, ffmpeg_build
from curation.media.tasks import Span
from schemas.media import MediaLimits
from tests.curation.media.conftest import make_task
from tests.curation.media.make import run_ffmpeg

# says what it did, beside everything that it is asked to say, and keeps it
LOUD = """#!/bin/sh
for word; do
  [ "$word" = error ] && word=verbose
  set -- "$@" "$word"
  shift
done
exec '{ffmpeg}' "$@" 2>> '{log}'
"""
DECODED = re.compile(r"Input stream #0:\d+ \(video\): .* (\d+) frames decoded")
FPS, SECONDS, GOP_FRAMES = 10, 300, 20
FRAMES = FPS * SECONDS
HUNDRED: list[Span] = [(3_000_000 * place, 3_000_000 * place + 2_500_000) for place in range(100)]
# some 29 encoders of this size in one process
LIMITS = MediaLimits(memory_mb=400)


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same film of 5 minutes in several containers."""
    folder = tmp_path_factory.mktemp("films")
    film = folder / "film.mp4"
    x264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", str(GOP_FRAMES), "-pix_fmt", "yuv420p")
    run_ffmpeg("-f", "lavfi", "-i", f"testsrc2=s=160x96:r={FPS}:d={SECONDS}", *x264, str(film))
    found = {"mp4": film}
    for name in ("mkv", "ts"):
        found[name] = folder / f"film.{name}"
        run_ffmpeg("-i", str(film), "-c", "copy", str(found[name]))
    return found


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What ffmpeg says of its work."""
    path, loud = tmp_path / "log", tmp_path / "loud-ffmpeg"
    loud.write_text(LOUD.format(ffmpeg=ffmpeg_build().path, log=path), encoding="utf-8")
    loud.chmod(0o755)
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(loud))
    return path


def decoded_frames(log: Path) -> list[int]:
    """The frames that each process decoded."""
    return [int(found) for found in DECODED.findall(log.read_text(encoding="utf-8"))]


def whole(outcome: CutOutcome, spans: int) -> bool:
    return not outcome.failures and [clip.span_index for clip in outcome.clips] == list(range(spans))


def test_a_few_spans_are_one_decode(films: dict[str, Path], log: Path, sandbox: MediaSandbox, tmp_path: Path) -> None:
    assert whole(sandbox.cut(make_task(films["mp4"], tmp_path / "out", *HUNDRED[:20], limits=LIMITS)), 20)
    (frames,) = decoded_frames(log)
    assert 20 * 30 - 10 <= frames <= 20 * 30 + 10


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_hundred_spans_are_little_more_than_one_decode(
    container: str, films: dict[str, Path], log: Path, sandbox: MediaSandbox, tmp_path: Path
) -> None:
    assert whole(sandbox.cut(make_task(films[container], tmp_path / "out", *HUNDRED, limits=LIMITS)), 100)
    frames = decoded_frames(log)
    assert len(frames) == 4
    # each further process begins at most four groups of pictures ahead of its first span, and reads a little ahead
    assert FRAMES - 10 <= sum(frames) <= FRAMES + 3 * (4 * GOP_FRAMES + 10)


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_a_long_gap_is_not_decoded(
    container: str, films: dict[str, Path], log: Path, sandbox: MediaSandbox, tmp_path: Path
) -> None:
    spans: list[Span] = [(0, 2_000_000), (150_000_000, 152_000_000), (297_000_000, None)]
    assert whole(sandbox.cut(make_task(films[container], tmp_path / "out", *spans)), 3)
    frames = decoded_frames(log)
    assert len(frames) == 3
    assert sum(frames) <= 20 + 20 + 30 + 3 * (4 * GOP_FRAMES + 10)


def test_a_stream_that_cannot_be_sought_is_decoded_from_its_start(
    films: dict[str, Path], log: Path, sandbox: MediaSandbox, tmp_path: Path
) -> None:
    assert whole(sandbox.cut(make_task(films["ts"], tmp_path / "out", *HUNDRED, limits=LIMITS)), 100)
    frames = decoded_frames(log)
    assert len(frames) == 4 and frames == sorted(frames) and frames[-1] >= FRAMES - 10
