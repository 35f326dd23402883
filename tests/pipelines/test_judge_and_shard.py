"""The judge and shard jobs on a run whose clips come from fakes: decisions, bytes, and what is done again."""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest
import webdataset as wds

from curation.manifests import commit_manifest, manifest_versions, read_manifest
from curation.verify import verify_run
from curation.verify_report import VerifyReport
from curation.verify_shards import verify_shards
from pipelines.engine import EngineOptions
from pipelines.finished import StageNotReady
from pipelines.run_folder import Run, open_run
from pipelines.stages import judge, shard
from pipelines.watching import Watcher
from schemas.arrow import EMBEDDINGS, SELECTION, read_rows
from schemas.duplicates import DuplicatePolicy, ExactOptions
from schemas.judging import Balance, Cuts, Rules, Weights
from schemas.run import STATISTICS_JSON, media_path
from schemas.sharding import ShapeBuckets
from schemas.statistics import Statistics
from tests.builders import IN_PROCESS, built_with_fakes, counted_digests

QUIET = Watcher(quiet=True)
GOLDEN = Path(__file__).parents[1] / "golden" / "tiny_run.json"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return built_with_fakes(tmp_path)


def selection(run: Run) -> list[dict]:
    paths = [path for path in run.store.list("selection") if path.endswith(".parquet")]
    return [row for path in paths for row in read_rows(run.store.read(path), SELECTION)]


def again(run: Run, **changes: object) -> Run:
    return open_run(run.config.model_copy(update=changes), run.root)


def test_a_golden_run_pins_the_bytes(run: Run) -> None:
    # The file was written by `python -m tests.golden`; a change of it is a change of the format: say so in CHANGELOG.
    folders = ("stats/", "selection/", "shards/", "manifests/", "records/", "samples/", "texts/", "scores/", "rejects/")
    found = {path: digest for path, digest in counted_digests(run.root).items() if path.startswith(folders)}
    assert found == json.loads(GOLDEN.read_text())


def test_bundles_that_run_three_times_give_the_same_bytes(run: Run) -> None:
    """An engine may run any bundle again, and after it was committed too."""
    before = counted_digests(run.root)
    repeating = EngineOptions(flags=(*IN_PROCESS.flags, "--direct_runner_bundle_repeat=2"))
    for folder in ("duplicates", "stats", "selection", "shards", "manifests"):
        for path in list(run.store.list(folder)):
            run.store.delete(path)
    run.state = run.state.with_stage(run.state.stage("ingest"))
    shard(run, repeating, QUIET, judge(run, repeating, QUIET))
    assert counted_digests(run.root) == before


def test_a_new_version_writes_only_what_changed_and_reads_no_clip_of_the_rest(run: Run) -> None:
    changed = again(run, cuts=Cuts(clean=1.0, high=1.0, low=0.99))
    statistics = judge(changed, IN_PROCESS, QUIET)
    old = {facts.path for facts in read_manifest(run.store, 1).shards}
    same = next(facts for facts in read_manifest(run.store, 1).shards if facts.source == "silent")
    inode = (run.root / same.path).stat().st_ino
    with tarfile.open(run.root / same.path) as tar:
        digest = json.load(tar.extractfile(tar.next()))["media_sha256"]
    # A clip that is gone can be read by nobody: the shard that holds it is left as it is.
    run.store.delete(media_path(digest))
    manifest = shard(changed, IN_PROCESS, QUIET, statistics)
    assert same in manifest.shards and (run.root / same.path).stat().st_ino == inode
    assert {facts.source for facts in manifest.shards if facts.path not in old} == {"stock"}


def test_clips_are_embedded_in_shards_where_asked_for(run: Run) -> None:
    changed = again(run, shards=run.config.shards.model_copy(update={"embeddings": True}))
    judged = changed.state.stage("judge")
    manifest = shard(changed, IN_PROCESS, QUIET, judge(changed, IN_PROCESS, QUIET))
    assert changed.state.stage("judge") == judged, "nothing is judged anew for it"
    expected = {}
    for path in changed.store.list("embeddings"):
        rows = read_rows(changed.store.read(path), EMBEDDINGS)
        expected.update({row["media_sha256"]: row["vector"] for row in rows})
    samples = list(wds.WebDataset([str(run.root / facts.path) for facts in manifest.shards], shardshuffle=False))
    assert len(samples) == 5
    for sample in samples:
        vector = np.load(io.BytesIO(sample["npy"]), allow_pickle=False)
        assert vector.astype("<f2").tobytes() == expected[json.loads(sample["json"])["media_sha256"]]
    assert verify_run(changed.store, changed.config).problems == []


