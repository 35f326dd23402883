"""Which samples a manifest's shards hold, read from the selection that the manifest names: columns only, no media."""

from __future__ import annotations

import io

import polars as pl

from curation.store import Store
from schemas.canonical import sha256_hex
from schemas.config_file import ConfigError
from schemas.manifest import Manifest
from schemas.records import Tier

_COLUMNS = (
    "sample_id",
    "source",
    "tier",
    "text_id",
    "stage1_weight_1e4",
    "stage2_weight_1e4",
    "shard_bucket",
    "media_sha256",
    "media_bytes",
    "duration_us",
)


def read_counted(store: Store, manifest: Manifest, path: str) -> bytes:
    """Return a file that a manifest stands on.

    Raises:
        ConfigError: it is not the one that the manifest names: the run was judged again since, or it is damaged.
    """
    wanted = manifest.files.get(path)
    found = store.read(path) if store.exists(path) else None
    if wanted is None or found is None or sha256_hex(found) != wanted:
        raise ConfigError(
            f"{path} is not the file that manifest version {manifest.version} stands on: the run was judged again "
            "since, or it is damaged; allowed: the newest version of a run that verifies; run `clipstrata build`"
        )
    return found


def selected(store: Store, manifest: Manifest) -> pl.DataFrame:
    """Return one row per sample in the shards, by source, tier and key.

    Columns: sample_id, source, tier, has_text, stage1_weight_1e4, stage2_weight_1e4, media_sha256, media_bytes,
    duration_us.

    Raises:
        ConfigError: the selection is not the manifest's, or does not hold as many samples as its shards.
    """
    paths = [path for path in sorted(manifest.files) if path.startswith("selection/") and path.endswith(".parquet")]
    frames = [
        pl.read_parquet(io.BytesIO(read_counted(store, manifest, path)), columns=list(_COLUMNS))
        .filter(pl.col("shard_bucket").is_not_null())
        .with_columns((pl.col("text_id").is_not_null() & (pl.col("tier") != Tier.VIDEO_ONLY.value)).alias("has_text"))
        .drop("text_id", "shard_bucket")
        for path in paths
    ]
    found = pl.concat(frames).sort("source", "tier", "sample_id") if frames else pl.DataFrame()
    promised = sum(shard.samples for shard in manifest.shards)
    if len(found) != promised:
        raise ConfigError(
            f"the selection puts {len(found)} samples into shards and manifest version {manifest.version} lists "
            f"{promised}; run `clipstrata verify`"
        )
    return found
