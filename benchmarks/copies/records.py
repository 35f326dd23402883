"""What is planted: base clips, the clips made of them, and what of which video each clip shows."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

BASE = "base"
"""The kind of an unchanged clip; every other kind is a change (`benchmarks.copies.changes`) or another upload."""
TUNE, TEST = "tune", "test"
"""Thresholds and rules come from the first, figures from the second; no video, drawn number or group is in both."""
BASES_FILE, CLIPS_FILE = "bases.jsonl", "clips.jsonl"


@dataclass(frozen=True, kw_only=True)
class Base:
    """A span of a video that clips are made of.

    Attributes:
        base_id: of the base; also the name of its unchanged clip.
        video: name of the video; times of two bases are comparable where this is equal.
        group: videos that have something in common on purpose (a place, a series); else the video's own name.
        role: what the video is in its group, see `benchmarks.copies.truth`.
        split: `tune` or `test`.
        start_us: of the span in the video.
        end_us: of the span, half-open.
        same_picture: other bases of the same video that show the same picture all the time.
    """

    base_id: str
    video: str
    group: str
    role: str
    split: str
    start_us: int
    end_us: int
    same_picture: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Piece:
    """Content of a clip: a span of a base's video, on the video's own time line."""

    base_id: str
    start_us: int
    end_us: int


@dataclass(frozen=True, kw_only=True)
class Clip:
    """A planted file.

    Attributes:
        clip_id: unique.
        base_id: the base that it was made of.
        kind: `base`, or what was done to it.
        split: `tune` or `test`, the base's.
        file: path under the folder of the planted set.
        pieces: all that it shows. A title card in front of an episode is no content.
    """

    clip_id: str
    base_id: str
    kind: str
    split: str
    file: str
    pieces: tuple[Piece, ...]

    @property
    def content_us(self) -> int:
        """How much video time it shows."""
        return sum(piece.end_us - piece.start_us for piece in self.pieces)


def write_records(folder: Path, bases: Iterable[Base], clips: Iterable[Clip]) -> None:
    """Write both lists as JSON lines."""
    for name, records in ((BASES_FILE, bases), (CLIPS_FILE, clips)):
        lines = [json.dumps(asdict(record), sort_keys=True) for record in records]
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read_records(folder: Path) -> tuple[list[Base], list[Clip]]:
    """Return what `write_records` wrote.

    Raises:
        FileNotFoundError: nothing is planted in that folder.
    """
    bases = [Base(**{**row, "same_picture": tuple(row["same_picture"])}) for row in _rows(folder / BASES_FILE)]
    clips = [
        Clip(**{**row, "pieces": tuple(Piece(**piece) for piece in row["pieces"])})
        for row in _rows(folder / CLIPS_FILE)
    ]
    return bases, clips


def _rows(path: Path) -> list[dict[str, object]]:
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there; run python -m benchmarks.copies.plant --work {path.parent}")
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
