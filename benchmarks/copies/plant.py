"""Make the planted set: base clips, their copies and hard negatives, and the list of what each clip shows.

    python -m benchmarks.copies.plant --work FOLDER [--size small|full] [--other-videos FOLDER] [--processes 2]

The set is FOLDER/SIZE. Files that are there are kept, so a run that was broken off goes on. Equal sizes give equal
files.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.copies.changes import (
    BASE_CRF,
    CHANGES,
    CONCAT,
    OTHER_UPLOAD,
    SHIFT,
    SHIFT_US,
    SUBTITLES,
    US_PER_S,
    Change,
)
from benchmarks.copies.encode import Look, change_clip, cut_clip, draw_video, look_of
from benchmarks.copies.originals import SIZES, Original, all_originals
from benchmarks.copies.pictures import write_logo, write_subtitles
from benchmarks.copies.records import BASE, TEST, TUNE, Base, Clip, Piece, write_records
from benchmarks.copies.scenes import FPS, frames
from benchmarks.copies.truth import FLAT
from curation.world.factors import seeded

log = logging.getLogger(__name__)

SAME_PICTURE_LEVELS = 1.0
"""Two spans of one video show the same picture when their luma differs by less, of 255 on average: slides do."""
_LOOK_EVERY_S, _LOOK_SIZE = 0.5, (256, 144)


@dataclass(frozen=True, kw_only=True)
class Planted:
    """A base with what is needed to make its clips."""

    base: Base
    original: Original
    source: Path
    clip: Clip

    def path(self, work: Path) -> Path:
        """The file of the unchanged clip."""
        return work / self.clip.file


def plan_bases(originals: Sequence[Original], work: Path) -> list[Planted]:
    """Return all bases, with their unchanged clips."""
    planned = []
    for original in originals:
        source = original.file or work / "videos" / f"{original.name}.mp4"
        for start_us, end_us in original.spans_us:
            base_id = f"{original.name}@{start_us // 1000}"
            base = Base(
                base_id=base_id,
                video=original.name,
                group=original.group,
                role=original.role,
                split=original.split,
                start_us=start_us,
                end_us=end_us,
            )
            pieces = (content(base, original, 0, end_us - start_us),)
            planned.append(Planted(base=base, original=original, source=source, clip=_clip(base, BASE, pieces)))
    return planned


def content(base: Base, original: Original, from_us: int, to_us: int) -> Piece:
    """Return what a part of a base's clip (times from the clip's start) shows, a title card left out."""
    start_us = max(base.start_us + from_us, original.content_us)
    return Piece(base_id=base.base_id, start_us=start_us, end_us=max(start_us, base.start_us + to_us))


def _clip(base: Base, kind: str, pieces: tuple[Piece, ...]) -> Clip:
    clip_id = base.base_id if kind == BASE else f"{base.base_id}~{kind}"
    file = f"clips/{clip_id}.mp4"
    return Clip(clip_id=clip_id, base_id=base.base_id, kind=kind, split=base.split, file=file, pieces=pieces)


def trimmed(base: Base, kind: str, change: Change) -> tuple[int, int]:
    """Return which part of a base's clip a change keeps, in microseconds from the clip's start: uneven amounts."""
    length_us, rng = base.end_us - base.start_us, seeded("trim", base.base_id, kind)
    head, tail = (low + (high - low) * rng.random() for low, high in (change.cut_head, change.cut_tail))
    return round(head * length_us), length_us - round(tail * length_us)


def strangers(planned: Sequence[Planted]) -> dict[str, Planted]:
    """Return for each copied base another one of its split, of another group and not flat, to be joined with."""
    found = {}
    for own in planned:
        others = [
            other
            for other in planned
            if other.base.split == own.base.split and other.base.group != own.base.group
            if other.original.copied and other.base.role != FLAT
        ]
        if own.original.copied and others:
            found[own.base.base_id] = seeded("stranger", own.base.base_id).choice(others)
    return found


@dataclass(frozen=True, kw_only=True)
class Maker:
    """Makes the files of a planted set in a folder; every method returns the clip that it wrote."""

    work: Path

    def copies(self, own: Planted, stranger: Planted | None) -> list[Clip]:
        """Make all copies of a base."""
        look = look_of(own.path(self.work))
        made = [self.changed(own, kind, change, look) for kind, change in CHANGES.items()]
        made.append(self.shifted(own))
        if stranger is not None:
            made.append(self.joined(own, stranger, look))
        if own.original.upload is not None:
            made.append(self.uploaded(own, own.original.upload))
        return made

    def changed(self, own: Planted, kind: str, change: Change, look: Look) -> Clip:
        """Make a copy of the unchanged clip."""
        from_us, to_us = trimmed(own.base, kind, change)
        clip = _clip(own.base, kind, (content(own.base, own.original, from_us, to_us),))
        target = self.work / clip.file
        if target.exists():
            return clip
        source = str(own.path(self.work))
        inputs = ["-ss", f"{from_us / US_PER_S:.6f}", "-t", f"{(to_us - from_us) / US_PER_S:.6f}", "-i", source]
        pictures = self._pictures(change.overlay, look)
        filters = change.filters.replace("$fps", f"{look.rate}") or "null"
        graph = f"[0:v]{filters}[v0]"
        half_s = look.length_us / 2 / US_PER_S
        times = ("1",) if len(pictures) < 2 else (f"lt(t,{half_s:.3f})", f"gte(t,{half_s:.3f})")
        for number, (picture, time) in enumerate(zip(pictures, times, strict=False)):
            inputs += ["-i", str(picture)]
            graph += f";[v{number}][{number + 1}:v]overlay=0:0:enable='{time}'[v{number + 1}]"
        graph += f";[v{len(pictures)}]setsar=1,format=yuv420p[out]"
        change_clip(inputs, graph, target, change.crf)
        return clip

    def shifted(self, own: Planted) -> Clip:
        """Cut the video again, half a second later; where the video ends first, the clip is so much shorter."""
        start_us, end_us = own.base.start_us + SHIFT_US, own.base.end_us + SHIFT_US
        end_us = min(end_us, _length_us(own))
        piece = content(own.base, own.original, SHIFT_US, end_us - own.base.start_us)
        clip = _clip(own.base, SHIFT, (piece,))
        if not (self.work / clip.file).exists():
            cut_clip(own.source, start_us, end_us, self.work / clip.file, BASE_CRF)
        return clip

    def joined(self, own: Planted, stranger: Planted, look: Look) -> Clip:
        """Put another base clip before or after this one."""
        clip = _clip(own.base, CONCAT, (*own.clip.pieces, *stranger.clip.pieces))
        if (self.work / clip.file).exists():
            return clip
        first = seeded("order", own.base.base_id).random() < 0.5
        order = "[a][b]" if first else "[b][a]"
        inputs = ["-i", str(own.path(self.work)), "-i", str(stranger.path(self.work))]
        size = f"{look.width_px}:{look.height_px}"
        graph = (
            f"[0:v]fps={look.rate},setsar=1,format=yuv420p[a];"
            f"[1:v]fps={look.rate},scale={size}:flags=bicubic,setsar=1,format=yuv420p[b];"
            f"{order}concat=n=2:v=1[out]"
        )
        change_clip(inputs, graph, self.work / clip.file, 23)
        return clip

    def uploaded(self, own: Planted, upload: Path) -> Clip:
        """Cut the same span out of the other file of the video."""
        clip = _clip(own.base, OTHER_UPLOAD, own.clip.pieces)
        if not (self.work / clip.file).exists():
            cut_clip(upload, own.base.start_us, own.base.end_us, self.work / clip.file, BASE_CRF)
        return clip

    def unchanged(self, own: Planted) -> None:
        """Cut the base itself, after drawing its video where there is none."""
        if own.path(self.work).exists():
            return
        cut_clip(own.source, own.base.start_us, own.base.end_us, own.path(self.work), BASE_CRF)

    def video(self, original: Original) -> None:
        """Draw the video of an original that has no file."""
        path = self.work / "videos" / f"{original.name}.mp4"
        if original.file is None and not path.exists():
            draw_video(path, frames(original.shots), FPS)

    def _pictures(self, overlay: str | None, look: Look) -> list[Path]:
        """Return the pictures that a change lays over a clip of that size; they are written ahead, by `pictures`."""
        if overlay is None:
            return []
        count = 2 if overlay == SUBTITLES else 1
        size = f"{look.width_px}x{look.height_px}"
        return [self.work / "pictures" / f"{overlay}-{size}-{number}.png" for number in range(count)]

    def pictures(self, own: Planted) -> None:
        """Write the pictures for clips of a base's size."""
        look = look_of(own.path(self.work))
        size = f"{look.width_px}x{look.height_px}"
        folder = self.work / "pictures"
        if not (folder / f"logo-{size}-0.png").exists():
            write_logo(folder / f"logo-{size}-0.png", look.width_px, look.height_px)
            for number in range(2):
                write_subtitles(folder / f"subtitles-{size}-{number}.png", look.width_px, look.height_px, number)


