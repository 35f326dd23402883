"""Burnt-in subtitles from the file to the shard: measured at ingest, judged by a rule, counted on the page."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml

from curation.unit_reading import read_part
from pipelines.build import BuildResult, build
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import CorpusConfig, load_corpus
from schemas.run import DISTRIBUTIONS_PARQUET, JOINT_PARQUET, REPORT_HTML
from tests.builders import IN_PROCESS
from tests.curation.media.lettering import SUBTITLE, scene, with_text
from tests.curation.media.make import write_pictures

ROOT = Path(__file__).resolve().parents[2]
LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "made for a test"}


def corpus(folder: Path, **options: object) -> CorpusConfig:
    source = {"name": "films", "origin": "noisy", "format": "folder", "location": "films", "licence": LICENCE}
    path = folder / "corpus.yaml"
    path.write_text(yaml.safe_dump({"corpus": "lettered", "sources": [source], **options}))
    return load_corpus(path)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two films of a second, one of them with subtitles."""
    films = tmp_path_factory.mktemp("lettered") / "films"
    films.mkdir()
    for name, text in (("plain", None), ("subtitled", SUBTITLE)):
        pictures = [scene(3 * place) for place in range(25)]
        lettered = [with_text(picture, text, top=250, px=18) if text else picture for picture in pictures]
        write_pictures(films / f"{name}.mp4", lettered)
    return films.parent


@pytest.fixture(scope="module")
def built(folder: Path) -> BuildResult:
    config = corpus(folder, signals={"text_area": True}, rules={"video": {"max_text_area": 0.01}})
    return build(config, folder / "run", IN_PROCESS, watcher=Watcher(quiet=True))


def areas(built: BuildResult) -> dict[str, int | None]:
    units = scored_units(built.run)
    rows = [row for name in units.names for row in read_part(units.store, units.read(name), "samples")]
    return {row["locator"]: row["text_area_1e4"] for row in rows}


@pytest.mark.slow
def test_the_subtitles_are_measured_and_kept_out_of_the_shards(built: BuildResult) -> None:
    found = areas(built)
    assert found["plain.mp4"] == 0
    assert 200 < (found["subtitled.mp4"] or 0) < 900
    assert built.statistics is not None and built.manifest is not None
    (source,) = built.statistics.sources
    assert [(rule.rule, rule.samples) for rule in source.rules] == [("max_text_area", 1)]
    assert sum(shard.samples for shard in built.manifest.shards) == 1


@pytest.mark.slow
def test_the_page_and_the_tables_tell_of_it(built: BuildResult) -> None:
    root = built.run.root
    signals = pl.read_parquet(root / DISTRIBUTIONS_PARQUET).filter(pl.col("signal") == "text_area_1e4")
    assert signals["count"].sum() == 2 and signals["sum"].sum() == areas(built)["subtitled.mp4"]
    joint = pl.read_parquet(root / JOINT_PARQUET).filter(pl.col("dimension") == "text_area")
    assert sorted(joint["value"]) == ["0-0.01", "0.01-0.05"]
    page = (root / REPORT_HTML).read_text()
    assert "text_area" in page and "max_text_area" in page


@pytest.mark.slow
def test_a_run_that_did_not_look_has_no_number_and_no_row_of_it(folder: Path) -> None:
    config = corpus(folder)
    built = build(config, folder / "blind", IN_PROCESS, watcher=Watcher(quiet=True))
    assert areas(built) == {"plain.mp4": None, "subtitled.mp4": None}
    joint = pl.read_parquet(built.run.root / JOINT_PARQUET)
    assert "text_area" not in set(joint["dimension"])


def test_without_the_extra_a_build_is_refused_before_anything_is_written(folder: Path) -> None:
    corpus(folder, signals={"text_area": True})
    # a module that is None cannot be imported or found: this is Python as it is without the extra
    program = "import sys; sys.modules['rapidocr'] = None; from beam_runner import main; sys.exit(main(sys.argv[1:]))"
    words = ["build", str(folder / "corpus.yaml"), "--out", str(folder / "refused")]
    done = subprocess.run(
        [sys.executable, "-c", program, *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 2
    assert "signals.text_area: true needs the extra ocr; missing: rapidocr;" in done.stderr
    assert "pip install 'clipstrata[ocr]'" in done.stderr
    assert not (folder / "refused").exists()
