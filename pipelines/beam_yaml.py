"""Transforms for Beam YAML, as `deploy/beam-yaml/providers.yaml` offers them: rows in, rows out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, get_type_hints

import apache_beam as beam
from apache_beam import typehints
from apache_beam.typehints.row_type import RowTypeConstraint
from apache_beam.typehints.schemas import named_fields_from_element_type

from curation.stores import open_store
from curation.texts import clean_text, text_facts
from schemas.arrow import SELECTION, read_rows
from schemas.corpus import TextLimits
from schemas.reasons import Reason
from schemas.records import Selection, Tier

# Beam takes `str | None` for anything at all in a row's type.
_TEXT, _NUMBER = typehints.Optional[str], typehints.Optional[int]
_ROW_TYPES = {str: str, int: int, str | None: _TEXT, int | None: _NUMBER}
_FACTS = (("language", _TEXT), ("words", _NUMBER), ("nouns", _NUMBER), ("verbs", _NUMBER))


class ReadSelection(beam.PTransform):
    """The selection of a judged run, one row for each sample, with the columns of docs/run-folder.md.

    Args:
        run: the run's folder.
        tiers: leave out samples of other tiers; default: none are left out.
        sharded: leave out samples that a rule or a duplicate's keeper keeps out of the shards.
    """

    def __init__(self, run: str, tiers: Sequence[str] | None = None, sharded: bool = True) -> None:
        super().__init__()
        unknown = sorted(set(tiers or ()) - {tier.value for tier in Tier})
        if unknown:
            raise ValueError(f"tiers are {unknown}; allowed: {', '.join(Tier)}")
        self._run, self._sharded = run, sharded
        self._tiers = frozenset(tiers or [tier.value for tier in Tier])

    def expand(self, begin: beam.pvalue.PBegin) -> beam.PCollection[beam.Row]:
        """Wire the step; names of files are shuffled."""
        told = get_type_hints(Selection)
        fields = [(name, _ROW_TYPES[told[name]]) for name in SELECTION.names]
        return (
            begin
            | "Run" >> beam.Create([self._run])
            | "FindParts" >> beam.FlatMap(selection_parts)
            | "Spread" >> beam.Reshuffle()
            | "ReadRows" >> beam.FlatMap(self._rows).with_output_types(RowTypeConstraint.from_fields(fields))
        )

    def _rows(self, part: str) -> Iterator[beam.Row]:
        for row in read_rows(open_store(self._run).read(part), SELECTION):
            if row["tier"] in self._tiers and (row["shard_bucket"] is not None or not self._sharded):
                yield beam.Row(**row)


def selection_parts(run: str) -> list[str]:
    """Return the paths of a run's selection.

    Raises:
        FileNotFoundError: there is none.
    """
    found = [path for path in open_store(run).list("selection") if path.endswith(".parquet")]
    if not found:
        raise FileNotFoundError(f"run is {run}: it holds no selection; allowed: a judged run (`clipstrata build`)")
    return found


class CleanText(beam.PTransform):
    """Rows with a text -> the same rows with the text cleaned as an ingest cleans it, and what it is like.

    A row whose text is dropped stays: `clean_text` is null then, and `text_dropped` says why.

    Args:
        field: which column holds the text.
        max_bytes: a longer text is dropped.
        markup: the text was written for a page: HTML is taken out of it first.
    """

    def __init__(self, field: str, max_bytes: int = TextLimits().max_bytes, markup: bool = False) -> None:
        super().__init__()
        self._field, self._max_bytes, self._markup = field, max_bytes, markup

    def expand(self, rows: beam.PCollection[beam.Row]) -> beam.PCollection[beam.Row]:
        """Wire the step."""
        before = named_fields_from_element_type(rows.element_type)
        if self._field not in dict(before):
            raise ValueError(f"field is {self._field!r}; allowed: {', '.join(name for name, _ in before)}")
        fields = [*before, ("clean_text", _TEXT), ("text_dropped", _TEXT), *_FACTS]
        return rows | "Clean" >> beam.Map(self._clean).with_output_types(RowTypeConstraint.from_fields(fields))

    def _clean(self, row: Any) -> beam.Row:
        known = row._asdict()
        text = clean_text(known[self._field], self._max_bytes, markup=self._markup)
        if isinstance(text, Reason):
            nothing = dict.fromkeys(name for name, _ in _FACTS)
            return beam.Row(**known, clean_text=None, text_dropped=text.value, **nothing)
        facts = vars(text_facts(text))
        return beam.Row(**known, clean_text=text, text_dropped=None, **{name: facts[name] for name, _ in _FACTS})
