"""Long videos in pieces: the same clips as in one go, and what stopped in between goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from curation.fetching import Fetched, FetchError
from curation.long_videos import VideoPiece, VideosHeldError, cut_piece, shared_work
from curation.media import CutOutcome, CutTask, FramePlan, MediaSandbox
from curation.media.tasks import HeldSpan
from curation.seen_files import changed_files, look_at, remember
from curation.store import LocalStore
from curation.unit_media import media_work
from curation.unit_plan import UnitInput, UnitPlan, ingest_facts, plan_unit
from curation.unit_work import work_unit
from curation.video_work import MediaTools, clips_of
from schemas.corpus import load_corpus
from schemas.media import Cutting
from schemas.reasons import Reason
from schemas.records import Record
from schemas.units import UnitClips
from tests.curation.media.make import run_ffmpeg, write_test_video
from tests.fakes import FakeCutter, FakeFetcher, MemoryReporter

S = 1_000_000
CODING = ("-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p")
CORPUS = """
corpus: long
sources:
  - {name: stock, origin: clean, format: csv, location: rows.csv, text_kinds: [], cutting: CUTTING, licence:
      {name: CC0-1.0, basis: own, terms: made for a test}}
clip: {max_s: 4}
"""


@dataclass
class Work:
    """A unit of one long video and a short one, in a run of its own."""

    plan: UnitPlan
    tools: MediaTools

    def clips(self) -> UnitClips:
        """Do the work in one go."""
        return media_work(self.plan, replace(self.tools, hold_over_us=None))

    def hold(self, piece_us: int, changed: frozenset[str] = frozenset()) -> tuple[VideoPiece, ...]:
        """Begin the work and return the pieces that it waits for."""
        with pytest.raises(VideosHeldError) as held:
            media_work(self.plan, replace(self.tools, hold_over_us=piece_us), changed)
        return held.value.pieces

    def cut(self, pieces: tuple[VideoPiece, ...]) -> None:
        """Cut pieces, the last one first, as others would who read them from their lines."""
        for piece in reversed(pieces):
            cut_piece(VideoPiece.from_line(piece.to_line()), self.plan.cutting, self.tools)

    @property
    def store(self) -> LocalStore:
        assert isinstance(self.tools.store, LocalStore)
        return self.tools.store


def work_on(folder: Path, run: str, spans: list[tuple[int | None, int | None]], cutting: str = "{}") -> Work:
    """Return the work on `long.mp4` with these spans and `short.mp4` with one of a second."""
    corpus = folder / "corpus.yaml"
    corpus.write_text(CORPUS.replace("CUTTING", cutting))
    (folder / "rows.csv").write_text("video,start,end\n")
    config = load_corpus(corpus)
    asked = [("long.mp4", start_us, end_us) for start_us, end_us in spans] + [("short.mp4", 0, S)]
    records = tuple(
        Record(
            record_id=f"{number:026d}",
            source="stock",
            locator=name,
            address=str(folder / name),
            start_us=start_us,
            end_us=end_us,
            texts=(),
        )
        for number, (name, start_us, end_us) in enumerate(asked)
    )
    unit = UnitInput(source="stock", bucket=0, bits=0, items=records)
    tools = MediaTools(
        config=config,
        store=LocalStore(folder / run),
        fetcher=FakeFetcher(),
        cut=HoldingCutter(),
        frames=FramePlan(count=2, size_px=4),
        reporter=MemoryReporter(),
    )
    return Work(plan=plan_unit(unit, config.sources[0], ingest_facts(config, {"fake": "1"})), tools=tools)


class HoldingCutter(FakeCutter):
    """Says what is to be cut where that is more than may be cut at once; a span from 9 s on lies past the end."""

    def __call__(self, task: CutTask) -> CutOutcome:
        outcome = super().__call__(task)
        held = tuple(HeldSpan(span_index=clip.span_index, made_us=None, length_us=2 * S) for clip in outcome.clips)
        if task.hold_over_us is None or sum(span.length_us for span in held) <= task.hold_over_us:
            return outcome
        return replace(outcome, clips=(), held=held)


FOUR: list[tuple[int | None, int | None]] = [(start * S, (start + 2) * S) for start in (0, 2, 4, 6)]


@pytest.fixture
def work(tmp_path: Path) -> Work:
    for name in ("long", "short"):
        (tmp_path / f"{name}.mp4").write_bytes(f"video {name}".encode())
    return work_on(tmp_path, "run", [*FOUR, (9 * S, 10 * S)])


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    sound = ("-f", "lavfi", "-i", "sine=d=12", "-c:a", "aac")
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=160x120:r=25:d=12", *sound, *CODING, f"file:{folder / 'long.mp4'}")
    write_test_video(folder / "short.mp4", seconds=1)
    return folder


@pytest.fixture(scope="module")
def sandbox() -> Iterator[MediaSandbox]:
    sandbox = MediaSandbox()
    yield sandbox
    sandbox.close()


OVERLAPPING: list[tuple[int | None, int | None]] = [(0, 3 * S), (S, 2 * S), (5 * S, 8 * S), (11 * S, 14 * S)]
WHOLE: list[tuple[int | None, int | None]] = [(None, None)]
CASES = {
    "explicit spans, one past the end": (OVERLAPPING, "{}", 2),
    "windows": (WHOLE, "{no_span: windows, window_s: 2, stride_s: 1.5}", 4),
    "shots of equal parts": (WHOLE, "{no_span: shots}", 3),
    "a long span that is split": ([(0, 11 * S), (S, 2 * S)], "{long_spans: split}", 3),
}


@pytest.mark.parametrize(("spans", "cutting", "pieces"), CASES.values(), ids=CASES)
def test_pieces_give_the_bytes_of_one_go(
    films: Path,
    sandbox: MediaSandbox,
    tmp_path: Path,
    spans: list[tuple[int | None, int | None]],
    cutting: str,
    pieces: int,
) -> None:
    runs = []
    for name in ("whole", "pieces"):
        work = work_on(films, str(tmp_path / name), spans, cutting)
        runs.append(replace_cutter(work, sandbox))
    whole = runs[0].clips()
    assert clips_of(whole.videos[0]).clips
    held = runs[1].hold(4 * S)
    assert len(held) == pieces
    runs[1].cut(held)
    assert runs[1].clips() == whole
    left, right = (files_of(work.store) for work in runs)
    assert left == right


def replace_cutter(work: Work, sandbox: MediaSandbox) -> Work:
    return Work(plan=work.plan, tools=replace(work.tools, cut=sandbox.cut))


def files_of(store: LocalStore) -> dict[str, bytes]:
    """Return path -> content of what lies in a run and stays there."""
    paths = [path for folder in ("clips", "frames", "media") for path in walked(Path(store.address) / folder)]
    return {str(path.relative_to(store.address)): path.read_bytes() for path in paths}


def walked(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_a_video_is_held_only_where_others_can_share_it(films: Path, sandbox: MediaSandbox, tmp_path: Path) -> None:
    def piece_counts(spans: list[tuple[int | None, int | None]], piece_us: int) -> int:
        work = replace_cutter(work_on(films, str(tmp_path / f"{len(spans)}-{piece_us}"), spans), sandbox)
        try:
            media_work(work.plan, replace(work.tools, hold_over_us=piece_us))
        except VideosHeldError as held:
            return len(held.pieces)
        return 0

    assert piece_counts([(0, 3 * S)], 1) == 0, "one span is one piece"
    assert piece_counts([(0, 3 * S), (5 * S, 8 * S)], 6 * S) == 0, "no more than a piece"
    assert piece_counts([(0, 3 * S), (5 * S, 8 * S)], 5 * S) == 2
    assert piece_counts([(0, S // 2), (S // 5, S)], S) == 0, "nothing to seek to"


def test_pieces_are_of_about_one_length_and_in_order(work: Work) -> None:
    pieces = work.hold(3 * S)
    assert [[one.span for one in piece.spans] for piece in pieces] == [[FOUR[0]], [FOUR[1], FOUR[2]], [FOUR[3]]]
    assert len({piece.path for piece in pieces}) == 3


def test_what_was_done_before_the_pieces_is_not_done_again(work: Work) -> None:
    pieces = work.hold(4 * S)
    work.cut(pieces)
    cutter = work.tools.cut
    assert isinstance(cutter, HoldingCutter)
    before = len(cutter.cut_paths)
    clips = work.clips()
    assert len(cutter.cut_paths) == before, "the short video was cut before, the long one in pieces"
    reporter = work.tools.reporter
    assert isinstance(reporter, MemoryReporter)
    assert sorted(reporter.events) == ["piece", "piece", "piece", "resumed", "video"], "each video is counted once"
    told = [(clip.span_index, clip.media_sha256) for clip in clips_of(clips.videos[0]).clips]
    assert [index for index, _ in told] == [0, 1, 2, 3]
    assert [(one.span_index, one.reason) for one in clips_of(clips.videos[0]).failures] == [(4, Reason.SPAN_PAST_END)]


def test_an_ingest_that_stopped_goes_on_with_the_pieces_that_are_cut(work: Work) -> None:
    pieces = work.hold(4 * S)
    work.cut(pieces[:1])
    cutter = work.tools.cut
    assert isinstance(cutter, HoldingCutter)
    cutter.cut_spans.clear()
    again = work.hold(4 * S)
    assert again == pieces
    work.cut(again)
    assert cutter.cut_spans[1:] == [pieces[1].asked], "opened once more, and one piece cut"
    media_work(work.plan, replace(work.tools, hold_over_us=4 * S)), "nothing is left to wait for"


def test_pieces_of_another_length_are_other_pieces(work: Work, tmp_path: Path) -> None:
    work.cut(work.hold(4 * S)[:1])
    work.cut(work.hold(3 * S))
    assert work.clips() == work_on(tmp_path, "other", [*FOUR, (9 * S, 10 * S)]).clips()


def test_a_unit_whose_file_changed_finds_its_new_pieces(work: Work, tmp_path: Path) -> None:
    before = work_unit(work.plan, work.tools)
    (tmp_path / "long.mp4").write_bytes(b"another film")
    with pytest.raises(VideosHeldError) as held:
        work_unit(work.plan, replace(work.tools, hold_over_us=4 * S))
    work.cut(held.value.pieces)
    cutter = work.tools.cut
    assert isinstance(cutter, HoldingCutter)
    cutter.cut_paths.clear()
    assert work_unit(work.plan, work.tools).clips_sha256 != before.clips_sha256
    assert cutter.cut_paths == []


def test_a_clip_that_is_gone_is_cut_again(work: Work) -> None:
    pieces = work.hold(4 * S)
    work.cut(pieces)
    for path in walked(Path(work.store.address) / "media"):
        path.unlink()
    cutter = work.tools.cut
    assert isinstance(cutter, HoldingCutter)
    cutter.cut_spans.clear()
    work.cut(pieces)
    assert cutter.cut_spans == [pieces[1].asked, pieces[0].asked]


def test_a_piece_of_another_file_does_not_count(work: Work, tmp_path: Path) -> None:
    pieces = work.hold(4 * S)
    work.cut(pieces[:1])
    (tmp_path / "long.mp4").write_bytes(b"another film")
    work.cut(pieces[1:])
    clips = work.clips()
    whole = work_on(tmp_path, "other", [*FOUR, (9 * S, 10 * S)]).clips()
    assert clips == whole, "clips of two files never stand in one entry"


def test_a_file_that_changed_after_an_earlier_ingest_is_cut_anew_in_pieces(work: Work, tmp_path: Path) -> None:
    before = work.clips()
    remember(work.store, work.plan, look_at(work.plan))
    (tmp_path / "long.mp4").write_bytes(b"another film")
    changed = frozenset(changed_files(work.store, work.plan))
    work.cut(work.hold(4 * S, changed))
    remember(work.store, work.plan, look_at(work.plan))
    assert changed_files(work.store, work.plan) == []
    after = work.clips()
    assert after.videos[0].outcome["video"]["sha256"] != before.videos[0].outcome["video"]["sha256"]
    assert after == work_on(tmp_path, "other", [*FOUR, (9 * S, 10 * S)]).clips()


def test_notes_of_an_earlier_wait_are_of_no_use_once_the_unit_is_finished(work: Work) -> None:
    work.cut(work.hold(4 * S))
    assert shared_work(work.store, work.plan.media_name).entries
    work.clips()
    assert shared_work(work.store, work.plan.media_name).entries == ()


def test_what_befalls_a_whole_piece_befalls_each_of_its_spans(work: Work) -> None:
    class GoneFetcher(FakeFetcher):
        def fetch(self, address: str, folder: Path) -> Fetched:
            raise FetchError(Reason.IO_ERROR, "no answer")

    first, second = work.hold(4 * S)
    work.cut((first,))
    cut_piece(second, Cutting(), replace(work.tools, fetcher=GoneFetcher()))
    outcome = clips_of(work.clips().videos[0])
    assert [clip.span_index for clip in outcome.clips] == [0, 1]
    assert [(failure.span_index, failure.reason) for failure in outcome.failures] == [
        (2, Reason.IO_ERROR),
        (3, Reason.IO_ERROR),
        (4, Reason.SPAN_PAST_END),
    ]
    assert outcome.video is not None
    # an ingest that stopped asks again for what could not be had
    cut_piece(second, Cutting(), work.tools)
    kept = json.loads(work.store.read(second.path))
    assert kept["outcome"]["failures"] == []


def test_addresses_lie_nowhere_in_the_run(work: Work, tmp_path: Path) -> None:
    work.cut(work.hold(4 * S))
    for path in walked(tmp_path / "run"):
        assert str(tmp_path).encode() not in path.read_bytes(), path
