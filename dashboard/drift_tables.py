"""How two runs differ, on a terminal and as a table of the page."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from dashboard import tables
from schemas.drift import DRIFT_QUANTILES, BrokenLimit, Drift

QUANTILE_NAMES = tuple(f"p{round(100 * level)}" for level in DRIFT_QUANTILES)


def print_drift(console: Console, drift: Drift) -> None:
    """Print how far each source of both runs moved, and name the others."""
    distances = _table(
        f"{drift.corpus} against {drift.corpus_before}: scores of chosen texts",
        ("now", "before", "JS", "PSI", "KS", "trusted"),
    )
    shifts = _table("Shift of quantiles", QUANTILE_NAMES)
    for source in drift.sources:
        numbers = (f"{value:.4f}" for value in (source.js, source.psi, source.ks))
        trusted = "-" if source.trusted is None else f"{100 * source.trusted:+.1f} %"
        distances.add_row(source.source, f"{source.samples:,}", f"{source.samples_before:,}", *numbers, trusted)
        shifts.add_row(source.source, *(f"{shift / 10_000:+.3f}" for _, shift in source.quantiles_1e4))
    console.print(distances)
    console.print(shifts)
    console.print(_reject_table(drift))
    for names, words in ((drift.only_here, "only in this run"), (drift.only_before, "only in the other run")):
        if names:
            console.print(f"{words}: {', '.join(names)}")


def _reject_table(drift: Drift) -> Table:
    rejects = _table("Shift of rejected shares", ("records", "before", "rejected", "samples", "before", "rejected"))
    for found in drift.rejects:
        records = (f"{found.records:,}", f"{found.records_before:,}", f"{100 * found.records_rejected:+.1f} %")
        samples = (f"{found.samples:,}", f"{found.samples_before:,}", f"{100 * found.samples_rejected:+.1f} %")
        rejects.add_row(found.source, *records, *samples)
    return rejects


def _table(title: str, numbers: tuple[str, ...]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("source")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def print_broken(console: Console, broken: Sequence[BrokenLimit]) -> None:
    """Print the limits that were passed, or that none was."""
    if not broken:
        console.print("every limit holds")
        return
    table = _table("Limits that do not hold", ("limit", "measured", "allowed"))
    for limit in broken:
        table.add_row(limit.source, limit.limit, f"{limit.measured:.4f}", f"{limit.allowed:.4f}")
    console.print(table)


def drift_table(drift: Drift) -> tables.Table:
    """Return how far each source moved, for the page; a source that only one of the runs has says so."""
    columns = (
        tables.text_column("source", "Source"),
        tables.count_column("samples", "now", "Scores"),
        tables.count_column("samples_before", "then", "Scores"),
        tables.Column(key="js", label="JS", kind="distance", hint="Jensen-Shannon divergence: 0 equal, 1 apart"),
        tables.Column(
            key="psi", label="PSI", kind="distance", hint="population stability index over the other's tenths"
        ),
        tables.Column(key="ks", label="KS", kind="distance", hint="largest difference of cumulative shares"),
        *(tables.Column(key=name, label=name, kind="score", group="Shift of quantiles") for name in QUANTILE_NAMES),
        tables.text_column("note", "Note"),
    )
    rows: list[tuple[tables.Cell, ...]] = []
    for own in drift.sources:
        few = min(own.samples, own.samples_before) < tables.FEW_SCORES
        shifts = (shift / 10_000 for _, shift in own.quantiles_1e4)
        note = f"\u26a0 fewer than {tables.FEW_SCORES} scores: rough" if few else ""
        rows.append((own.source, own.samples, own.samples_before, own.js, own.psi, own.ks, *shifts, note))
    nothing = (None,) * (len(columns) - 2)
    rows += [(name, *nothing, "only in this run") for name in drift.only_here]
    rows += [(name, *nothing, "only in the other run") for name in drift.only_before]
    return tables.Table(name="drift", title="How far each source moved", columns=columns, rows=tuple(rows))
