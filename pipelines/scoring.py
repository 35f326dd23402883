"""Scoring through Beam's RunInference: our own model handler, fed with ready batches of references.

Why our own (Beam 2.77): batches come ready, so that no `BatchElements` sizes them by the clock or keeps a tail for
`finish_bundle`; a list is returned, because a generator would run after RunInference has counted failures; and the size
of a batch is counted, not pickled.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.metrics import Metrics
from apache_beam.ml.inference.base import ModelHandler, RunInference

from curation.media import FramePlan
from curation.progress import new_reporter
from curation.score_batches import BatchTools, ScoreBatch, ScoredBatch, score_batch
from curation.score_cache import ScoreCache
from curation.scorers import OpenClipScorer, Scorer, load_open_clip
from curation.scoring import TOP_K
from curation.stores import open_store
from pipelines.dataflow import hints_for

NAMESPACE = "scoring"


class ScorerMismatch(RuntimeError):
    """A worker's scorer is not the one that the job was started for."""


@dataclass(frozen=True, kw_only=True)
class ScorerSpec:
    """Which scorer a worker loads.

    Attributes:
        model, pretrained, device, dtype: as `load_open_clip` takes them; `auto` must be resolved before the job starts,
            because each machine would resolve it for itself.
        digest: what the loaded scorer's digest must be.
    """

    model: str
    pretrained: str | None
    device: str
    dtype: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class ScoringOptions:
    """What every worker of the scoring step knows.

    Attributes:
        root: the run.
        plan: how the score frames were made.
        prompt: template around each text.
        cached: look into the score cache and add to it.
    """

    root: str
    scorer: ScorerSpec
    plan: FramePlan
    prompt: str = "{}"
    top_k: int = TOP_K
    cached: bool = True


LoadScorer = Callable[[ScorerSpec], Scorer]


def load_scorer(spec: ScorerSpec) -> Scorer:
    """Load the scorer that open_clip knows by this name, for one thread: processes and units run in parallel here."""
    import torch

    # Results of a matrix product may depend on the number of threads.
    torch.set_num_threads(1)
    return load_open_clip(spec.model, spec.pretrained, device=spec.device, dtype=spec.dtype)


class SharedScorer:
    """The one scorer of a worker process, loaded at its first batch: a job that finds nothing to do loads no model."""

    def __init__(self, options: ScoringOptions, load: LoadScorer) -> None:
        self._options = options
        self._load = load
        self._lock = threading.Lock()
        self._tools: BatchTools | None = None

    def tools(self) -> BatchTools:
        """Return the tools of `score_batch`.

        Raises:
            ScorerUnavailable: it cannot be loaded, or a GPU was asked for that is not there.
            ScorerMismatch: it is another one than the job was started for.
        """
        with self._lock:
            if self._tools is None:
                started = time.monotonic()
                self._tools = self._make()
                Metrics.distribution(NAMESPACE, "load_ms").update(int((time.monotonic() - started) * 1000))
            return self._tools

    def _make(self) -> BatchTools:
        options, spec = self._options, self._options.scorer
        scorer = self._load(spec)
        if scorer.digest != spec.digest:
            raise ScorerMismatch(
                f"the scorer {spec.model!r} ({spec.device}, {spec.dtype}) has digest {scorer.digest[:16]} here; the "
                f"job was started for {spec.digest[:16]}; give all machines the same weights and library versions"
            )
        store = open_store(options.root)
        return BatchTools(
            store=store,
            scorer=scorer,
            plan=options.plan,
            prompt=options.prompt,
            top_k=options.top_k,
            cache=ScoreCache(store, scorer.digest) if options.cached else None,
        )


class ScorerHandler(ModelHandler):
    """Beam's model handler for a `Scorer`. One element is one whole `ScoreBatch`; the result is one `ScoredBatch`.

    Args:
        hints: Beam's resource hints, for example `{"accelerator": "type:nvidia-l4;count:1", "min_ram": "16GB"}`.
    """

    def __init__(self, options: ScoringOptions, load: LoadScorer, hints: Mapping[str, str] | None = None) -> None:
        super().__init__()
        self._options = options
        self._load = load
        self._hints = dict(hints or {})

    def load_model(self) -> SharedScorer:
        """Return what a process shares; the weights come with the first batch."""
        return SharedScorer(self._options, self._load)

    def run_inference(
        self, batch: ScoreBatch, model: SharedScorer, inference_args: Mapping[str, Any] | None = None
    ) -> list[ScoredBatch]:
        """Return the results of one batch, as a list of one."""
        if not batch.clips:
            # A unit without texts is told of as well, and needs no model.
            return [ScoredBatch(unit=batch.unit, number=batch.number, of=batch.of, clips=(), counts=())]
        tools, started = model.tools(), time.monotonic()
        scored = score_batch(batch, tools)
        spent = {"seconds": round(time.monotonic() - started, 6), "clips": len(batch.clips)}
        new_reporter(self._options.root, "ingest").report(NAMESPACE, spent)
        for name, count in scored.counts:
            Metrics.counter(NAMESPACE, name).inc(count)
        if isinstance(tools.scorer, OpenClipScorer):
            Metrics.counter(NAMESPACE, f"batches_{tools.scorer.numerics.device}").inc()
            Metrics.gauge(NAMESPACE, "oom_halvings").set(tools.scorer.halvings)
        return [scored]

    def get_num_bytes(self, batch: ScoreBatch) -> int:
        """Return the bytes of pixels and text that a batch stands for."""
        plan = self._options.plan
        frame_bytes = plan.count * plan.size_px * plan.size_px * 3
        return len(batch.clips) * frame_bytes + sum(len(text.text) for clip in batch.clips for text in clip.texts)

    def get_metrics_namespace(self) -> str:
        """Return the namespace of all metrics of scoring, Beam's own and ours."""
        return NAMESPACE

    def get_resource_hints(self) -> dict[str, str]:
        """Return the hints of the step that owns the model."""
        return self._hints

    def should_skip_batching(self) -> bool:
        """Return True: batches come ready."""
        return True

    def validate_inference_args(self, inference_args: Mapping[str, Any] | None) -> None:
        """Refuse arguments: all that scores depend on is in the options, and so in the fingerprint."""
        if inference_args:
            raise ValueError(f"inference_args are {sorted(inference_args)}; allowed: none; use ScoringOptions")


class ScoreBatches(beam.PTransform):
    """PCollection of `ScoreBatch` -> PCollection of `ScoredBatch`, one for each, in any order.

    Args:
        load: how a worker comes to its scorer; a function of an importable module.
    """

    def __init__(self, options: ScoringOptions, load: LoadScorer = load_scorer) -> None:
        super().__init__()
        self._options = options
        self._load = load

    def expand(self, batches: beam.PCollection[ScoreBatch]) -> beam.PCollection[ScoredBatch]:
        """Wire the step; on Dataflow, with the hints that were asked for."""
        hints = hints_for(batches.pipeline.options, self._options.scorer.device)
        handler = ScorerHandler(self._options, self._load, hints)
        return batches | "RunInference" >> RunInference(handler)
