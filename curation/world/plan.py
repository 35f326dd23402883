"""The plan of a world: which videos there are, what their clips show, and what the sources say about them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace

from curation.world.factors import Factors, draw_factors, seeded
from curation.world.harvest import Surroundings, harvested
from curation.world.records import FRAME_US, World, WorldClip, WorldOptions, WorldVideo
from curation.world.sources import HARVESTS, SOURCES, clip_budgets

CLIPS_PER_VIDEO = 6
MIN_FRAMES, MAX_FRAMES = 16, 28
"""1.6 to 2.8 seconds at 10 frames a second."""

COPIES_PERCENT = 5
CLIPS_PER_BROKEN_FILE = 150
BROKEN_KINDS = ("truncated", "empty", "text", "playlist", "garbage")
_BROKEN_CLIPS = 3
_SOURCES_WITH_BROKEN_FILES = ("asr_vlog", "alt_mined", "tags", "asr_howto", "web_pages", "machine")


def file_name(options: WorldOptions, source: str, number: int) -> str:
    """A name that another seed or another size does not share, so that no stale file is taken for a rendered one."""
    key = f"{options.seed}/{options.clips}/{source}/{number}"
    return f"{source}_{number:05d}_{hashlib.sha256(key.encode('ascii')).hexdigest()[:6]}.mp4"


def _clip_counts(options: WorldOptions, source: str, budget: int) -> list[int]:
    """How many clips each video of a source has: about six, and never fewer than two videos."""
    videos = max(2, round(budget / CLIPS_PER_VIDEO))
    counts = [budget // videos + (number < budget % videos) for number in range(videos)]
    rng = seeded(options.seed, "counts", source)
    for _ in range(videos if videos > 3 else 0):
        giver, taker = rng.randrange(videos), rng.randrange(videos)
        if counts[giver] > 3 and counts[taker] < 9:
            counts[giver] -= 1
            counts[taker] += 1
    return counts


def _clips(seed: int, source: str, number: int, count: int) -> tuple[WorldClip, ...]:
    rng = seeded(seed, "clips", source, number)
    clips = []
    start_us = 0
    for _ in range(count):
        frames = rng.randint(MIN_FRAMES, MAX_FRAMES)
        factors, look_seed = draw_factors(rng), rng.getrandbits(48)
        clips.append(WorldClip(factors=factors, look_seed=look_seed, start_us=start_us, frames=frames))
        start_us += frames * FRAME_US
    return tuple(clips)


def _readable_videos(options: WorldOptions) -> list[WorldVideo]:
    videos = []
    for source, budget in clip_budgets(options.clips).items():
        for number, count in enumerate(_clip_counts(options, source, budget)):
            clips = _clips(options.seed, source, number, count)
            videos.append(WorldVideo(source=source, file_name=file_name(options, source, number), clips=clips))
    return videos


def _find_pair(
    videos: Sequence[WorldVideo], order: Sequence[int], taken: set[int], within: bool
) -> tuple[int, int] | None:
    """Positions of (original, copy): equally many clips, in one source or in two, neither in a pair yet."""
    for copy in order:
        for original in order:
            same_source = videos[original].source == videos[copy].source
            same_length = len(videos[original].clips) == len(videos[copy].clips)
            free = original != copy and not {original, copy} & taken
            if free and same_length and same_source == within:
                return original, copy
    return None


def _with_copies(options: WorldOptions, videos: list[WorldVideo]) -> list[WorldVideo]:
    """Some videos become exact copies of others, alternately within a source and across sources."""
    result = list(videos)
    order = list(range(len(videos)))
    seeded(options.seed, "copies").shuffle(order)
    taken: set[int] = set()
    for number in range(max(2, len(videos) * COPIES_PERCENT // 100)):
        pair = _find_pair(videos, order, taken, within=number % 2 == 0)
        if pair is None:
            continue
        original, copy = pair
        taken |= {original, copy}
        result[copy] = replace(videos[copy], clips=videos[original].clips, copy_of=videos[original].file_name)
    return result


def _broken_videos(options: WorldOptions, videos: Sequence[WorldVideo]) -> list[WorldVideo]:
    broken: list[WorldVideo] = []
    for index in range(max(2, options.clips // CLIPS_PER_BROKEN_FILE)):
        source = _SOURCES_WITH_BROKEN_FILES[index % len(_SOURCES_WITH_BROKEN_FILES)]
        number = sum(video.source == source for video in [*videos, *broken])
        clips = _clips(options.seed, source, number, _BROKEN_CLIPS)
        kind = BROKEN_KINDS[index % len(BROKEN_KINDS)]
        name = file_name(options, source, number)
        broken.append(WorldVideo(source=source, file_name=name, clips=clips, broken=kind))
    return broken


def _with_texts(options: WorldOptions, video: WorldVideo, world: Sequence[Factors]) -> WorldVideo:
    rng = seeded(options.seed, "texts", video.file_name)
    around = Surroundings(video=video.clips, world=world)
    harvest = HARVESTS[video.source]
    return replace(
        video, clips=tuple(replace(clip, texts=harvested(rng, clip, harvest, around)) for clip in video.clips)
    )


def plan_world(options: WorldOptions) -> World:
    """The world of these options: a pure function, equal in every process. Readable videos hold `options.clips` clips.

    Broken files come on top. A copy carries the spans of its original and texts as its own source harvests.
    """
    readable = _with_copies(options, _readable_videos(options))
    videos = readable + _broken_videos(options, readable)
    factors = [clip.factors for video in videos for clip in video.clips]
    ordered = sorted(videos, key=lambda video: (SOURCES.index(video.source), video.file_name))
    return World(options=options, videos=tuple(_with_texts(options, video, factors) for video in ordered))
