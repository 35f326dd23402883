"""What a training will draw, before it starts: shares of sources and tiers, and what loaders that split shards do."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class PlaceShare(_Model):
    """One tier of one source in one training stage.

    Attributes:
        samples: those that can be drawn.
        share: of all samples drawn, 0 to 1; what is drawn by `clipstrata train` over many rounds.
        repeats: how often one of its samples is drawn, on average, in one epoch; an epoch has as many draws as the
            stage has samples.
    """

    source: str
    tier: str
    samples: int
    share: FiniteFloat
    repeats: FiniteFloat


class StageShares(_Model):
    """What one stage draws with one batch size.

    Attributes:
        samples: those that can be drawn.
        duration_us: their length.
        steps_per_epoch: batches with as many draws as there are samples, rounded up; 0 where nothing can be drawn.
        dropped_per_round: source -> draws of one round of it that fill no batch.
        left_out: reason -> samples that are never drawn, as `BatchPlan.left_out` names them.
        refused: why nothing can be drawn, or "".
        mixture: source -> its part of the steps, where that was said; None takes the sums of the samples' weights.
    """

    stage: Literal[1, 2]
    batch_size: int
    samples: int
    duration_us: int
    steps_per_epoch: int
    places: tuple[PlaceShare, ...]
    dropped_per_round: dict[str, int]
    left_out: dict[str, int]
    refused: str = ""
    mixture: dict[str, FiniteFloat] | None = None


class Span(_Model):
    """The least and the most of a number."""

    least: int
    most: int


class LoaderPlan(_Model):
    """One epoch over whole shards, dealt to loaders as `webdataset` and open_clip deal them: in turn.

    A training process gets every n-th shard, each of its loader workers every w-th of those. Which loader gets which
    shard changes where the list is shuffled first; the numbers here are of the manifest's order.

    Attributes:
        nodes, processes: machines, and training processes on each.
        loaders: loader workers of each process.
        batch: samples of one batch of one process.
        without_shard: loader workers that get no shard, of all.
        shards_per_loader, samples_per_loader, batches_per_process: least and most.
        steps: batches that every process has: what an epoch can be without one process waiting for another.
        samples_seen: in those steps, of all processes.
        dropped_in_part_batches: samples that fill no batch at the end of a loader.
        dropped_in_long_processes: samples of whole batches after the shortest process has ended.
        duration_us: of the samples seen, by their share of the whole.
    """

    nodes: int
    processes: int
    loaders: int
    batch: int
    shards: int
    samples: int
    without_shard: int
    shards_per_loader: Span
    samples_per_loader: Span
    batches_per_process: Span
    steps: int
    samples_seen: int
    dropped_in_part_batches: int
    dropped_in_long_processes: int
    duration_us: int


class TrainingPlan(_Model):
    """What `clipstrata plan-training` prints."""

    corpus: str
    version: int
    loaders: LoaderPlan
    stages: tuple[StageShares, ...]
