"""A summary of sources by type, hours and domains, as public summaries of training content ask for it: counts alone."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from urllib.parse import urlsplit

import polars as pl
from pydantic import BaseModel, ConfigDict

from curation.store import Store
from schemas.canonical import canonical_json
from schemas.corpus import CorpusConfig
from schemas.manifest import Manifest

# Of each source by hours; all others are added up under the last name.
SHOWN_DOMAINS = 20
OTHER_DOMAINS = "(other domains)"
LOCAL_FILES = "(files)"
UNKNOWN = "(unknown)"
_BUCKETS = ("s3", "gs")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceType(_Model):
    """All sources of one origin, format and kinds of text."""

    origin: str
    format: str
    text_kinds: tuple[str, ...]
    sources: tuple[str, ...]
    samples: int
    duration_us: int


class DomainHours(_Model):
    """What of a source lies at one domain."""

    source: str
    domain: str
    samples: int
    duration_us: int


class SourcesSummary(_Model):
    """`sources.json`: samples in the shards of one manifest version."""

    schema_name: str = "clipstrata.sources/1"
    corpus: str
    version: int
    types: tuple[SourceType, ...]
    domains: tuple[DomainHours, ...]

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)


def domain_of(locator: str) -> str:
    """Return the host of an address, `s3://bucket` of one in a bucket, or `(files)`."""
    parts = urlsplit(locator) if "://" in locator else None
    if parts is None or parts.scheme == "file":
        return LOCAL_FILES
    host = (parts.hostname or UNKNOWN).removeprefix("www.")
    return f"{parts.scheme}://{host}" if parts.scheme in _BUCKETS else host


def read_locators(store: Store, paths: Iterable[str]) -> pl.DataFrame:
    """Return sample_id and domain of every sample of the units' parts: two columns are read, nothing else."""
    frames = [
        pl.read_parquet(io.BytesIO(store.read(path)), columns=["sample_id", "locator"])
        .with_columns(pl.col("locator").map_elements(domain_of, return_dtype=pl.String).alias("domain"))
        .drop("locator")
        for path in paths
    ]
    empty = pl.DataFrame(schema={"sample_id": pl.String, "domain": pl.String})
    # A sample that two units tell of has one row: the lesser name, whatever the order of the parts.
    return pl.concat([empty, *frames]).group_by("sample_id").agg(pl.col("domain").min())


def sources_summary(
    manifest: Manifest, config: CorpusConfig, samples: pl.DataFrame, locators: pl.DataFrame
) -> SourcesSummary:
    """Return the summary.

    Args:
        samples: those in the shards, as `selected` gives them.
        locators: as `read_locators` gives them; samples that it lacks are of an unknown domain.
    """
    joined = samples.join(locators, on="sample_id", how="left").with_columns(pl.col("domain").fill_null(UNKNOWN))
    return SourcesSummary(
        corpus=manifest.corpus,
        version=manifest.version,
        types=tuple(_types(manifest, config, samples)),
        domains=tuple(_domains(joined)),
    )


def _types(manifest: Manifest, config: CorpusConfig, samples: pl.DataFrame) -> Iterable[SourceType]:
    known = {source.name: source for source in config.sources}
    totals = samples.group_by("source").agg(pl.len(), pl.col("duration_us").sum())
    counted = {name: (count, duration_us) for name, count, duration_us in totals.iter_rows()}
    kinds: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for source in manifest.sources:
        own = known.get(source.name)
        texts = () if own is None else tuple(sorted(kind.value for kind in own.text_kinds))
        kinds.setdefault((source.origin, own.format if own else UNKNOWN, texts), []).append(source.name)
    for (origin, form, texts), names in sorted(kinds.items()):
        found = [counted.get(name, (0, 0)) for name in names]
        yield SourceType(
            origin=origin,
            format=form,
            text_kinds=texts,
            sources=tuple(sorted(names)),
            samples=sum(count for count, _ in found),
            duration_us=sum(duration_us for _, duration_us in found),
        )


def _domains(joined: pl.DataFrame) -> Iterable[DomainHours]:
    sums = joined.group_by("source", "domain").agg(pl.len().alias("samples"), pl.col("duration_us").sum())
    ordered = sums.sort(["source", "duration_us", "domain"], descending=[False, True, False])
    for _, own in ordered.group_by("source", maintain_order=True):
        rows = [
            DomainHours(source=source, domain=domain, samples=count, duration_us=duration_us)
            for source, domain, count, duration_us in own.iter_rows()
        ]
        yield from rows[:SHOWN_DOMAINS]
        if rows[SHOWN_DOMAINS:]:
            yield _added(rows[SHOWN_DOMAINS:])


def _added(rows: Sequence[DomainHours]) -> DomainHours:
    return DomainHours(
        source=rows[0].source,
        domain=OTHER_DOMAINS,
        samples=sum(row.samples for row in rows),
        duration_us=sum(row.duration_us for row in rows),
    )
