"""What a build will cost, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.costs import BuildPlan, CostModel, FleetRow


def print_costs(console: Console, plan: BuildPlan, model: CostModel) -> None:
    """Print stages, storage and limits; and whose rates these are."""
    title = f"{plan.corpus}: {plan.workload.clips:,.0f} clips on {plan.machines} machines of {plan.cores} cores"
    columns = ("stage", "core hours", "hours there", "GB shuffled", "money")
    console.print(_table(title, columns, [_stage_row(plan, number) for number in range(len(plan.stages))]))
    if plan.gpu_hours is not None:
        console.print(Text(f"  scoring on the accelerator: {plan.gpu_hours:,.1f} hours of one"))
    rows = [(name, _number(own_gb)) for name, own_gb in plan.storage_gb.items()]
    console.print(_table("What it stores", ("what", "GB"), [*rows, ("all", _number(sum(plan.storage_gb.values())))]))
    console.print(Text(f"  {plan.units:,} units, {plan.shards:,} shards"))
    limits = [
        (own.what, _number(own.value), _number(own.limit), own.mend if own.is_over else "") for own in plan.limits
    ]
    title = f"Limits: {sum(own.is_over for own in plan.limits)} of {len(limits)} are passed"
    console.print(_table(title, ("what", "here", "limit", "passed: what to do"), limits))
    shares = ", ".join(f"{name} {share:.2f}x" for name, share in model.held_out.items())
    console.print(Text(f"  rates: {model.machine}, {model.measured}, predicted over measured: {shares}"))
    console.print(Text(f"  amounts: {plan.basis}"))


def _stage_row(plan: BuildPlan, number: int) -> tuple[str, ...]:
    own = plan.stages[number]
    money = "-" if own.money is None else f"{own.money:,.2f}"
    return own.stage, _number(own.core_hours), _number(own.wall_hours), _number(own.shuffled_gb), money


def _number(value: float) -> str:
    """Return a number with about three digits, and none behind the point where it is large."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def print_fleets(console: Console, rows: Sequence[FleetRow]) -> None:
    """Print what fleets of several sizes make of the ingest."""
    columns = ("workers", "hours", "busy", "worker hours lost", "last ones idle, minutes", "")
    cells = [
        (
            f"{own.workers:,}",
            _number(own.wall_hours),
            f"{own.busy_share:.0%}",
            f"{own.lost_hours:,.1f}",
            f"{own.tail_minutes:,.0f}",
            "a unit failed four times" if own.failed else "",
        )
        for own in rows
    ]
    console.print(_table("The ingest on workers that are lost now and then (simulated)", columns, cells))


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[str]]) -> Table:
    table = Table(title=Text(title, style="bold"), title_justify="left", title_style="bold", expand=False)
    for position, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if position else "left")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    return table
