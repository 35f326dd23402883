"""The world by hand: a scorer, a media cutter and a reporter that tests can read at a glance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from curation.fetching import Fetched, FetchError
from curation.media import CutClip, CutFailure, CutOutcome, CutTask, VideoFacts
from curation.media.tasks import Span
from schemas.reasons import Reason, Stage
from schemas.records import Signals

DIMENSIONS = 8


class FakeScorer:
    """Embeds a text by its hash and a frame by its first pixel; a text with `nan` in it has no embedding."""

    name = "fake"
    digest = "f" * 64
    image_size = 4

    def __init__(self) -> None:
        self.asked: list[int | str] = []

    def embed_frames(self, frames: np.ndarray) -> np.ndarray:
        self.asked.append(len(frames))
        return np.stack([_unit_vector(bytes([frame[0, 0, 0]])) for frame in frames])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        self.asked.extend(texts)
        vectors = np.stack([_unit_vector(text.encode()) for text in texts])
        vectors[["nan" in text for text in texts]] = np.nan
        return vectors

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        return [max(0, len(text) - 40) for text in texts]


def _unit_vector(seed: bytes) -> np.ndarray:
    raw = np.frombuffer(hashlib.sha256(seed).digest()[:DIMENSIONS], np.uint8).astype(np.float32) - 127.5
    return raw / np.linalg.norm(raw)


class FakeFetcher:
    """Gives local files in place; a path that holds `offline` cannot be had while `offline` is true."""

    def __init__(self) -> None:
        self.offline = True
        self.fetched: list[str] = []

    def fetch(self, address: str, folder: Path) -> Fetched:
        self.fetched.append(address)
        if self.offline and "offline" in address:
            raise FetchError(Reason.IO_ERROR, "no answer")
        return Fetched(path=Path(address), bytes=Path(address).stat().st_size, rights={"x-robots-tag": "none"})


class NoFetcher(FakeFetcher):
    """Fails a test that fetches anything."""

    def fetch(self, address: str, folder: Path) -> Fetched:
        raise AssertionError(f"{address} is fetched, although everything of it is stored")


def fake_video_facts(content: bytes) -> VideoFacts:
    """Return the facts of a video with these bytes."""
    return VideoFacts(
        sha256=hashlib.sha256(content).hexdigest(),
        bytes=len(content),
        container="mov",
        codec="h264",
        width_px=4,
        height_px=4,
        duration_us=9_000_000,
        fps_1e3=25_000,
    )


class FakeCutter:
    """Makes a clip of any file: its bytes and span are the clip. Names decide what fails.

    A path that holds `broken` fails as a whole, and one that holds `slow` for each span; a span that starts at 9 s or
    later lies past the end; a path that holds `parts` is made into two clips of a second and one that is too short,
    where the whole of it is asked for.
    """

    def __init__(self) -> None:
        self.cut_paths: list[str] = []
        self.cut_spans: list[tuple[Span, ...]] = []

    def __call__(self, task: CutTask) -> CutOutcome:
        self.cut_paths.append(task.path)
        self.cut_spans.append(task.spans)
        if "broken" in task.path:
            failure = CutFailure(span_index=None, stage=Stage.MEDIA, reason=Reason.NOT_MEDIA, detail=f"no {task.path}")
            return _outcome(None, (), (failure,))
        content = Path(task.path).read_bytes()
        video = fake_video_facts(content)
        if "parts" in task.path and task.spans == ((None, None),):
            return _in_parts(video, content, task)
        clips, failures = [], []
        for index, (start_us, end_us) in enumerate(task.spans):
            if "slow" in task.path:
                failures.append(CutFailure(span_index=index, stage=Stage.CUT, reason=Reason.TIMEOUT, detail="0.1 s"))
            elif (start_us or 0) >= 9_000_000:
                detail = f"[mov @ 0x55d0c0ffee00] {task.path} ends before; see {task.out_dir}/log"
                failures.append(
                    CutFailure(span_index=index, stage=Stage.CUT, reason=Reason.SPAN_PAST_END, detail=detail)
                )
            else:
                clips.append(_clip(index, content + f"{start_us}-{end_us}".encode(), task))
        return _outcome(video, tuple(clips), tuple(failures))


def _in_parts(video: VideoFacts, content: bytes, task: CutTask) -> CutOutcome:
    clips = []
    for second in (0, 1):
        made_us = (second * 1_000_000, (second + 1) * 1_000_000)
        clips.append(replace(_clip(0, content + f"{made_us}".encode(), task, name=f"0-{second}"), made_us=made_us))
    rest = CutFailure(
        span_index=0, stage=Stage.CUT, reason=Reason.TOO_SHORT, detail="0.1 s", made_us=(2_000_000, 2_100_000)
    )
    return _outcome(video, tuple(clips), (rest,))


def _clip(index: int, content: bytes, task: CutTask, name: str | None = None) -> CutClip:
    from PIL import Image

    name = name or str(index)
    media, strip = Path(task.out_dir) / f"{name}.mp4", Path(task.out_dir) / f"{name}.jpg"
    media.write_bytes(content)
    size = task.frames.size_px
    colour = hashlib.sha256(content).digest()[0]
    pixels = np.full((size * task.frames.count, size, 3), colour, np.uint8)
    Image.fromarray(pixels).save(strip, quality=95, subsampling=0)
    # Two shapes, so that what is told apart by them can be.
    return replace(fake_clip_facts(index, content, str(media), str(strip)), width_px=4 + colour % 2)


def fake_clip_facts(index: int, content: bytes = b"clip", media_path: str = "", strip_path: str = "") -> CutClip:
    """Return the facts of a clip with these bytes."""
    return CutClip(
        span_index=index,
        media_path=media_path,
        media_sha256=hashlib.sha256(content).hexdigest(),
        media_bytes=len(content),
        content_sha256=hashlib.sha256(b"shown by " + content).hexdigest(),
        duration_us=2_000_000,
        frames=50,
        fps_1e3=25_000,
        width_px=4,
        height_px=4,
        signals=Signals(
            black_share_1e4=0,
            static_share_1e4=0,
            motion_1e4=10,
            brightness_1e4=5000,
            flow_1e4=20,
            sharpness_1e2=300,
            cuts_us=(),
            has_audio=False,
            frame_hashes=hashlib.sha256(content).hexdigest() * 2,
            hash_quality="6464",
        ),
        strip_path=strip_path,
    )


def _outcome(video: VideoFacts | None, clips: tuple[CutClip, ...], failures: tuple[CutFailure, ...]) -> CutOutcome:
    return CutOutcome(video=video, clips=clips, failures=failures, child_cpu_us=1, ffmpeg_cpu_us=1, wall_us=1)


class MemoryReporter:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def report(self, event: str, amounts: Mapping[str, float]) -> None:
        self.events.append(event)

    def flush(self) -> None:
        pass
