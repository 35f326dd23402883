"""The media work of a unit: what is done, what is taken over, what is done again."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from curation.media import CutOutcome, CutTask, FramePlan
from curation.replay import mark_rejects
from curation.store import LocalStore
from curation.suppression import Suppressed
from curation.unit_media import media_work
from curation.unit_plan import IngestFacts, UnitInput, UnitPlan, ingest_facts, plan_unit
from curation.video_work import MediaTools, clips_of
from schemas.corpus import CorpusConfig, load_corpus
from schemas.ids import clip_id
from schemas.reasons import Reason, Stage
from schemas.records import Record, Text
from schemas.suppression import Looks
from tests.builders import write_corpus
from tests.fakes import FakeCutter, FakeFetcher, MemoryReporter

FRAMES = FramePlan(count=2, size_px=4)


@dataclass
class World:
    """A corpus, a store, and fakes that remember what they were asked for."""

    config: CorpusConfig
    folder: Path
    tools: MediaTools
    cutter: FakeCutter
    fetcher: FakeFetcher

    def record(self, name: str, locator: str, start_us: int = 0, text: str = "a text") -> Record:
        return Record(
            record_id=name * 26,
            source="stock",
            locator=locator,
            address=str(self.folder / locator),
            start_us=start_us,
            end_us=start_us + 2_000_000,
            texts=(Text(kind="caption", text=text),),
        )

    def plan(self, *records: Record, bits: int = 0, facts: IngestFacts | None = None) -> UnitPlan:
        unit = UnitInput(source="stock", bucket=0, bits=bits, items=records)
        return plan_unit(unit, self.config.sources[0], facts or ingest_facts(self.config, {"fake": "1"}))

    def cuts(self) -> list[str]:
        """Return the names of the files that were cut since the last call."""
        names = [Path(path).name for path in self.cutter.cut_paths]
        self.cutter.cut_paths.clear()
        return names


@pytest.fixture
def world(tmp_path: Path) -> World:
    corpus = write_corpus(tmp_path / "in")
    config, cutter, fetcher = load_corpus(corpus), FakeCutter(), FakeFetcher()
    (corpus.parent / "v" / "offline.mp4").write_bytes(b"far away")
    tools = MediaTools(
        config=config,
        store=LocalStore(tmp_path / "run"),
        fetcher=fetcher,
        cut=cutter,
        frames=FRAMES,
        reporter=MemoryReporter(),
    )
    return World(config=config, folder=corpus.parent, tools=tools, cutter=cutter, fetcher=fetcher)


def test_clips_and_frames_lie_in_the_store_and_nothing_is_done_twice(world: World) -> None:
    plan = world.plan(world.record("a", "v/a.mp4"), world.record("b", "v/b.mp4", 2_000_000))
    clips = media_work(plan, world.tools)
    assert world.cuts() == ["a.mp4", "b.mp4"]
    outcome = clips_of(clips.videos[0])
    assert outcome.video is not None
    clip = clip_id(outcome.video.sha256, 0, 2_000_000)
    store = world.tools.store
    assert store.exists(f"frames/{clip[:2]}/{clip}-u2-4.jpg")
    assert store.size(f"media/{outcome.clips[0].media_sha256[:2]}/{outcome.clips[0].media_sha256}.mp4") == 16
    assert clips.videos[0].rights == {"x-robots-tag": "none"}
    assert list(store.list("tmp/units")) == [], "scratch folders are gone"
    assert media_work(plan, world.tools) == clips
    assert world.cuts() == []


def test_another_text_cuts_nothing(world: World) -> None:
    before = world.plan(world.record("a", "v/a.mp4", text="one"))
    after = world.plan(world.record("b", "v/a.mp4", text="two"))
    assert before.fingerprint != after.fingerprint
    assert before.media_fingerprint == after.media_fingerprint
    media_work(before, world.tools)
    media_work(after, world.tools)
    assert world.cuts() == ["a.mp4"]


def test_a_source_that_grew_cuts_what_is_new(world: World) -> None:
    media_work(world.plan(world.record("a", "v/a.mp4"), world.record("b", "v/b.mp4")), world.tools)
    assert world.cuts() == ["a.mp4", "b.mp4"]
    media_work(world.plan(*(world.record(name, f"v/{name}.mp4") for name in "abc")), world.tools)
    assert world.cuts() == ["c.mp4"]
    media_work(world.plan(world.record("a", "v/a.mp4"), bits=1), world.tools)
    assert world.cuts() == [], "a source that is split into twice as many units"


def test_another_span_or_setting_cuts_anew(world: World) -> None:
    media_work(world.plan(world.record("a", "v/a.mp4")), world.tools)
    media_work(world.plan(world.record("a", "v/a.mp4", 1_000_000)), world.tools)
    facts = ingest_facts(world.config, {"fake": "2"})
    media_work(world.plan(world.record("a", "v/a.mp4"), facts=facts), world.tools)
    assert world.cuts() == ["a.mp4", "a.mp4", "a.mp4"]


def test_fewer_spans_of_a_video_are_taken_over(world: World) -> None:
    records = [world.record(name, "v/a.mp4", start) for name, start in (("a", 0), ("b", 2_000_000), ("c", 9_000_000))]
    before = clips_of(media_work(world.plan(*records), world.tools).videos[0])
    after = media_work(world.plan(*records[1:]), world.tools).videos[0]
    assert world.cuts() == ["a.mp4"]
    found = clips_of(after)
    assert after.spans == ((2_000_000, 4_000_000), (9_000_000, 11_000_000))
    assert [(clip.span_index, clip.media_sha256) for clip in found.clips] == [(0, before.clips[1].media_sha256)]
    assert [(failure.span_index, failure.reason) for failure in found.failures] == [(1, Reason.SPAN_PAST_END)]


def moving(seed: int) -> Looks:
    """Return frame hashes of a clip of 5 s in which much moves."""
    hashes = np.random.default_rng(seed).integers(0, 256, (20, 32), dtype=np.uint8)
    return Looks(frame_hashes=hashes.tobytes().hex(), hash_quality="50" * 20)


class MovingCutter(FakeCutter):
    """Makes clips that all look like `moving(1)`."""

    def __call__(self, task: CutTask) -> CutOutcome:
        outcome, looks = super().__call__(task), moving(1)
        hashes = {"frame_hashes": looks.frame_hashes, "hash_quality": looks.hash_quality}
        clips = tuple(replace(clip, signals=replace(clip.signals, **hashes)) for clip in outcome.clips)
        return replace(outcome, clips=clips)


def test_clips_are_compared_with_looks_until_they_passed_these_very_ones(world: World) -> None:
    plan = world.plan(world.record("a", "v/a.mp4"))
    tools = replace(world.tools, cut=MovingCutter())
    strangers, copies = Suppressed(looks=(moving(2),)), Suppressed(looks=(moving(1),))
    assert len(clips_of(media_work(plan, replace(tools, suppressed=strangers)).videos[0]).clips) == 1
    note = f"progress/looks/{plan.media_name}"
    assert tools.store.read(note).decode() == strangers.looks_digest != copies.looks_digest
    tools.store.write(note, copies.looks_digest.encode())
    assert len(clips_of(media_work(plan, replace(tools, suppressed=copies)).videos[0]).clips) == 1, "it is believed"
    tools.store.write(note, strangers.looks_digest.encode())
    assert clips_of(media_work(plan, replace(tools, suppressed=copies)).videos[0]).clips == ()


def test_a_clip_that_is_gone_is_cut_again_alone(world: World) -> None:
    plan = world.plan(world.record("a", "v/a.mp4"), world.record("b", "v/a.mp4", 2_000_000))
    clips = media_work(plan, world.tools)
    world.cuts()
    lost = clips_of(clips.videos[0]).clips[1].media_sha256
    world.tools.store.delete(f"media/{lost[:2]}/{lost}.mp4")
    assert media_work(plan, world.tools) == clips
    assert world.cuts() == ["a.mp4"]
    assert world.tools.store.exists(f"media/{lost[:2]}/{lost}.mp4")


def test_a_changed_file_is_cut_whole(world: World) -> None:
    plan = world.plan(world.record("a", "v/a.mp4"))
    before = media_work(plan, world.tools)
    (world.folder / "v" / "a.mp4").write_bytes(b"another film")
    after = media_work(plan, world.tools, frozenset({"v/a.mp4"}))
    assert clips_of(before.videos[0]).video != clips_of(after.videos[0]).video


def test_a_replay_does_the_marked_spans_and_merges_them(world: World) -> None:
    plan = world.plan(
        world.record("a", "v/a.mp4"), world.record("b", "v/offline.mp4"), world.record("c", "v/a.mp4", 9_500_000)
    )
    clips = media_work(plan, world.tools)
    (failure,) = clips_of(clips.videos[1]).failures
    assert (failure.stage, failure.reason, failure.span_index) == (Stage.FETCH, Reason.IO_ERROR, None)
    world.cuts()
    world.fetcher.offline = False
    assert media_work(plan, world.tools) == clips, "a second run tries nothing again by itself"
    assert mark_rejects(world.tools.store, Reason.IO_ERROR).spans == {("stock", "io_error"): 1}
    again = media_work(plan, world.tools)
    assert world.cuts() == ["offline.mp4"]
    assert (again.videos[1].attempts, again.videos[1].again) == (2, ())
    assert len(clips_of(again.videos[1]).clips) == 1
    assert again.videos[0] == clips.videos[0], "other rejects stay as they are"


def test_a_replay_of_one_span_leaves_the_others(world: World) -> None:
    plan = world.plan(world.record("a", "v/a.mp4"), world.record("c", "v/a.mp4", 9_500_000))
    clips = media_work(plan, world.tools)
    world.cuts()
    mark_rejects(world.tools.store, Reason.SPAN_PAST_END)
    again = media_work(plan, world.tools)
    assert world.cuts() == ["a.mp4"]
    assert again.videos[0] == clips.videos[0].model_copy(update={"attempts": 2})


def parts_plan(world: World) -> UnitPlan:
    """A film of which two clips are made, and a third that is not long enough."""
    (world.folder / "v" / "parts.mp4").write_bytes(b"film in parts")
    return world.plan(replace(world.record("a", "v/parts.mp4"), end_us=None, start_us=None))


def test_a_replay_of_a_span_in_parts_does_those_that_are_missing(world: World) -> None:
    plan = parts_plan(world)
    before = clips_of(media_work(plan, world.tools).videos[0])
    assert mark_rejects(world.tools.store, Reason.TOO_SHORT).spans == {("stock", "too_short"): 1}
    after = clips_of(media_work(plan, world.tools).videos[0])
    assert world.cutter.cut_spans == [((None, None),), ((2_000_000, 2_100_000),)]
    assert after.failures == ()
    assert [clip.made_us for clip in after.clips] == [(0, 1_000_000), (1_000_000, 2_000_000), (2_000_000, 2_100_000)]
    assert after.clips[:2] == before.clips, "what was finished stays"
    clip = clip_id(before.video.sha256 if before.video else "", 2_000_000, 2_100_000)
    assert world.tools.store.exists(f"frames/{clip[:2]}/{clip}-u2-4.jpg")


def test_a_part_that_is_gone_is_cut_again_with_what_was_missing(world: World) -> None:
    plan = parts_plan(world)
    before = clips_of(media_work(plan, world.tools).videos[0])
    lost = before.clips[1].media_sha256
    world.tools.store.delete(f"media/{lost[:2]}/{lost}.mp4")
    media_work(plan, world.tools)
    assert world.cutter.cut_spans[1:] == [((1_000_000, 2_000_000), (2_000_000, 2_100_000))]


def test_what_befalls_a_replay_as_a_whole_befalls_each_part_of_it(world: World) -> None:
    plan = parts_plan(world)
    before = clips_of(media_work(plan, world.tools).videos[0])
    mark_rejects(world.tools.store, Reason.TOO_SHORT)
    address = plan.videos[0].address
    plan = replace(plan, videos=(replace(plan.videos[0], address=f"{address}-offline"),))
    after = clips_of(media_work(plan, world.tools).videos[0])
    assert after.clips == before.clips
    told = [(failure.span_index, failure.made_us, failure.reason) for failure in after.failures]
    assert told == [(0, (2_000_000, 2_100_000), Reason.IO_ERROR)]


def test_clips_of_two_files_never_stand_under_one_digest(world: World) -> None:
    plan = world.plan(world.record("a", "v/a.mp4"), world.record("c", "v/a.mp4", 9_500_000))
    media_work(plan, world.tools)
    mark_rejects(world.tools.store, Reason.SPAN_PAST_END)
    (world.folder / "v" / "a.mp4").write_bytes(b"another film")
    again = media_work(plan, world.tools)
    told = clips_of(again.videos[0])
    assert told.video is not None and told.video.bytes == len(b"another film")
    assert told.clips[0].media_bytes == len(b"another film0-2000000")
