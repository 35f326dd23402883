"""From a run's shards to batches: checked shards, samples, frames, a decoded cache and an order that needs no state."""

from curation.shard_reading import ShardDamaged, ShardMissing, ShardOffContract, ShardRefused, ShardSample
from training.data.augment import AugmentOptions, augmented
from training.data.batches import (
    Batch,
    BatchOptions,
    BatchPlan,
    ClipBatch,
    NothingToTrainOn,
    SourceTooSmall,
    clip_batch,
    plan_batches,
)
from training.data.cache import CachedSample, CacheRefused, DecodedCache, ensure_cache, open_cache, write_cache
from training.data.feeds import Ahead, StreamFeed, SyntheticFeed
from training.data.frames import ClipRefused, frame_indices, read_frames
from training.data.shards import ManifestRefused, manifest_digest, read_run_manifest, shard_samples
from training.data.stream import SampleStream, ShardIndex, StreamBatch, StreamOptions, read_index
from training.data.workers import DecodeWorkers, WorkerOptions

__all__ = [
    "Ahead",
    "AugmentOptions",
    "Batch",
    "BatchOptions",
    "BatchPlan",
    "CacheRefused",
    "CachedSample",
    "ClipBatch",
    "ClipRefused",
    "DecodeWorkers",
    "DecodedCache",
    "ManifestRefused",
    "NothingToTrainOn",
    "SampleStream",
    "ShardDamaged",
    "ShardIndex",
    "ShardMissing",
    "ShardOffContract",
    "ShardRefused",
    "ShardSample",
    "SourceTooSmall",
    "StreamBatch",
    "StreamFeed",
    "StreamOptions",
    "SyntheticFeed",
    "WorkerOptions",
    "augmented",
    "clip_batch",
    "ensure_cache",
    "frame_indices",
    "manifest_digest",
    "open_cache",
    "plan_batches",
    "read_frames",
    "read_index",
    "read_run_manifest",
    "shard_samples",
    "write_cache",
]
