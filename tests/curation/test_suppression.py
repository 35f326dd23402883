"""What suppression lists refuse, and what a unit comes to under one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from curation.media import CutOutcome
from curation.store import LocalStore
from curation.stored_rows import stored_input
from curation.suppression import NOTHING, Suppressed, names_for, place_names, refused_row, suppressed_of
from curation.unit_plan import plan_unit
from curation.unit_reading import read_part
from schemas.config_file import ConfigError
from schemas.ids import clip_id
from schemas.reasons import Reason
from schemas.records import Record
from schemas.suppression import Looks, SuppressionList, hidden_id, listed
from tests.builders import counted_digests, fake_facts, ingest_with_fakes, work_with_fakes, write_corpus
from tests.fakes import NoFetcher, fake_clip_facts, fake_video_facts

RECORD = Record(
    record_id="r" * 26,
    source="stock",
    locator="https://youtu.be/dQw4w9WgXcQ",
    address="",
    start_us=0,
    end_us=None,
    texts=(),
)
ROWS = {
    "its id": ("record", RECORD.record_id, True),
    "its place": ("locator", RECORD.locator, True),
    "another address of the same video": ("locator", "youtube:dQw4w9WgXcQ", True),
    "the id that the site gave it": ("locator", "dQw4w9WgXcQ", True),
    "another id": ("record", "s" * 26, False),
    "its id as something else": ("clip", RECORD.record_id, False),
}


@pytest.mark.parametrize("case", ROWS)
def test_rows_are_refused_by_id_and_place(case: str) -> None:
    kind, value, refused = ROWS[case]
    assert Suppressed(entries=frozenset({listed(kind, value)})).row(RECORD) is refused  # type: ignore[arg-type]
    assert not NOTHING.row(RECORD)


def test_a_place_on_another_site_has_its_own_name_only() -> None:
    assert place_names("https://films.example/watch?v=dQw4w9WgXcQ") == ("https://films.example/watch?v=dQw4w9WgXcQ",)
    assert place_names("dQw4w9WgXcQ") == ("dQw4w9WgXcQ",)


NAMES = {
    "films/a.b.mp4": {"films/a.b.mp4", "a.b.mp4", "a.b"},
    "tar:one.tar!in/a.mp4": {"tar:one.tar!in/a.mp4", "a.mp4", "a"},
    "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=4": {
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ&t=4",
        "youtube:dQw4w9WgXcQ",
        "dQw4w9WgXcQ",
        "watch",
    },
    "https://youtu.be/dQw4w9WgXcQ": {"https://youtu.be/dQw4w9WgXcQ", "youtube:dQw4w9WgXcQ", "dQw4w9WgXcQ"},
}


@pytest.mark.parametrize("locator", NAMES)
def test_a_place_has_several_names(locator: str) -> None:
    assert names_for(locator) == NAMES[locator]


def test_a_refused_row_tells_nothing_of_itself() -> None:
    reject = refused_row("stock", RECORD.record_id)
    assert (reject.record_id, reject.input) == (hidden_id(RECORD.record_id), "{}")
    assert reject.reason is Reason.SUPPRESSED
    assert RECORD.record_id not in str(reject)


VIDEO = fake_video_facts(b"film")
SPANS = ((0, 2_000_000), (2_000_000, 4_000_000))
OUTCOME = CutOutcome(
    video=VIDEO,
    clips=(fake_clip_facts(0, b"one"), fake_clip_facts(1, b"two")),
    failures=(),
    child_cpu_us=0,
    ffmpeg_cpu_us=0,
    wall_us=0,
)
FIRST = OUTCOME.clips[0]
CLIPS = {
    "its id": ("clip", clip_id(VIDEO.sha256, *SPANS[0])),
    "its bytes": ("media", FIRST.media_sha256),
    "its pictures": ("content", FIRST.content_sha256),
}


@pytest.mark.parametrize("case", CLIPS)
def test_a_clip_is_refused_and_its_neighbour_stays(case: str) -> None:
    entry = listed(*CLIPS[case])  # type: ignore[arg-type]
    found = Suppressed(entries=frozenset({entry})).outcome(OUTCOME, SPANS)
    assert found.clips == OUTCOME.clips[1:]
    assert [(failure.span_index, failure.reason) for failure in found.failures] == [(0, Reason.SUPPRESSED)]


def test_of_a_refused_video_no_fact_is_left() -> None:
    found = Suppressed(entries=frozenset({listed("video", VIDEO.sha256)})).outcome(OUTCOME, SPANS)
    assert (found.video, found.clips) == (None, ())
    assert NOTHING.outcome(OUTCOME, SPANS) is OUTCOME


def _looks(seed: int, noise: int = 0) -> Looks:
    """Return frame hashes of a clip of 5 s in which much moves; `noise` bits of each hash are another way."""
    generator = np.random.default_rng(seed)
    hashes = generator.integers(0, 2, (20, 256), dtype=np.uint8)
    for row in hashes:
        row[generator.choice(256, noise, replace=False)] ^= 1
    return Looks(frame_hashes=np.packbits(hashes, axis=1).tobytes().hex(), hash_quality="50" * 20)


def _seen(looks: Looks) -> CutOutcome:
    signals = replace(FIRST.signals, frame_hashes=looks.frame_hashes, hash_quality=looks.hash_quality)
    return replace(OUTCOME, clips=(replace(FIRST, signals=signals),))


COPIES = {
    "the same hashes": (_looks(1), frozenset[str](), True),
    "another encoding": (_looks(1, noise=10), frozenset[str](), True),
    "a stranger": (_looks(2), frozenset[str](), False),
    "a copy that was spared": (_looks(1, noise=10), frozenset({listed("content", FIRST.content_sha256)}), False),
}


@pytest.mark.parametrize("case", COPIES)
def test_copies_are_refused_by_what_they_show(case: str) -> None:
    looks, spared, refused = COPIES[case]
    outcome = _seen(looks)
    found = Suppressed(looks=(_looks(1), _looks(3)), spared=spared).outcome(outcome, SPANS)
    assert (found is not outcome) is refused


def write_list(path: Path, *entries: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(SuppressionList(entries=tuple(sorted(entries))).to_bytes())


def ingested(folder: Path, *entries: str) -> dict[str, str]:
    """Ingest the corpus into `folder`/run, under a list; return the files."""
    corpus = folder / "in" / "corpus.yaml"
    if entries:
        write_list(folder / "run" / "suppressed" / "000001.json", *entries)
    ingest_with_fakes(corpus, folder / "run")
    return counted_digests(folder / "run")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    corpus = write_corpus(tmp_path / "in")
    (corpus.parent / "silent" / "parts.mp4").write_bytes(b"video parts")
    (corpus.parent / "silent" / "parts.txt").write_text("of two windows")
    return tmp_path


def test_one_window_of_a_video_goes_and_the_ledger_tells_of_it(folder: Path) -> None:
    window = clip_id(fake_video_facts(b"video parts").sha256, 0, 1_000_000)
    _, store, before = ingest_with_fakes(folder / "in" / "corpus.yaml", folder / "plain")
    assert {commit.source: commit.ledger.samples_kept for commit in before}["silent"] == 3
    ingested(folder, listed("clip", window))
    _, store, commits = ingest_with_fakes(folder / "in" / "corpus.yaml", folder / "run")
    silent = next(commit for commit in commits if commit.source == "silent")
    ledger = silent.ledger
    assert (ledger.records_read, ledger.records_expanded, ledger.samples_kept, ledger.samples_rejected) == (2, 2, 2, 2)
    assert silent.unit not in {commit.unit for commit in before}, "a changed unit has another name"
    suppressed = [row for row in read_part(store, silent, "rejects") if row["reason"] == "suppressed"]
    assert [(row["scope"], row["input"]) for row in suppressed] == [("sample", "{}")]
    records = read_part(store, silent, "records")
    assert {row["sample_id"] for row in records} <= {row["sample_id"] for row in read_part(store, silent, "samples")}


ASKED = {
    "a video": listed("video", fake_video_facts(b"video a").sha256),
    "a clip": listed("clip", clip_id(fake_video_facts(b"video a").sha256, 0, 2_000_000)),
    "a window": listed("clip", clip_id(fake_video_facts(b"video parts").sha256, 0, 1_000_000)),
    "a place": listed("locator", "v/a.mp4"),
}


@pytest.mark.parametrize("case", ASKED)
def test_units_made_again_from_parts_are_those_of_an_ingest_under_the_list(case: str, folder: Path) -> None:
    wanted = ingested(folder, ASKED[case])
    run = folder / "parts"
    config, store, commits = ingest_with_fakes(folder / "in" / "corpus.yaml", run)
    write_list(run / "suppressed" / "000001.json", ASKED[case])
    sources = {source.name: source for source in config.sources}
    names = set()
    for commit in commits:
        unit = stored_input(store, commit, sources[commit.source])
        plan = plan_unit(unit, sources[commit.source], fake_facts(config))
        names.add(work_with_fakes(plan, config, store, fetcher=NoFetcher(), from_parts=True).unit)
    found = counted_digests(run)
    kinds = ("units", "records", "samples", "texts", "rejects", "scores", "clips", "embeddings")
    of_units = {path for path in wanted if path.split("/")[0] in kinds and "/cache/" not in path}
    assert {path: found.get(path) for path in of_units} == {path: wanted[path] for path in of_units}
    assert {f"units/{name}.json" for name in names} == {path for path in wanted if path.startswith("units/")}
    untouched = [commit.unit for commit in commits if commit.unit in names]
    assert 0 < len(untouched) < len(commits)


def test_a_copy_under_another_place_is_neither_cut_nor_told_of(folder: Path) -> None:
    ingested(folder, listed("video", fake_video_facts(b"video e").sha256))
    (folder / "in" / "silent" / "again.mp4").write_bytes(b"video e")
    _, store, commits = ingest_with_fakes(folder / "in" / "corpus.yaml", folder / "run")
    silent = [commit for commit in commits if commit.source == "silent"]
    assert sum(commit.ledger.records_read for commit in silent) == 3
    assert sum(commit.ledger.records_rejected for commit in silent) == 2
    assert sum(commit.ledger.samples_kept for commit in silent) == 2
    for commit in silent:
        for path in (f"units/{commit.unit}.json", f"clips/{commit.clips}.json", commit.parts["records"].path):
            assert b"again.mp4" not in store.read(path)
    assert not any("again" in path.read_text() for path in (folder / "run" / "progress" / "seen").iterdir())


def test_a_broken_list_stops_everything(tmp_path: Path) -> None:
    (tmp_path / "list.json").write_text("{}")
    run = write_corpus(tmp_path / "in").parent
    with pytest.raises(ConfigError, match=r"list\.json is no suppression list"):
        ingest_with_fakes_under(run, tmp_path / "list.json")


def ingest_with_fakes_under(folder: Path, file: Path) -> None:
    corpus = folder / "corpus.yaml"
    corpus.write_text(corpus.read_text() + f"suppress: [{file}]\n")
    ingest_with_fakes(corpus, folder / "run")


def test_lists_of_a_folder_are_all_asked(tmp_path: Path) -> None:
    for number in (1, 2):
        write_list(tmp_path / f"{number}.json", listed("record", str(number)))
    found = suppressed_of(LocalStore(tmp_path / "run"), [str(tmp_path)])
    assert found.entries == {listed("record", "1"), listed("record", "2")}