def test_clips_of_a_shape_lie_together_where_asked_for(run: Run) -> None:
    shapes = ShapeBuckets(short_sides_px=(4,), aspects=("1:1", "3:2"), durations_s=(1, 3))
    changed = again(run, shards=run.config.shards.model_copy(update={"shapes": shapes}))
    manifest = shard(changed, IN_PROCESS, QUIET, judge(changed, IN_PROCESS, QUIET))
    expected = {}
    for facts in manifest.shards:
        assert facts.path.rsplit("/", 1)[1].startswith(f"tiny-{facts.tier}-{facts.source}-{facts.shape}-000000-")
        for sample in wds.WebDataset([str(run.root / facts.path)], shardshuffle=False):
            told = json.loads(sample["json"])
            # The fakes' clips last two seconds and are four by four or five by four pixels, and 5:4 is nearer to 3:2.
            assert facts.shape == {4: "4p_1x1_1s", 5: "4p_3x2_1s"}[told["width_px"]]
            expected[told["sample_id"]] = facts.shape
    rows = {row["sample_id"]: row["shape"] for row in selection(changed) if row["shard_bucket"] is not None}
    assert rows == expected and len(set(rows.values())) > 1
    assert {(one.tier, one.source, one.shape) for one in manifest.plan} == {
        (facts.tier, facts.source, facts.shape) for facts in manifest.shards
    }
    assert verify_run(changed.store, changed.config).problems == []
    elsewhere = [facts.model_copy(update={"shape": "720p_1x1_1s"}) for facts in manifest.shards[:1]]
    report = VerifyReport()
    wrong = manifest.model_copy(update={"shards": (*elsewhere, *manifest.shards[1:])})
    verify_shards(changed.store, [wrong], "mean", report)
    shape = manifest.shards[0].shape
    assert report.problems and all(f" {shape} bucket 0" in problem for problem in report.problems)


def test_clean_wins_over_noisy_among_equal_clips(run: Run) -> None:
    rows = {row["sample_id"]: row for row in selection(run)}
    groups = [row for row in rows.values() if row["duplicate_group"]]
    assert {(row["source"], row["shard_bucket"] is None) for row in groups} == {("stock", False), ("mined", True)}
    assert {rows[row["keeper"]]["source"] for row in groups} == {"stock"}
    statistics = Statistics.model_validate_json(run.store.read(STATISTICS_JSON))
    assert (statistics.duplicates.groups, statistics.duplicates.samples_removed) == (1, 1)
    assert [(pair.source, pair.other, pair.groups) for pair in statistics.duplicates.pairs] == [("mined", "stock", 1)]


def test_samples_without_trusted_text_are_kept_as_video(run: Run) -> None:
    tiers = {(row["source"], row["tier"]) for row in selection(run)}
    assert ("silent", "video_only") in tiers
    shards = [path for path in run.store.list("shards/video_only") if path.endswith(".tar")]
    assert shards
    for path in shards:
        with tarfile.open(run.root / path) as tar:
            assert {name.split(".")[1] for name in tar.getnames()} == {"json", "mp4"}


def test_webdataset_reads_the_shards_back(run: Run) -> None:
    tars = [str(run.root / path) for path in run.store.list("shards") if path.endswith(".tar")]
    samples = list(wds.WebDataset(tars, shardshuffle=False))
    keys = [sample["__key__"] for sample in samples]
    sharded = [row["sample_id"] for row in selection(run) if row["shard_bucket"] is not None]
    assert sorted(keys) == sorted(sharded)
    facts = {sample["__key__"]: json.loads(sample["json"]) for sample in samples}
    assert all(found["sample_id"] == key for key, found in facts.items())
    told = {frozenset(text["text"] for text in found["texts"]) for found in facts.values()}
    assert frozenset({"a red circle", "a circle that is red"}) in told
    for sample in samples:
        chosen = {text["text_id"]: text["text"] for text in facts[sample["__key__"]]["texts"]}
        if "txt" in sample:
            assert sample["txt"].decode() == chosen[facts[sample["__key__"]]["text_id"]]


def test_a_run_that_is_done_is_left_alone(run: Run) -> None:
    before, state = counted_digests(run.root), run.state
    statistics = judge(run, IN_PROCESS, QUIET)
    shard(run, IN_PROCESS, QUIET, statistics)
    assert run.state == state
    assert counted_digests(run.root) == before


def test_a_changed_cut_redoes_judge_and_shard_as_a_new_version(run: Run) -> None:
    before = counted_digests(run.root)
    changed = again(run, cuts=Cuts(clean=1.0, high=1.0, low=0.99))
    statistics = judge(changed, IN_PROCESS, QUIET)
    manifest = shard(changed, IN_PROCESS, QUIET, statistics)
    assert (manifest.version, manifest_versions(changed.store)) == (2, [1, 2])
    assert {row["tier"] for row in selection(changed)} == {"video_only"}
    after = counted_digests(run.root)
    old = read_manifest(changed.store, 1)
    assert all(after[facts.path] == before[facts.path] for facts in old.shards), "old versions stay readable"
    assert verify_run(changed.store, changed.config).problems == []


@pytest.mark.parametrize(
    "change",
    [
        {"rules": Rules.model_validate({"video": {"min_duration_s": 3}})},
        {"weights": Weights.model_validate({"stage2": {"clean": 0.5}})},
        {"duplicates": DuplicatePolicy(scope="off")},
    ],
)
def test_what_judging_depends_on_redoes_it(run: Run, change: dict) -> None:
    before = run.state.stage("judge")
    changed = again(run, **change)
    judge(changed, IN_PROCESS, QUIET)
    assert changed.state.stage("judge") != before


