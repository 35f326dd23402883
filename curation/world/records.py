"""The records of the built-in world: its options, its plan, and the rows that its sources hand out."""

from __future__ import annotations

from dataclasses import dataclass

from curation.world.factors import Factors

MIN_CLIPS = 60
MAX_CLIPS = 200_000

FRAME_SIZE_PX = 96
FRAMES_PER_SECOND = 10
FRAME_US = 1_000_000 // FRAMES_PER_SECOND


@dataclass(frozen=True, kw_only=True)
class WorldOptions:
    """What a world is a function of.

    seed: any integer from 0; another seed is another world.
    clips: clips in readable videos, copies counted, over all sources; 60 to 200 000.
    """

    seed: int = 1
    clips: int = 3000

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; allowed are integers from 0; give a seed of 0 or more")
        if not MIN_CLIPS <= self.clips <= MAX_CLIPS:
            raise ValueError(
                f"clips is {self.clips}; allowed are {MIN_CLIPS} to {MAX_CLIPS}; "
                f"give at least {MIN_CLIPS}, so that each source has two videos"
            )


@dataclass(frozen=True)
class WorldText:
    """One text of a row: its kind, the text, and for speech its own span on the time line of the video."""

    kind: str
    text: str
    start_us: int | None = None
    end_us: int | None = None


@dataclass(frozen=True)
class WorldRow:
    """One row of a source. `locator` is a file name in the world's folder; the span is half-open, in microseconds."""

    locator: str
    start_us: int
    end_us: int
    texts: tuple[WorldText, ...]


@dataclass(frozen=True, kw_only=True)
class PlannedText:
    """A text and the truth about it.

    about: "clip" (says what the clip shows), "other" (says what another clip shows) or "nothing" (names no factor).
    names: the factors that the text names, in the order of `FACTORS`.
    row: which of the clip's rows the text belongs to, from 0.
    """

    text: WorldText
    about: str
    names: tuple[str, ...]
    row: int = 0

    @property
    def wrong_pair(self) -> bool:
        """Whether the text was harvested from another clip."""
        return self.about == "other"


@dataclass(frozen=True, kw_only=True)
class WorldClip:
    """A span of a video. `look_seed` fixes what no factor says: start position, first angle, shades, phases."""

    factors: Factors
    look_seed: int
    start_us: int
    frames: int
    texts: tuple[PlannedText, ...] = ()

    @property
    def end_us(self) -> int:
        """The end of the half-open span, microseconds; a multiple of the frame duration, like the start."""
        return self.start_us + self.frames * FRAME_US


@dataclass(frozen=True, kw_only=True)
class WorldVideo:
    """One file of the world.

    copy_of: the file name of the video that this one is an exact byte copy of, if it is one.
    broken: the way in which the file is broken ("empty", "text", "truncated", "playlist", "garbage"), if it is.
    """

    source: str
    file_name: str
    clips: tuple[WorldClip, ...]
    copy_of: str | None = None
    broken: str | None = None

    @property
    def frames(self) -> int:
        """Frames that the file promises."""
        return sum(clip.frames for clip in self.clips)


@dataclass(frozen=True, kw_only=True)
class World:
    """A planned world: pure data, nothing rendered."""

    options: WorldOptions
    videos: tuple[WorldVideo, ...]

    def rows(self, source: str) -> list[WorldRow]:
        """The rows of one source, in the order of its videos and spans; several rows of one span are possible."""
        return [row for video in self.videos if video.source == source for row in video_rows(video)]


def video_rows(video: WorldVideo) -> list[WorldRow]:
    """The rows that the video's source tells about it; at least one for each clip, also where there is no text."""
    rows = []
    for clip in video.clips:
        count = max((planned.row for planned in clip.texts), default=0) + 1
        for number in range(count):
            texts = tuple(planned.text for planned in clip.texts if planned.row == number)
            rows.append(WorldRow(video.file_name, clip.start_us, clip.end_us, texts))
    return rows
