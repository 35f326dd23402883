"""What differs between two versions of a run's shards, on a terminal."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from schemas.versions import VersionDiff


def print_diff(console: Console, diff: VersionDiff) -> None:
    """Print shards and samples by tier and source, and what else differs."""
    table = Table(title=f"Version {diff.before} to version {diff.after}", title_justify="left")
    for name in ("tier", "source"):
        table.add_column(name)
    for name in ("shards kept", "written", "gone", "MB written", "samples added", "removed"):
        table.add_column(name, justify="right", no_wrap=True)
    for place in diff.places:
        shards = (f"{place.shards_kept:,}", f"{place.shards_written:,}", f"{place.shards_gone:,}")
        samples = (f"{place.added:,}", f"{place.removed:,}")
        table.add_row(place.tier, place.source, *shards, f"{place.bytes_written / 1e6:,.1f}", *samples)
    console.print(table)
    console.print(f"samples under another tier or source: {diff.moved:,}")
    for name, (before, after) in sorted(diff.changed.items()):
        console.print(f"{name}: {before} -> {after}", markup=False)