def test_another_list_of_concepts_redoes_judging_and_the_same_elsewhere_does_not(run: Run) -> None:
    lists = {name: run.root.parent / f"{name}.txt" for name in ("one", "copy", "other")}
    for name, words in (("one", "red\n"), ("copy", "red\n"), ("other", "square\n")):
        lists[name].write_text(words)
    fingerprints = {}
    for name, path in lists.items():
        changed = again(run, balance=Balance(concepts=path, clips_per_concept=1))
        judge(changed, IN_PROCESS, QUIET)
        fingerprints[name] = changed.state.stage("judge").fingerprint
    assert fingerprints["one"] == fingerprints["copy"] != fingerprints["other"]


def test_a_rule_leaves_clips_out_of_the_shards(run: Run) -> None:
    changed = again(run, rules=Rules.model_validate({"video": {"min_duration_s": 3}}))
    statistics = judge(changed, IN_PROCESS, QUIET)
    rows = selection(changed)
    assert {row["rule"] for row in rows} == {"min_duration"}
    assert all(row["shard_bucket"] is None for row in rows)
    assert sum(source.left_out_by_rule for source in statistics.sources) == len(rows)
    shard(changed, IN_PROCESS, QUIET, statistics)
    assert verify_run(changed.store, changed.config).problems == []


def test_back_to_the_old_cut_gives_the_old_shards(run: Run) -> None:
    first = read_manifest(run.store, 1)
    for cuts in (Cuts(clean=1.0, high=1.0, low=0.99), run.config.cuts):
        changed = again(run, cuts=cuts)
        manifest = shard(changed, IN_PROCESS, QUIET, judge(changed, IN_PROCESS, QUIET))
    assert manifest.version == 3
    assert manifest.shards == first.shards


def reordered(run: Run) -> Run:
    return again(run, sources=tuple(reversed(run.config.sources)))


def test_the_order_of_sources_mixes_nothing_up(run: Run) -> None:
    before = {source.name: source for source in read_manifest(run.store, 1).sources}
    changed = reordered(run)
    manifest = shard(changed, IN_PROCESS, QUIET, judge(changed, IN_PROCESS, QUIET))
    assert {source.name: source for source in manifest.sources} == before
    assert [source.name for source in manifest.sources] == ["silent", "mined", "stock"]
    assert verify_run(changed.store, changed.config).problems == []


def test_changed_terms_reach_the_manifest_without_judging_again(run: Run) -> None:
    licence = run.config.sources[0].licence.model_copy(update={"terms": "new terms"})
    sources = tuple(source.model_copy(update={"licence": licence}) for source in run.config.sources)
    changed = again(run, sources=sources)
    judged = changed.state.stage("judge")
    manifest = shard(changed, IN_PROCESS, QUIET, judge(changed, IN_PROCESS, QUIET))
    assert {source.terms for source in manifest.sources} == {"new terms"}
    assert changed.state.stage("judge") == judged


def test_units_of_an_unfinished_ingest_are_not_judged(run: Run) -> None:
    path = next(run.store.list("units"))
    run.store.write(path.replace(".json", "0.json"), run.store.read(path))
    with pytest.raises((StageNotReady, FileNotFoundError)):
        judge(run, IN_PROCESS, QUIET)


def test_a_removed_source_wants_ingest_first(run: Run) -> None:
    changed = again(run, sources=run.config.sources[:2])
    with pytest.raises(StageNotReady, match="the sources changed"):
        judge(changed, IN_PROCESS, QUIET)


def test_a_missing_shard_is_written_again(run: Run) -> None:
    path = read_manifest(run.store, 1).shards[0].path
    before = counted_digests(run.root)
    run.store.delete(path)
    shard(run, IN_PROCESS, QUIET, judge(run, IN_PROCESS, QUIET))
    assert counted_digests(run.root) == before


def test_a_damaged_selection_is_judged_again(run: Run) -> None:
    before = counted_digests(run.root)
    path = next(run.store.list("selection"))
    run.store.write(path, b"damaged")
    judge(run, IN_PROCESS, QUIET)
    assert counted_digests(run.root) == before


def test_a_pointer_lost_between_version_and_pointer_is_mended(run: Run) -> None:
    before = counted_digests(run.root)
    run.store.delete("manifests/latest.json")
    commit_manifest(run.store, read_manifest(run.store, 1))
    assert counted_digests(run.root) == before


def test_labels_only_leaves_nothing_out(tmp_path: Path) -> None:
    run = built_with_fakes(tmp_path)
    policy = run.config.duplicates.model_copy(update={"exact": ExactOptions(action="label")})
    changed = again(run, duplicates=policy)
    judge(changed, IN_PROCESS, QUIET)
    assert all(row["shard_bucket"] is not None for row in selection(changed))
    assert sum(row["duplicate_group"] is not None for row in selection(changed)) == 2
