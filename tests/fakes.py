"""The world by hand: a scorer, a media cutter and a reporter that tests can read at a glance."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from curation.media import CutClip, CutFailure, CutOutcome, CutTask, VideoFacts
from schemas.reasons import Reason, Stage
from schemas.records import Signals

DIMENSIONS = 8


class FakeScorer:
    """Embeds a text by its hash and a frame by its first pixel; a text with `nan` in it has no embedding."""

    name = "fake"
    digest = "f" * 64
    image_size = 4

    def embed_frames(self, frames: np.ndarray) -> np.ndarray:
        return np.stack([_unit_vector(bytes([frame[0, 0, 0]])) for frame in frames])

    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        vectors = np.stack([_unit_vector(text.encode()) for text in texts])
        vectors[["nan" in text for text in texts]] = np.nan
        return vectors

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        return [len(text) > 40 for text in texts]


def _unit_vector(seed: bytes) -> np.ndarray:
    raw = np.frombuffer(hashlib.sha256(seed).digest()[:DIMENSIONS], np.uint8).astype(np.float32) - 127.5
    return raw / np.linalg.norm(raw)


class FakeCutter:
    """Makes a clip of any file: its bytes and span are the clip. Names decide what fails.

    A path that holds `broken` fails as a whole; a span that starts at 9 s or later lies past the end.
    """

    def __init__(self) -> None:
        self.cut_paths: list[str] = []

    def __call__(self, task: CutTask) -> CutOutcome:
        self.cut_paths.append(task.path)
        if "broken" in task.path:
            failure = CutFailure(span_index=None, stage=Stage.MEDIA, reason=Reason.NOT_MEDIA, detail=f"no {task.path}")
            return _outcome(None, (), (failure,))
        content = Path(task.path).read_bytes()
        video = VideoFacts(
            sha256=hashlib.sha256(content).hexdigest(),
            bytes=len(content),
            container="mov",
            codec="h264",
            width_px=4,
            height_px=4,
            duration_us=9_000_000,
            fps_1e3=25_000,
        )
        clips, failures = [], []
        for index, (start_us, end_us) in enumerate(task.spans):
            if (start_us or 0) >= 9_000_000:
                detail = f"[mov @ 0x55d0c0ffee00] {task.path} ends before; see {task.out_dir}/log"
                failures.append(
                    CutFailure(span_index=index, stage=Stage.CUT, reason=Reason.SPAN_PAST_END, detail=detail)
                )
            else:
                clips.append(_clip(index, content + f"{start_us}-{end_us}".encode(), task))
        return _outcome(video, tuple(clips), tuple(failures))


def _clip(index: int, content: bytes, task: CutTask) -> CutClip:
    from PIL import Image

    media, strip = Path(task.out_dir) / f"{index}.mp4", Path(task.out_dir) / f"{index}.jpg"
    media.write_bytes(content)
    size = task.frames.size_px
    colour = hashlib.sha256(content).digest()[0]
    pixels = np.full((size * task.frames.count, size, 3), colour, np.uint8)
    Image.fromarray(pixels).save(strip, quality=95, subsampling=0)
    return CutClip(
        span_index=index,
        media_path=str(media),
        media_sha256=hashlib.sha256(content).hexdigest(),
        media_bytes=len(content),
        duration_us=2_000_000,
        frames=50,
        fps_1e3=25_000,
        width_px=4,
        height_px=4,
        signals=Signals(black_share_1e4=0, static_share_1e4=0, motion_1e4=10, brightness_1e4=5000),
        strip_path=str(strip),
    )


def _outcome(video: VideoFacts | None, clips: tuple[CutClip, ...], failures: tuple[CutFailure, ...]) -> CutOutcome:
    return CutOutcome(video=video, clips=clips, failures=failures, child_cpu_us=1, ffmpeg_cpu_us=1, wall_us=1)


class MemoryReporter:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.events: list[str] = []

    def report(self, event: str, amounts: Mapping[str, float]) -> None:
        self.events.append(event)
