"""A build whose long videos are cut in pieces: the bytes of a build that knows none, and nothing left behind."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from curation.progress import read_totals
from pipelines.build import build
from pipelines.engine import EngineOptions
from pipelines.run_folder import Run
from pipelines.watching import Watcher, counts
from schemas.corpus import load_corpus
from tests.builders import IN_PROCESS, counted_digests
from tests.curation.media.make import write_test_video

CORPUS = """
corpus: long
sources:
  - name: stock
    origin: clean
    format: csv
    location: rows.csv
    text_kinds: [caption]
    cutting: {no_span: windows, window_s: 2, stride_s: 2}
    licence: {name: CC0-1.0, basis: own, terms: made for a test}
"""
THREADS = EngineOptions(flags=("--direct_running_mode=multi_threading", "--direct_num_workers=2"))


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    for name, seconds in (("long", 12), ("short", 2)):
        write_test_video(folder / f"{name}.mp4", seconds=seconds)
    with (folder / "rows.csv").open("w", newline="") as file:
        csv.writer(file).writerows(
            [("video", "caption"), ("long.mp4", "a moving picture"), ("short.mp4", "one that moves")]
        )
    return folder


def built(films: Path, root: Path, long_video_s: float, engine: EngineOptions = IN_PROCESS) -> Run:
    corpus = films / f"{root.name}.yaml"
    corpus.write_text(CORPUS + f"long_video_s: {long_video_s}\n")
    return build(load_corpus(corpus), root, engine, watcher=Watcher(quiet=True)).run


def test_pieces_change_no_byte_and_leave_nothing(films: Path, tmp_path: Path) -> None:
    whole = built(films, tmp_path / "whole", 600)
    pieces = built(films, tmp_path / "pieces", 4, THREADS)
    assert counted_digests(pieces.root) == counted_digests(whole.root)
    told = {name: read_totals(run.root, "ingest") for name, run in (("whole", whole), ("pieces", pieces))}
    # the long video is opened once and cut in three, which is four parts of the work
    assert told["whole"].keys() & {"piece", "part"} == set()
    assert told["pieces"]["piece"]["events"] == 4
    assert told["pieces"]["part"]["events"] == 4
    assert told["pieces"]["piece"]["clips"] + told["pieces"]["video"]["clips"] == told["whole"]["video"]["clips"] == 7
    assert counts(pieces.root, "ingest")[:2] == counts(whole.root, "ingest")[:2] == (2, 2)
    assert not (pieces.root / "progress/long").exists()
