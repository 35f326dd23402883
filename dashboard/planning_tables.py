"""What a training will draw, as tables for a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.console import Console
from rich.table import Table
from rich.text import Text

from schemas.planning import LoaderPlan, StageShares, TrainingPlan

HOUR_US = 3_600_000_000


def print_plan(console: Console, plan: TrainingPlan) -> None:
    """Print the loaders' epoch, then what each stage draws."""
    found = plan.loaders
    title = f"{plan.corpus}, version {plan.version}: an epoch over whole shards"
    console.print(_table(title, ("what", "number"), loader_rows(found)))
    for line in loader_warnings(found):
        console.print(Text(line))
    print_shares(console, plan.stages)


def loader_rows(found: LoaderPlan) -> Iterable[tuple[object, ...]]:
    """Yield (what, number) of an epoch over whole shards."""
    workers = found.nodes * found.processes * found.loaders
    yield "nodes x processes x loaders", f"{found.nodes} x {found.processes} x {found.loaders} = {workers}"
    yield "shards, samples", f"{found.shards}, {found.samples}"
    yield "loaders without a shard", found.without_shard
    for name, span in (
        ("shards of a loader", found.shards_per_loader),
        ("samples of a loader", found.samples_per_loader),
        ("batches of a process", found.batches_per_process),
    ):
        yield f"{name}, least to most", f"{span.least} to {span.most}"
    yield f"steps that every process has, {found.batch} samples each", found.steps
    hours = found.duration_us / HOUR_US
    yield (
        "samples seen, their hours",
        f"{found.samples_seen} ({_share(found.samples_seen, found.samples)}), {hours:.3f}",
    )
    yield "dropped: fill no batch", found.dropped_in_part_batches
    yield "dropped: after the shortest process ended", found.dropped_in_long_processes


def loader_warnings(found: LoaderPlan) -> Iterable[str]:
    """Yield what stops or starves a training dealt like this."""
    workers = found.nodes * found.processes * found.loaders
    ranks = found.nodes * found.processes
    if found.without_shard:
        most = found.shards // ranks
        mend = f"start at most {most} per process, or" if most else "there are fewer shards than processes:"
        yield (
            f"{found.without_shard} of {workers} loaders get no shard: {mend} make shards smaller (shards.max_samples "
            "in the corpus file)"
        )
    if not found.steps:
        yield "a process has no whole batch, so an epoch that all processes share has no step: make batches smaller"


def print_shares(console: Console, stages: Iterable[StageShares]) -> None:
    """Print the effective sample shares of stages."""
    for own in stages:
        title = f"Stage {own.stage}: what `clipstrata train` draws, batches of {own.batch_size}"
        columns = ("source", "tier", "samples", "share of draws", "each drawn per epoch")
        rows = [(one.source, one.tier, one.samples, f"{one.share:.2%}", f"{one.repeats:.3f}") for one in own.places]
        console.print(_table(title, columns, rows, numbers_from=2))
        hours = own.duration_us / HOUR_US
        console.print(Text(f"  {own.samples} samples, {hours:.3f} hours, {own.steps_per_epoch} steps an epoch"))
        for name, count in sorted(own.dropped_per_round.items()):
            if count:
                console.print(Text(f"  {name}: {count} draws of each round fill no batch"))
        for reason, count in sorted(own.left_out.items()):
            console.print(Text(f"  never drawn: {count} {reason}"))
        if own.refused:
            console.print(Text(f"  {own.refused}"))


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.1%}" if whole else "-"


def _table(title: str, columns: Iterable[str], rows: Iterable[Iterable[object]], numbers_from: int = 1) -> Table:
    # As Text, because a plain str here would be read as markup.
    table = Table(title=Text(title, style="bold"), title_justify="left", title_style="bold", expand=False)
    for position, column in enumerate(columns):
        table.add_column(Text(column), justify="right" if position >= numbers_from else "left")
    for row in rows:
        table.add_row(*(Text(str(cell)) for cell in row))
    return table
