"""An evaluation for people: a markdown table, or rows of plain text."""

from __future__ import annotations

from schemas.evaluation import Evaluation

_ABSENT = "-"
_GAP = "  "


def markdown_table(evaluation: Evaluation, *, summary_only: bool = False) -> str:
    """Return a table with a line for each measure and a column for chance and each encoder, values in percent.

    Args:
        summary_only: only the measures that stand for their group.
    """
    head, *body = _cells(evaluation, summary_only)
    rule = ["---", *["---:"] * (len(head) - 1)]
    escaped = [[cell.replace("|", "\\|") for cell in line] for line in (head, rule, *body)]
    return "".join(f"| {' | '.join(line)} |\n" for line in escaped)


def text_rows(evaluation: Evaluation, *, summary_only: bool = False) -> list[str]:
    """Return the same table as lines of equal columns, then the notes, one a line."""
    cells = _cells(evaluation, summary_only)
    widths = [max(len(line[column]) for line in cells) for column in range(len(cells[0]))]
    lines = []
    for first, *others in cells:
        aligned = [cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)]
        lines.append(_GAP.join([first.ljust(widths[0]), *aligned]).rstrip())
    return lines + [f"- {note}" for note in evaluation.notes]


def _cells(evaluation: Evaluation, summary_only: bool) -> list[list[str]]:
    """Lines of the table, the head first."""
    lines = [["measure, %", "chance", *[row.name for row in evaluation.rows]]]
    for measure in evaluation.measures:
        if summary_only and not measure.summary:
            continue
        values = [_percent(row.values.get(measure.name)) for row in evaluation.rows]
        lines.append([measure.title, _percent(measure.chance), *values])
    return lines


def _percent(share: float | None) -> str:
    return _ABSENT if share is None else f"{100 * share:.1f}"