def _length_us(own: Planted) -> int:
    if own.original.file is None:
        return round(sum(length_s for _, length_s in own.original.shots) * US_PER_S)
    with av.open(str(own.original.file)) as container:
        return int(container.duration or 0)


def with_same_pictures(planned: Sequence[Planted], work: Path) -> list[Base]:
    """Return the bases; those of one video know which others show the same picture all the time."""
    by_video: dict[str, list[Planted]] = defaultdict(list)
    for own in planned:
        by_video[own.base.video].append(own)
    found = []
    for members in by_video.values():
        looks = [_small_frames(own.path(work)) for own in members] if len(members) > 1 else [None]
        for own, look in zip(members, looks, strict=True):
            same = tuple(
                other.base.base_id
                for other, seen in zip(members, looks, strict=True)
                if other is not own and look is not None and seen is not None and same_picture(look, seen)
            )
            found.append(replace(own.base, same_picture=same))
    return found


def same_picture(first: NDArray[np.uint8], second: NDArray[np.uint8]) -> bool:
    """Say whether two runs of small frames (uint8 [N, H, W], one every half second) show the same all the time."""
    both = min(len(first), len(second))
    difference = np.abs(first[:both].astype(np.int16) - second[:both].astype(np.int16)).mean()
    return bool(difference < SAME_PICTURE_LEVELS)


