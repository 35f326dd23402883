"""RunInference with our handler, on the embedded runner: the shipped scorer, and fakes by hand."""

from __future__ import annotations

import pickle
from collections.abc import Iterable
from pathlib import Path

import apache_beam as beam
import numpy as np
import pytest
from apache_beam.ml.inference.base import RunInference
from apache_beam.testing.util import assert_that, equal_to

from curation.media import FramePlan
from curation.media.strips import write_strip
from curation.progress import read_totals
from curation.score_batches import BatchTools, ClipToScore, ScoreBatch, TextToScore, cut_batches, score_batch
from curation.scorers import Scorer, ScorerUnavailable, load_open_clip
from curation.store import LocalStore
from pipelines.engine import EngineOptions
from pipelines.scoring import (
    ScoreBatches,
    ScorerHandler,
    ScorerMismatch,
    ScorerSpec,
    ScoringOptions,
    SharedScorer,
    load_scorer,
)
from tests.scoring_fakes import PLAN, CountingScorer, clip, tools

IN_PROCESS = EngineOptions(flags=("--direct_running_mode=in_memory", "--direct_num_workers=1"))
LOADS: list[str] = []


def load_counting(spec: ScorerSpec) -> Scorer:
    LOADS.append(spec.model)
    return CountingScorer()


def load_nothing(spec: ScorerSpec) -> Scorer:
    raise ScorerUnavailable(f"no weights for {spec.model}")


def fake_options(root: Path, **changed: object) -> ScoringOptions:
    spec = ScorerSpec(
        model="counting", pretrained=None, device="cpu", dtype="float32", digest=changed.pop("digest", "c0" * 32)
    )
    return ScoringOptions(root=str(root), scorer=spec, plan=PLAN, **changed)


def fake_batches(store: LocalStore) -> list[ScoreBatch]:
    clips = [clip(store, f"{number}", ["red", f"blue {number}"]) for number in range(7)]
    first = cut_batches("unit-1", ["media-1"], clips[:5], 100)
    return [*first, *cut_batches("unit-2", ["media-2"], clips[5:], 100), *cut_batches("unit-3", ["media-3"], [], 100)]


def run(batches: Iterable[ScoreBatch], options: ScoringOptions, load: object, expected: list) -> beam.metrics.metric:
    pipeline = beam.Pipeline(options=IN_PROCESS.to_beam())
    scored = pipeline | beam.Create(list(batches)) | ScoreBatches(options, load)
    assert_that(scored, equal_to(expected))
    result = pipeline.run()
    result.wait_until_finish()
    return result.metrics()


def counter(metrics: object, name: str) -> int:
    found = metrics.query(beam.metrics.MetricsFilter().with_namespace("scoring").with_name(name))["counters"]
    return sum(result.committed for result in found)


def test_the_step_gives_what_the_function_gives(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    batches = fake_batches(store)
    assert len(batches) == 5, "two clips to a batch of unit-1, and one batch for the unit without texts"
    bare = tools(store, CountingScorer(), cached=False)
    expected = [score_batch(batch, bare) for batch in batches if batch.clips]
    LOADS.clear()
    options = fake_options(tmp_path, cached=False)
    pipeline = beam.Pipeline(options=IN_PROCESS.to_beam())
    scored = pipeline | beam.Create(batches) | ScoreBatches(options, load_counting)
    assert_that(scored | beam.Filter(lambda found: found.clips), equal_to(expected))
    assert_that(
        scored | "Empty" >> beam.Filter(lambda found: not found.clips) | beam.Map(lambda found: found.unit),
        equal_to(["unit-3"]),
        label="empty",
    )
    result = pipeline.run()
    result.wait_until_finish()
    metrics = result.metrics()
    assert LOADS == ["counting"], "one scorer for the process"
    assert counter(metrics, "num_inferences") == 7
    assert counter(metrics, "frames_embedded") == 14
    assert counter(metrics, "pairs_scored") == 14
    assert counter(metrics, "failed_batches_counter") == 0
    spent = read_totals(tmp_path, "ingest")["scoring"]
    assert (spent["events"], spent["clips"]) == (4, 7) and spent["seconds"] > 0


def test_a_second_run_embeds_nothing_and_a_run_without_work_loads_nothing(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    batches = [batch for batch in fake_batches(store) if batch.clips]
    bare = tools(store, CountingScorer(), cached=False)
    options = fake_options(tmp_path)
    for embedded in (14, 0):
        pipeline = beam.Pipeline(options=IN_PROCESS.to_beam())
        scored = pipeline | beam.Create(batches) | ScoreBatches(options, load_counting)
        wanted = [score_batch(batch, bare).clips for batch in batches]
        assert_that(scored | beam.Map(lambda found: found.clips), equal_to(wanted))
        result = pipeline.run()
        result.wait_until_finish()
        assert counter(result.metrics(), "frames_embedded") == embedded
    LOADS.clear()
    run([], options, load_counting, [])
    assert LOADS == []


def test_a_scorer_that_cannot_be_had_fails_the_job(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="no weights for counting"):
        run(fake_batches(LocalStore(tmp_path)), fake_options(tmp_path), load_nothing, [])


def test_a_worker_with_another_scorer_fails_the_job() -> None:
    shared = SharedScorer(fake_options(Path("run"), digest="d1" * 32), load_counting)
    with pytest.raises(ScorerMismatch, match="digest c0c0c0c0c0c0c0c0 here; the job was started for d1d1d1d1d1d1d1d1"):
        shared.tools()


def test_the_handler_keeps_clear_of_what_beam_does_by_default(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    hints = {"min_ram": "8GB", "accelerator": "type:nvidia-l4;count:1"}
    handler = ScorerHandler(fake_options(tmp_path), load_counting, hints)
    batch = fake_batches(store)[0]
    assert isinstance(handler.run_inference(batch, handler.load_model()), list), "a generator escapes the counters"
    assert handler.should_skip_batching()
    assert handler.get_num_bytes(batch) == 2 * 2 * 8 * 8 * 3 + 2 * len("red" + "blue 0")
    assert handler.get_resource_hints() == hints
    assert not handler.share_model_across_processes()
    assert len(pickle.dumps(handler)) < 10_000, "a handler travels without its model"
    with pytest.raises(ValueError, match=r"inference_args are \['prompt'\]; allowed: none"):
        RunInference(handler, inference_args={"prompt": "x"}).expand(None)


def test_the_shipped_scorer_through_the_step(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    rng = np.random.default_rng(3)
    clips = []
    for number in range(5):
        path = f"frames/{number}.jpg"
        store.write(path, write_strip(list(rng.integers(0, 256, (2, 64, 64, 3), np.uint8))))
        text = TextToScore(text_id=f"t{number}", text=f"a red ring, the {number}th")
        clips.append(ClipToScore(sample_id=f"{number}", media_sha256=f"{number}" * 64, strip_path=path, texts=(text,)))
    plan = FramePlan(count=2, size_px=64)
    scorer = load_open_clip("world_clip")
    spec = ScorerSpec(model="world_clip", pretrained=None, device="cpu", dtype="float32", digest=scorer.digest)
    batches = cut_batches("unit-1", ["media-1"], clips, 100)
    expected = [score_batch(batch, BatchTools(store=store, scorer=scorer, plan=plan)) for batch in batches]
    assert len(expected) == 3
    options = ScoringOptions(root=str(tmp_path), scorer=spec, plan=plan, cached=False)
    metrics = run(batches, options, load_scorer, expected)
    assert counter(metrics, "batches_cpu") == 3
    assert counter(metrics, "batches_cuda") == 0
