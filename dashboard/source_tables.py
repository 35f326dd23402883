"""What `clipstrata sources` and `clipstrata sources check` print for a person."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from schemas.source_check import FormatFacts, SourceCheck

SEEN = {None: "", True: "yes", False: "no, from its description"}


def print_formats(console: Console, formats: Sequence[FormatFacts]) -> None:
    """Print every format."""
    columns = ("name", "what", "rows in", "texts", "real file read", "shown by")
    table = _table("Formats of sources", *columns, whole_names=True)
    for facts in formats:
        kinds = "any" if facts.seen is None else ", ".join(facts.text_kinds)
        _row(table, facts.name, facts.title, facts.container, kinds, SEEN[facts.seen], facts.cites)
    console.print(table)


def print_check(console: Console, check: SourceCheck) -> None:
    """Print what a file holds; nothing of it is read as markup."""
    console.print(_render(check))


def _render(check: SourceCheck) -> RenderableType:
    stopped = ", stopped there" if check.stopped else ""
    counts = (
        f"{check.location} as {check.format}: {check.files} file(s), {check.rows} rows{stopped} = "
        f"{check.records} records + {check.rejects} rejects; {check.whole} records mean the whole video"
    )
    parts: list[RenderableType] = [Text(counts)]
    texts = ", ".join(f"{count} {kind}" for kind, count in check.texts.items()) or "none"
    dropped = "".join(f"; dropped {count} {what}" for what, count in check.dropped_texts.items())
    parts.append(Text(f"texts: {texts}{dropped}"))
    if check.columns:
        shown = ", ".join(check.columns[:40]) + (
            f" and {len(check.columns) - 40} more" if len(check.columns) > 40 else ""
        )
        parts.append(Text(f"columns: {shown}"))
    if check.mapping is not None:
        parts += [
            Text("read with, and for the corpus file:"),
            *(Text(f"    {line}") for line in check.mapping.as_yaml()),
        ]
    return Group(*parts, *_rows(check), *_problems(check))


def _rows(check: SourceCheck) -> list[RenderableType]:
    if not check.first:
        return []
    table = _table("First rows as understood", "locator", "span", "texts")
    for row in check.first:
        _row(
            table,
            row.locator,
            _span(row.start_us, row.end_us),
            "\n".join(f"{kind}: {text}" for kind, text in row.texts),
        )
    return [table]


def _problems(check: SourceCheck) -> list[RenderableType]:
    if not check.problems:
        return []
    table = _table("Rejects by reason", "reason", "rows", "the first of them")
    for problem in check.problems:
        _row(table, problem.reason, problem.rows, "\n".join(problem.first))
    return [table]


def _span(start_us: int | None, end_us: int | None) -> str:
    if start_us is None and end_us is None:
        return "whole"
    return f"{_seconds(start_us, 'start')} to {_seconds(end_us, 'end')}"


def _seconds(time_us: int | None, absent: str) -> str:
    return absent if time_us is None else f"{time_us / 1e6:g} s"


def _table(title: str, *columns: str, whole_names: bool = False) -> Table:
    # As Text, because a plain str here would be read as markup.
    table = Table(title=Text(title, style="bold"), title_justify="left", expand=False)
    for position, column in enumerate(columns):
        table.add_column(Text(column), overflow="fold", no_wrap=whole_names and position == 0)
    return table


def _row(table: Table, *cells: object) -> None:
    table.add_row(*(Text(str(cell)) for cell in cells))
