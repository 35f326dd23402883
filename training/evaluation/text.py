"""Evaluations as a markdown table."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from schemas.evaluation import Evaluation, Measure

_ABSENT = "-"


def markdown_table(evaluations: Sequence[Evaluation]) -> str:
    """Return a table with a line for each measure and a column for chance and each encoder, values in percent.

    Args:
        evaluations: of the same measures and encoders, one for each seed. Of several, a value is their mean and the
            sample standard deviation.

    Raises:
        ValueError: there is none, or they differ in measures or encoders.
    """
    if not evaluations:
        raise ValueError("evaluations is empty; allowed: at least one; give the evaluation of one seed or more")
    first = evaluations[0]
    names = [row.name for row in first.rows]
    for other in evaluations[1:]:
        if [row.name for row in other.rows] != names or other.measures != first.measures:
            raise ValueError("evaluations differ in measures or encoders; allowed: one suite over several seeds")
    lines = [["measure, %", "chance", *names], ["---", *["---:"] * (len(names) + 1)]]
    for measure in first.measures:
        cells = [_cell(evaluations, place, measure) for place in range(len(names))]
        lines.append([measure.title, _percent(measure.chance), *cells])
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _cell(evaluations: Sequence[Evaluation], place: int, measure: Measure) -> str:
    found = [evaluation.rows[place].values.get(measure.name) for evaluation in evaluations]
    values = [value for value in found if value is not None]
    if not values:
        return _ABSENT
    spread = f" ± {_percent(statistics.stdev(values))}" if len(values) > 1 else ""
    return _percent(statistics.mean(values)) + spread


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"
