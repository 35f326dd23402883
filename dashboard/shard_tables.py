"""Whether a run's shards are of a size, and on the disk as the manifest says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rich.console import Console

from dashboard.tables import Cell, Column, Table, count_column, text_column
from schemas.manifest import Manifest, ShardFacts

AS_WRITTEN = "as written"
# Kind: tier, source and shape. A shard is out of line when its size is more than a tenth off the median of its kind.
OUTLIER_PARTS = 10

States = Mapping[str, str]


def shard_table(shards: Sequence[ShardFacts], states: States | None) -> Table:
    """Return one row per tier, source and shape: how many shards, of what sizes, and whether they are all there.

    Args:
        states: path -> what is wrong with the file; None where nobody looked.
    """
    columns = (
        Column(key="tier", label="Tier", kind="tier"),
        text_column("source", "Source"),
        *((text_column("shape", "Shape"),) if _is_split(shards) else ()),
        count_column("shards", "Shards"),
        count_column("samples", "Samples"),
        Column(key="hours", label="Hours", kind="hours"),
        Column(key="bytes", label="Bytes", kind="bytes"),
        Column(key="smallest", label="smallest", kind="bytes", group="Shard"),
        Column(key="median", label="median", kind="bytes", group="Shard"),
        Column(key="largest", label="largest", kind="bytes", group="Shard"),
        count_column("fewest", "fewest", "Samples of a shard"),
        count_column("most", "most", "Samples of a shard"),
        count_column("outliers", "Off by > 10 %", hint="bytes, from the median of the tier and source"),
        Column(key="state", label="Files", kind="check", hint="there, and of the size that the manifest says"),
    )
    rows: list[tuple[Cell, ...]] = []
    for (tier, source, shape), own in _by_kind(shards):
        sizes = sorted(shard.bytes for shard in own)
        samples = [shard.samples for shard in own]
        sums = (sum(samples), sum(shard.duration_us for shard in own) / 3.6e9, sum(sizes))
        spread = (sizes[0], _median(own), sizes[-1], min(samples), max(samples))
        outliers = sum(_is_outlier(shard, own) for shard in own)
        place = (tier, source, shape) if _is_split(shards) else (tier, source)
        rows.append((*place, len(own), *sums, *spread, outliers, _state(own, states)))
    return Table(name="shards", title="Shards", columns=columns, rows=tuple(rows))


def outlier_table(shards: Sequence[ShardFacts], states: States | None) -> Table:
    """Return the shards that are out of line or not as the manifest says, the furthest off first."""
    columns = (
        text_column("path", "Shard"),
        Column(key="tier", label="Tier", kind="tier"),
        text_column("source", "Source"),
        count_column("samples", "Samples"),
        Column(key="bytes", label="Bytes", kind="bytes"),
        Column(key="deviation", label="From the median", kind="share"),
        Column(key="state", label="File", kind="check"),
    )
    found: list[tuple[float, tuple[Cell, ...]]] = []
    for _, own in _by_kind(shards):
        for shard in own:
            deviation, state = _deviation(shard, own), _state([shard], states)
            if _is_outlier(shard, own) or state not in (None, AS_WRITTEN):
                facts = (shard.path, shard.tier, shard.source, shard.samples, shard.bytes)
                found.append((-abs(deviation), (*facts, round(deviation, 6), state)))
    title = "Shards out of line"
    return Table(
        name="shard_outliers", title=title, columns=columns, rows=tuple(row for _, row in sorted(found, key=_furthest))
    )


def print_shards(console: Console, manifest: Manifest) -> None:
    """Print how many shards a version has, and how evenly samples lie in them."""
    total_mb = sum(shard.bytes for shard in manifest.shards) / 1e6
    console.print(f"{len(manifest.shards)} shards, {total_mb:.1f} MB, manifest version {manifest.version}")
    spread = sample_spread(manifest.shards)
    if spread is not None:
        share, shard = spread
        console.print(
            f"samples per shard: at most {100 * share:.1f} % from the mean of their kind "
            f"({shard.samples:,} in {shard.path.rsplit('/', 1)[1]})",
            soft_wrap=True,
        )


def sample_spread(shards: Sequence[ShardFacts]) -> tuple[float, ShardFacts] | None:
    """Return the largest share by which a shard's samples differ from the mean of its kind, and the shard.

    A kind is a tier, source and shape; None where none has two shards. Buckets are prefixes of hashes, so of n samples
    a shard it is about 3 / sqrt(n) at the most.
    """
    found = [
        (abs(shard.samples * len(own) / sum(one.samples for one in own) - 1), shard)
        for _, own in _by_kind(shards)
        if len(own) > 1
        for shard in own
    ]
    return max(found, key=lambda pair: (pair[0], pair[1].path), default=None)


def _furthest(found: tuple[float, tuple[Cell, ...]]) -> tuple[float, str]:
    return found[0], str(found[1][0])


def _is_split(shards: Sequence[ShardFacts]) -> bool:
    return any(shard.shape for shard in shards)


def _by_kind(shards: Sequence[ShardFacts]) -> list[tuple[tuple[str, str, str], list[ShardFacts]]]:
    groups: dict[tuple[str, str, str], list[ShardFacts]] = {}
    for shard in shards:
        groups.setdefault((shard.tier, shard.source, shard.shape), []).append(shard)
    return sorted(groups.items())


def _median(shards: Sequence[ShardFacts]) -> int:
    return sorted(shard.bytes for shard in shards)[len(shards) // 2]


def _is_outlier(shard: ShardFacts, own: Sequence[ShardFacts]) -> bool:
    middle = _median(own)
    return abs(shard.bytes - middle) * OUTLIER_PARTS > middle


def _deviation(shard: ShardFacts, own: Sequence[ShardFacts]) -> float:
    middle = _median(own)
    return shard.bytes / middle - 1 if middle else 0.0


def _state(shards: Sequence[ShardFacts], states: States | None) -> str | None:
    if states is None:
        return None
    wrong = [states[shard.path] for shard in shards if shard.path in states]
    counts = [f"{wrong.count(state)} {state}" if len(shards) > 1 else state for state in sorted(set(wrong))]
    return ", ".join(counts) or AS_WRITTEN
