"""The clips behind a run's numbers, with their texts: read for a page, never for a job."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from curation.store import Store
from schemas.arrow import EXAMPLES, read_rows
from schemas.examples import Example, ExampleText
from schemas.run import EXAMPLES_PARQUET, part_path, score_part_path

# What a page shows of a text, and of a sample.
SHOWN_CHARS = 400
SHOWN_TEXTS = 6
# Units that are read at once.
READERS = 8

Row = Mapping[str, Any]


def read_examples(store: Store, scoring: str, aggregation: str, most: int) -> list[Example]:
    """Return a run's examples, at most so many, shared out as `share_out` does.

    Args:
        scoring, aggregation: whose scores stand beside the texts.
    """
    rows = share_out(read_rows(store.read(EXAMPLES_PARQUET), EXAMPLES), most)
    by_unit: dict[str, dict[str, str | None]] = {}
    for row in rows:
        by_unit.setdefault(row["unit"], {})[row["sample_id"]] = row["text_id"]
    texts = read_shown_texts(store, by_unit, scoring, aggregation)
    return [_example(row, texts[row["unit"]].get(row["sample_id"], [])) for row in rows]


def read_shown_texts(
    store: Store, chosen: Mapping[str, Mapping[str, str | None]], scoring: str, aggregation: str
) -> dict[str, dict[str, list[ExampleText]]]:
    """Return unit -> sample -> its texts as a page shows them, the chosen one first, then by score.

    Args:
        chosen: unit -> sample -> the text that stands for it.
    """
    # In a large run nearly every sample lies in a unit of its own: what takes time is waiting for files.
    with ThreadPoolExecutor(READERS) as readers:
        read = readers.map(lambda unit: _texts_of_unit(store, unit, chosen[unit], scoring, aggregation), chosen)
        return dict(zip(chosen, read, strict=True))


def share_out(rows: Sequence[Row], most: int) -> list[Row]:
    """Return at most so many rows, in their order.

    Every source may have as many; what one does not need, the others share. Of a source every place (a bin, a cut, ...)
    gives its first row before any gives its second; where only some of the places can give one more, they are spread
    evenly over the source's places.

    Args:
        rows: of the table `examples`, by source, place and bin.
    """
    by_source: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        by_source.setdefault(row["source"], []).append(number)
    chosen: list[int] = []
    left = most
    # The smallest source first: what it leaves over is there for the others.
    ordered = sorted(by_source.values(), key=len)
    for place, numbers in enumerate(ordered):
        own = _spread(rows, numbers, min(len(numbers), left // (len(ordered) - place)))
        chosen += own
        left -= len(own)
    return [rows[number] for number in sorted(chosen)]


def _spread(rows: Sequence[Row], numbers: Sequence[int], most: int) -> list[int]:
    """Return so many of a source's row numbers, rank by rank."""
    ranks: dict[tuple[str, int | None], int] = {}
    by_rank: dict[int, list[int]] = {}
    for number in numbers:
        place = (rows[number]["place"], rows[number]["bin"])
        ranks[place] = ranks.get(place, 0) + 1
        by_rank.setdefault(ranks[place], []).append(number)
    found: list[int] = []
    for rank in sorted(by_rank):
        own, room = by_rank[rank], most - len(found)
        found += own if len(own) <= room else [own[turn * len(own) // room] for turn in range(room)]
    return found


def _texts_of_unit(
    store: Store, unit: str, chosen: Mapping[str, str | None], scoring: str, aggregation: str
) -> dict[str, list[ExampleText]]:
    """Return sample -> its texts, the chosen one first, then by score."""
    texts = _rows_of(store, part_path("texts", unit), chosen, ("sample_id", "text_id", "kind", "text"))
    columns = ("sample_id", "text_id", "aggregation", "score_1e4")
    scores = {
        row["text_id"]: row["score_1e4"]
        for row in _rows_of(store, score_part_path("scores", scoring, unit), chosen, columns)
        if row["aggregation"] == aggregation
    }
    found: dict[str, list[ExampleText]] = {}
    for row in texts:
        text = ExampleText(
            kind=row["kind"],
            text=row["text"][:SHOWN_CHARS],
            score_1e4=scores.get(row["text_id"]),
            chosen=row["text_id"] == chosen[row["sample_id"]],
        )
        found.setdefault(row["sample_id"], []).append(text)
    return {sample: sorted(own, key=shown_order)[:SHOWN_TEXTS] for sample, own in found.items()}


def shown_order(text: ExampleText) -> tuple[bool, bool, int, str]:
    """Return what texts are sorted by: the chosen one, then the others by score, those without one last."""
    return not text.chosen, text.score_1e4 is None, -(text.score_1e4 or 0), text.text


def _rows_of(store: Store, path: str, samples: Iterable[str], columns: tuple[str, ...]) -> list[dict[str, Any]]:
    with store.open(path) as file:
        table = pq.ParquetFile(file).read(columns=list(columns))
    wanted = pc.is_in(table["sample_id"], value_set=pa.array(sorted(samples)))
    return list(table.filter(wanted).to_pylist())


def _example(row: Row, texts: list[ExampleText]) -> Example:
    names = [name for name in Example.model_fields if name != "texts"]
    return Example(**{name: row[name] for name in names}, texts=tuple(texts))
