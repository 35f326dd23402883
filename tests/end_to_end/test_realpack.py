"""Real videos: `examples/realpack.yaml` builds, every file is accounted for, and webdataset reads the shards back."""

from __future__ import annotations

import io
import json
from pathlib import Path

import av
import pytest
import torch
import webdataset as wds

from curation.displays import NoDisplay
from curation.media import FramePlan
from curation.unit_reading import read_part
from curation.verify import verify_run
from pipelines.build import BuildResult, build
from pipelines.engine import EngineOptions
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from schemas.run import DECODED_FOLDER, decoded_name
from training.data import BatchOptions, ensure_cache, manifest_digest, plan_batches, read_run_manifest
from training.frozen import export_checkpoint
from training.loop import TrainConfig, load_train_config, train
from training.loop.metrics import read_metrics
from training.model import load_encoder

ROOT = Path(__file__).resolve().parents[2]
PACK = ROOT.parent / "shared" / "realpack"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not PACK.is_dir(), reason="no ../shared/realpack beside the project: real videos are not here"),
]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    config = load_corpus(ROOT / "examples" / "realpack.yaml")
    return build(config, tmp_path_factory.mktemp("realpack") / "run", EngineOptions(), watcher=Watcher(quiet=True))


def files_of(index: str) -> set[str]:
    return {json.loads(line)["file"] for line in (PACK / index).read_text().splitlines()}


def rows(built: BuildResult, kind: str) -> list[dict]:
    units = scored_units(built.run)
    return [row for name in units.names for row in read_part(units.store, units.read(name), kind)]


@pytest.mark.parametrize(
    ("source", "index"),
    [("captioned", "clips/clips.jsonl"), ("mispaired", "clips/clips.jsonl"), ("broken", "broken/broken.jsonl")],
)
def test_every_file_ends_as_clips_or_as_a_reject_with_a_reason(built: BuildResult, source: str, index: str) -> None:
    kept = {row["locator"] for row in rows(built, "samples") if row["source"] == source}
    rejected = {json.loads(row["input"])["locator"] for row in rows(built, "rejects") if row["source"] == source}
    assert kept | rejected == files_of(index)
    assert kept, "a pack of which nothing can be cut proves nothing"


def test_real_clips_with_captions_are_cut_and_scored(built: BuildResult) -> None:
    assert built.statistics is not None
    captioned = next(source for source in built.statistics.sources if source.name == "captioned")
    assert captioned.samples >= 0.9 * captioned.ledger.records_read
    assert any(histogram.count for histogram in captioned.histograms)


def test_webdataset_reads_clips_that_decode(built: BuildResult) -> None:
    assert built.manifest is not None
    tars = [str(built.run.root / facts.path) for facts in built.manifest.shards]
    samples = list(wds.WebDataset(tars, shardshuffle=False))
    assert len(samples) == sum(facts.samples for facts in built.manifest.shards)
    for sample in samples:
        facts = json.loads(sample["json"])
        with av.open(io.BytesIO(sample["mp4"])) as container:
            frames = sum(1 for _ in container.decode(video=0))
        assert frames == facts["frames"] > 0, facts["locator"]


def test_the_run_verifies(built: BuildResult) -> None:
    assert verify_run(built.run.store, built.run.config).problems == []


def epochs_of(config: TrainConfig) -> dict[str, float]:
    """How often each source that is trained on was gone through; 0 for one that was never drawn."""
    manifest, plan = read_run_manifest(config.run_address), FramePlan(count=8, size_px=32)
    decoded = f"{DECODED_FOLDER}/{decoded_name(manifest_digest(manifest), plan.count, plan.size_px)}"
    samples = ensure_cache(Path(config.run) / decoded, config.run_address, manifest, plan).samples
    texts_only = config.stage == 1
    options = BatchOptions(
        size=config.batch_size, seed=0, stage=config.stage, texts_only=texts_only, small_sources="leave_out"
    )
    last = {line["source"]: line["epoch"] for line in read_metrics(config.folder)}
    return {source: last.get(source, 0.0) for source in plan_batches(samples, options).members}


def test_both_stages_run_an_epoch_of_every_source_of_real_clips_and_export(built: BuildResult, tmp_path: Path) -> None:
    run = built.run.root
    epochs = {}
    for stage in (1, 2):
        config = load_train_config(ROOT / "examples" / f"realpack_stage{stage}.yaml", run=run)
        summary = train(config, lambda title: NoDisplay())
        epochs[stage] = epochs_of(config)
        assert summary.samples == config.steps * config.batch_size == sum(summary.samples_by_source.values())
    # Of the broken files so few are left that they may not fill a batch.
    assert all({"captioned", "mispaired"} <= set(found) for found in epochs.values())
    short = {stage: {name: count for name, count in found.items() if count < 1} for stage, found in epochs.items()}
    assert short == {1: {}, 2: {}}, "the configs promise an epoch of every source"
    export_checkpoint(run / "models" / "stage2", tmp_path / "encoder")
    frames = torch.rand(1, 8, 32, 32, 3)
    assert load_encoder(tmp_path / "encoder")(frames).tokens.shape == (1, 128, 96)
