"""A sample that several units tell of, because its file stands under several locators, is judged as one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from curation.judging.repeats import Numbers, id_numbers
from curation.judging.rows import PAIR_SCHEMA, SAMPLE_SCHEMA, GroupRows

_UNIT, _TEXT = list(SAMPLE_SCHEMA).index("unit"), list(PAIR_SCHEMA).index("text_id")


@dataclass(frozen=True, kw_only=True)
class Telling:
    """What one unit tells of one sample: a row of `GroupRows.samples`, and rows of `GroupRows.pairs`.

    Plain rows: there are few of them, and they travel.
    """

    sample: tuple[Any, ...]
    pairs: tuple[tuple[Any, ...], ...]

    @property
    def unit(self) -> str:
        """The unit that tells it."""
        return str(self.sample[_UNIT])


def split_told(rows: GroupRows, numbers: Numbers) -> tuple[GroupRows, list[tuple[str, Telling]]]:
    """Return a group's rows without the samples of these numbers, and (sample id, telling) of those."""
    samples, told = _split(rows.samples, numbers)
    pairs, told_pairs = _split(rows.pairs, numbers)
    return GroupRows(samples=samples, pairs=pairs), list(_tellings(GroupRows(samples=told, pairs=told_pairs)))


def _split(frame: pl.DataFrame, numbers: Numbers) -> tuple[pl.DataFrame, pl.DataFrame]:
    found = pl.Series(np.isin(id_numbers(frame["sample_id"]), numbers), dtype=pl.Boolean)
    return frame.filter(~found), frame.filter(found)


def _tellings(rows: GroupRows) -> Iterator[tuple[str, Telling]]:
    texts: dict[tuple[str, str], list[tuple[Any, ...]]] = {}
    places = rows.pairs.select("sample_id", "unit").rows()
    for place, row in zip(places, rows.pairs.select(list(PAIR_SCHEMA)).rows(), strict=True):
        texts.setdefault(place, []).append(row)
    places = rows.samples.select("sample_id", "unit").rows()
    for place, row in zip(places, rows.samples.select(list(SAMPLE_SCHEMA)).rows(), strict=True):
        yield place[0], Telling(sample=row, pairs=tuple(texts.get(place, ())))


def merge_tellings(told: Sequence[Telling]) -> Telling:
    """Return one sample of all that tell of it.

    The unit with the smallest name gives the facts; texts are joined, each once, of the smallest unit that has it.
    """
    ordered = sorted(told, key=lambda telling: telling.unit)
    texts = {row[_TEXT]: row for telling in reversed(ordered) for row in telling.pairs}
    return Telling(sample=ordered[0].sample, pairs=tuple(texts[name] for name in sorted(texts)))


def rows_of(told: Sequence[Telling]) -> GroupRows:
    """Return tellings as the rows of a group, by sample id."""
    ordered = sorted(told, key=lambda telling: telling.sample)
    pairs = [row for telling in ordered for row in telling.pairs]
    return GroupRows(
        samples=pl.DataFrame([telling.sample for telling in ordered], schema=SAMPLE_SCHEMA, orient="row"),
        pairs=pl.DataFrame(pairs, schema=PAIR_SCHEMA, orient="row"),
    )