def _small_frames(path: Path) -> NDArray[np.uint8]:
    found, wanted_s = [], 0.0
    with av.open(str(path)) as container:
        for frame in container.decode(video=0):
            if (frame.time or 0.0) >= wanted_s:
                image = Image.fromarray(frame.to_ndarray(format="gray"))
                found.append(np.asarray(image.resize(_LOOK_SIZE, Image.Resampling.BOX)))
                wanted_s += _LOOK_EVERY_S
    return np.stack(found)


def plant(work: Path, originals: Sequence[Original], processes: int) -> tuple[list[Base], list[Clip]]:
    """Make the set in a folder and return its records, which are written there too."""
    for name in ("videos", "clips", "pictures"):
        (work / name).mkdir(parents=True, exist_ok=True)
    planned, maker = plan_bases(originals, work), Maker(work=work)
    copied = [own for own in planned if own.original.copied]
    partners = strangers(planned)
    with ThreadPoolExecutor(max_workers=processes) as pool:
        _each(pool, maker.video, originals, "videos")
        _each(pool, maker.unchanged, planned, "base clips")
        for own in copied:
            maker.pictures(own)
        made = _each(pool, lambda own: maker.copies(own, partners.get(own.base.base_id)), copied, "bases with copies")
    clips = [own.clip for own in planned] + [clip for group in made for clip in group]
    bases = with_same_pictures(planned, work)
    write_records(work, bases, clips)
    return bases, clips


def _each(pool: ThreadPoolExecutor, act: Callable, items: Sequence, name: str) -> list:
    """Do something to each item, in the items' order, and say so now and then."""
    done = []
    for number, result in enumerate(pool.map(act, items), start=1):
        done.append(result)
        if number % 20 == 0 or number == len(items):
            log.info("%s: %d of %d", name, number, len(items))
    return done


def main() -> int:
    """Make the set and say what it holds."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True, help="a folder for the set")
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--other-videos", type=Path, help="real videos for `test`: benchmarks.copies.other_videos")
    parser.add_argument("--spans-seed", type=int, default=0, help="another one cuts real videos at other times")
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    folder = arguments.work.resolve() / arguments.size
    originals = all_originals(SIZES[arguments.size], arguments.other_videos, arguments.spans_seed)
    bases, clips = plant(folder, originals, arguments.processes)
    for split in (TUNE, TEST):
        if not any(own.file for own in originals if own.split == split):
            log.warning("no real videos for %s (docs/duplicates.md says where they come from): all are drawn", split)
    copies = sum(clip.kind != BASE for clip in clips)
    sys.stdout.write(f"{len(bases)} base clips and {copies} copies in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
