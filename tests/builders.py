"""Small inputs that tests of several rooms share: a corpus of files, and a run made of it with fakes."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from curation.media import FramePlan
from curation.row_lines import place_of
from curation.score_batches import BatchTools, score_batches
from curation.score_cache import ScoreCache
from curation.sources import read_source
from curation.store import LocalStore, file_sha256
from curation.stored_rows import stored_input
from curation.suppression import suppressed_of
from curation.unit_parts import finished_scores, read_commit, read_unit
from curation.unit_plan import IngestFacts, UnitInput, UnitPlan, ingest_facts, plan_unit
from curation.unit_scoring import finish_scores, unit_batches
from curation.unit_work import work_unit
from curation.video_work import MediaTools
from pipelines.engine import EngineOptions
from pipelines.finished import ingest_outputs
from pipelines.ingest_stage import drop_stale_units
from pipelines.run_folder import Run, open_run
from pipelines.stages import judge, shard
from pipelines.unit_workers import StoredUnits
from pipelines.watching import Watcher
from schemas.corpus import CorpusConfig, load_corpus
from schemas.records import Record, Reject
from schemas.run import RUN_JSON, UNCOUNTED
from schemas.statistics import ScorerFacts
from schemas.units import UnitCommit, unit_bits, unit_bucket
from tests.fakes import FakeCutter, FakeFetcher, FakeScorer, MemoryReporter, NoFetcher

# One thread in this process: a test starts in a second.
IN_PROCESS = EngineOptions(flags=("--direct_running_mode=in_memory", "--direct_num_workers=1"))

CORPUS = """
corpus: tiny
sources:
  - {name: stock, origin: clean, format: csv, location: stock.csv, text_kinds: [caption], licence: &l
      {name: CC0-1.0, basis: own, terms: made for a test}}
  - {name: mined, origin: noisy, format: jsonl, location: mined.jsonl, text_kinds: [alt], licence: *l}
  - {name: silent, origin: noisy, format: folder, location: silent, licence: *l}
