"""Manifests as literals, for what reads nothing but them."""

from __future__ import annotations

from schemas.manifest import Fingerprints, Manifest, ShardFacts, SourceFacts
from schemas.statistics import LedgerCounts

LEDGER = LedgerCounts(
    records_read=9,
    records_expanded=7,
    records_merged=0,
    records_rejected=2,
    samples_planned=7,
    samples_kept=7,
    samples_rejected=0,
    texts_kept=7,
    texts_dropped=0,
)


def shard(tier: str, source: str, bucket: int, samples: int, size: int = 10_240) -> ShardFacts:
    """Return the facts of a shard; its digest is made up of its bucket."""
    digest = f"{bucket:08x}" * 8
    return ShardFacts(
        path=f"shards/{tier}/{source}/tiny-{tier}-{source}-{bucket:06d}-{digest[:8]}.tar",
        tier=tier,
        source=source,
        bucket=bucket,
        bytes=size,
        sha256=digest,
        sidecar_sha256="d" * 64,
        samples=samples,
        duration_us=samples * 2_000_000,
    )


def source_facts(name: str, basis: str = "own") -> SourceFacts:
    """Return the facts of a source."""
    return SourceFacts(
        name=name,
        origin="noisy",
        licence="CC-BY-4.0",
        basis=basis,
        terms="https://example.org/terms",
        ledger=LEDGER,
        samples=7,
        samples_merged=0,
        samples_sharded=7,
    )


def manifest(*shards: ShardFacts, sources: tuple[SourceFacts, ...] = ()) -> Manifest:
    """Return a manifest of shards."""
    return Manifest(
        corpus="tiny",
        version=3,
        base=None,
        scorer="e" * 64,
        fingerprints=Fingerprints(ingest="a" * 64, judge="b" * 64, shard="c" * 64),
        sources=sources,
        weights_1e4={},
        plan=(),
        shards=shards,
        files={},
    )
