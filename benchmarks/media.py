"""The media path against one bare ffmpeg per video: the same files, spans, binary, settings and threads.

    python -m benchmarks.media --work FOLDER [--videos 12] [--rounds 3]

Ours reads the file for its digest, probes it, cuts and re-encodes the spans, decodes each clip once to check it, and
takes score frames, hashes and signals on the way. Bare ffmpeg decodes once and writes the same spans. The ratio is of
CPU seconds, the sandbox and all that it starts included; its start is subtracted, because it serves many videos.
Then what is taken from the finished clips is timed apart, as a share of the bare ffmpeg. Ends with 1 where a ratio is
over the target.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.footage import Footage, make_footage
from benchmarks.media_parts import parts_cpu_s
from curation.media import CutTask, FramePlan, MediaSandbox, ffmpeg_build
from schemas.media import ClipFormat, MediaLimits

US_PER_S = 1_000_000
TARGET = 1.25
FRAMES = FramePlan(count=8, size_px=224)


def children_cpu_s() -> float:
    """Return the CPU seconds of all children that have ended, and of this process."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_CHILDREN, resource.RUSAGE_SELF)]
    return sum(found.ru_utime + found.ru_stime for found in used)


def ours_cpu_s(footage: Sequence[Footage], folder: Path) -> float:
    """Cut all spans in the sandbox; return the CPU seconds.

    Raises:
        RuntimeError: a span gave no clip.
    """
    before = children_cpu_s()
    with MediaSandbox() as sandbox:
        for number, video in enumerate(footage):
            out = folder / f"{number:04d}"
            out.mkdir(parents=True)
            spans = tuple((round(start * US_PER_S), round(end * US_PER_S)) for start, end in video.spans_s)
            task = CutTask(
                path=str(video.path),
                spans=spans,
                out_dir=str(out),
                clip=ClipFormat(),
                limits=MediaLimits(),
                frames=FRAMES,
            )
            outcome = sandbox.cut(task)
            if outcome.failures:
                raise RuntimeError(f"{video.path.name}: {outcome.failures[0]}")
    return children_cpu_s() - before


def bare_cpu_s(footage: Sequence[Footage], folder: Path) -> float:
    """Write the same spans with one ffmpeg per video; return the CPU seconds."""
    before = children_cpu_s()
    for number, video in enumerate(footage):
        out = folder / f"{number:04d}"
        out.mkdir(parents=True)
        subprocess.run(bare_command(video, out), check=True, capture_output=True)
    return children_cpu_s() - before


def bare_command(video: Footage, out: Path) -> list[str]:
    """Return the command that a person would write for these clips: frames are dropped before they are scaled."""
    clip, count = ClipFormat(), len(video.spans_s)
    side = clip.short_side_px
    scale = (
        f"scale='if(gt(iw,ih),-2,min({side},iw))':'if(gt(iw,ih),min({side},ih),-2)':flags=bicubic+accurate_rnd+bitexact"
    )
    branches = "".join(f"[s{place}]" for place in range(count))
    cuts = [
        f"[s{place}]trim={start_s}:{end_s},setpts=PTS-STARTPTS,{scale},format=yuv420p[o{place}]"
        for place, (start_s, end_s) in enumerate(video.spans_s)
    ]
    command = [ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", "-filter_complex_threads", "1"]
    command += ["-threads", "1", "-i", str(video.path)]
    command += ["-filter_complex", ";".join([f"[0:v]split={count}{branches}", *cuts])]
    for place in range(count):
        command += ["-map", f"[o{place}]", "-an"]
        command += ["-c:v", "libx264", "-preset", clip.preset, "-crf", str(clip.crf), "-g", str(clip.gop_frames)]
        command += ["-threads", "1", "-x264-params", "cpu-independent=1", str(out / f"{place}.mp4")]
    return command


def sandbox_start_cpu_s() -> float:
    """Return the CPU seconds of a sandbox that starts and ends."""
    before = children_cpu_s()
    with MediaSandbox() as sandbox:
        sandbox.start()
    return children_cpu_s() - before


@dataclass(frozen=True, kw_only=True)
class Compared:
    """Both sides over one set of videos, and what parts of ours cost alone."""

    ratio: float
    bare_s: float
    parts: dict[str, float]


def compare(name: str, chosen: Sequence[Footage], work: Path, rounds: int, start_s: float) -> Compared:
    """Run both sides in turns and print their line of the table."""
    taken = []
    parts: dict[str, float] = {}
    for number in range(rounds):
        folder = work / f"{name}{number}"
        taken.append((ours_cpu_s(chosen, folder / "ours") - start_s, bare_cpu_s(chosen, folder / "bare")))
        if number == rounds - 1:
            parts = parts_cpu_s(sorted((folder / "ours").rglob("*.mp4")))
        shutil.rmtree(folder)
    clips = sum(len(video.spans_s) for video in chosen)
    ratio = statistics.median(ours / bare for ours, bare in taken)
    ours, bare = taken[-1]
    sys.stdout.write(f"| {len(chosen)} {name} | {clips} | {ours:.1f} s | {bare:.1f} s | {ratio:.2f}x |\n")
    sys.stdout.flush()
    return Compared(ratio=ratio, bare_s=bare, parts=parts)


def main() -> int:
    """Measure both sides in turns and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--videos", type=int, default=12, help="generated ones; the real ones come on top")
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    footage = make_footage(arguments.work / "videos", arguments.videos)
    generated, real = (
        [video for video in footage if video.generated],
        [video for video in footage if not video.generated],
    )
    sys.stdout.write(f"{os.cpu_count()} cores, {ffmpeg_build().version}\n")
    sys.stdout.write(
        "| videos | clips | ours, CPU | bare ffmpeg, CPU | ratio (median of rounds) |\n|---|---:|---:|---:|---:|\n"
    )
    start_s = statistics.median(sandbox_start_cpu_s() for _ in range(3))
    sets = {name: chosen for name, chosen in (("generated", generated), ("real", real)) if chosen}
    found = {name: compare(name, chosen, arguments.work, arguments.rounds, start_s) for name, chosen in sets.items()}
    sys.stdout.write("\n| of the bare ffmpeg's CPU | " + " | ".join(sets) + " |\n|---" + "|---:" * len(sets) + "|\n")
    for part in next(iter(found.values())).parts:
        shares = [f"{own.parts[part] / own.bare_s:.1%}" for own in found.values()]
        sys.stdout.write(f"| {part} | " + " | ".join(shares) + " |\n")
    return 0 if all(own.ratio <= TARGET for own in found.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