scorer: {frames: 2}
videos_per_unit: 2
cuts: {clean: 0.0, high: 0.0, low: -0.5}
"""
# Two captions of one clip, a row twice, a span past the end, an empty text, a broken file, an empty span.
STOCK = """video,start_s,end_s,caption
v/a.mp4,0,2,a red circle
v/a.mp4,0,2,a circle that is red
v/a.mp4,2,4,a blue square
v/a.mp4,2,4,a blue square
v/b.mp4,9.5,11,past the end
v/c.mp4,0,2,
v/broken.mp4,0,2,never seen
v/c.mp4,3,3,nothing in between
"""
# `copy.mp4` has the bytes of `a.mp4`: its first clip is a duplicate of stock's first one.
MINED = """{"video": "v/copy.mp4", "start_s": 0, "end_s": 2, "alt": ["shop now", "red"]}
{"video": "v/d.mp4", "alt": "buy \\ud800"}
not json
{"start_s": 1}
"""


def write_corpus(folder: Path) -> Path:
    """Write the corpus file, its sources and its videos (bytes that only a fake can cut)."""
    (folder / "v").mkdir(parents=True)
    for name in ("a", "b", "c", "d", "broken"):
        (folder / "v" / f"{name}.mp4").write_bytes(f"video {name}".encode())
    (folder / "v" / "copy.mp4").write_bytes(b"video a")
    (folder / "stock.csv").write_text(STOCK)
    (folder / "mined.jsonl").write_text(MINED)
    (folder / "silent").mkdir()
    (folder / "silent" / "e.mp4").write_bytes(b"video e")
    (folder / "corpus.yaml").write_text(CORPUS)
    return folder / "corpus.yaml"


FAKE_FRAMES = FramePlan(count=2, size_px=FakeScorer.image_size)
FAKE_SCORER = ScorerFacts(
    name="fake", digest=FakeScorer.digest, frame_plan=FAKE_FRAMES.name, aggregation="mean", prompt="{}"
)


def work_with_fakes(
    plan: UnitPlan,
    config: CorpusConfig,
    store: LocalStore,
    scorer: FakeScorer | None = None,
    fetcher: FakeFetcher | None = None,
    *,
    from_parts: bool = False,
) -> UnitCommit:
    """Do all the work of a unit with fakes and return its commit with its scores; suppression lists are asked."""
    reporter = MemoryReporter()
    media = MediaTools(
        config=config,
        store=store,
        fetcher=fetcher or FakeFetcher(),
        cut=FakeCutter(),
        frames=FAKE_FRAMES,
        reporter=reporter,
        suppressed=suppressed_of(store, config.suppress),
        from_parts=from_parts,
    )
    unit = work_unit(plan, media)
    if finished_scores(store, unit, FAKE_SCORER.scoring) is None:
        tools = BatchTools(
            store=store, scorer=scorer or FakeScorer(), plan=FAKE_FRAMES, cache=ScoreCache(store, FakeScorer.digest)
        )
        batches = unit_batches(store, unit, FAKE_SCORER, FAKE_FRAMES)
        finish_scores(store, unit, FAKE_SCORER, score_batches(batches, tools))
    commit = read_unit(store, unit.unit, FAKE_SCORER.scoring)
    assert commit is not None
    return commit


def fake_facts(config: CorpusConfig) -> IngestFacts:
    """Return the ingest facts of a run with fakes."""
    return ingest_facts(config, {"fake": "1"})


def unit_inputs(config: CorpusConfig) -> list[UnitInput]:
    """Return the units of a corpus, grouped as the ingest job groups them."""
    units = []
    for source in config.sources:
        items = list(read_source(source, config))
        places = [place_of(item) for item in items]
        bits = unit_bits(len(set(places)), config.videos_per_unit)
        buckets: dict[int, list[Record | Reject]] = defaultdict(list)
        for item, place in zip(items, places, strict=True):
            buckets[unit_bucket(source.name, place, bits)].append(item)
        for bucket in sorted(buckets):
            units.append(UnitInput(source=source.name, bucket=bucket, bits=bits, items=tuple(buckets[bucket])))
    return units


def ingest_with_fakes(corpus: Path, root: Path) -> tuple[CorpusConfig, LocalStore, list[UnitCommit]]:
    """Ingest a corpus with fakes and return its committed units, by name."""
    config, store = load_corpus(corpus), LocalStore(root)
    sources = {source.name: source for source in config.sources}
    commits = []
    for unit in unit_inputs(config):
        plan = plan_unit(unit, sources[unit.source], fake_facts(config))
        commits.append(work_with_fakes(plan, config, store))
    return config, store, sorted(commits, key=lambda commit: commit.unit)


def built_with_fakes(folder: Path, more: str = "") -> Run:
    """Build a whole run: fakes ingest, the real judge and shard jobs do the rest; the corpus lies in `folder`/in.

    Args:
        more: further lines of the corpus file.
    """
    corpus = write_corpus(folder / "in")
    corpus.write_text(CORPUS + more)
    config = load_corpus(corpus)
    run = open_run(config, folder / "run")
    finish_fake_ingest(run, folder / "in" / "corpus.yaml")
    statistics = judge(run, IN_PROCESS, Watcher(quiet=True))
    shard(run, IN_PROCESS, Watcher(quiet=True), statistics)
    return run


def make_again_with_fakes(run: Run, stored: StoredUnits) -> None:
    """Make units of a run again from their parts, without their media and sources, and end the ingest."""
    sources = {source.name: source for source in run.config.sources}
    commits = [read_commit(run.store, name) for name in stored.kept]
    for name in stored.again:
        commit = read_commit(run.store, name)
        assert commit is not None
        unit = stored_input(run.store, commit, sources[commit.source])
        plan = plan_unit(unit, sources[commit.source], fake_facts(run.config))
        commits.append(work_with_fakes(plan, run.config, run.store, fetcher=NoFetcher(), from_parts=True))
    end_fake_ingest(run, [commit for commit in commits if commit is not None])


def end_fake_ingest(run: Run, commits: list[UnitCommit]) -> None:
    """Drop what no unit owns and record the stage, as the real one does."""
    drop_stale_units(run, commits)
    outputs = ingest_outputs(run.store, FAKE_SCORER, [commit.unit for commit in commits])
    before = run.state.stage("ingest")
    if before is None or before.outputs != outputs:
        run.finish("ingest", "f" * 64, outputs, 0.0)


def finish_fake_ingest(run: Run, corpus: Path) -> None:
    """Ingest with fakes and record the stage as the real one does."""
    _, _, commits = ingest_with_fakes(corpus, run.root)
    run.note_scorer(FAKE_SCORER)
    end_fake_ingest(run, commits)


def counted_digests(root: Path) -> dict[str, str]:
    """Return path -> SHA-256 of every file of a run that has part in a digest."""
    digests = {}
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name != RUN_JSON and name.split("/")[0] not in (*UNCOUNTED, "world"):
            digests[name] = file_sha256(path)
    return digests
