"""Groups of rows from samples told in plain Python."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from curation.judging.rows import PAIR_SCHEMA, SAMPLE_SCHEMA, GroupRows
from curation.scoring import AGGREGATIONS
from tests.curation.judging.reference import Text, Told


def text(name: str, score: int, **changes: object) -> Text:
    """Return a text with one score under every aggregation."""
    return Text(**{"text_id": name, "scores": dict.fromkeys(AGGREGATIONS, score), **changes})


def told(name: str = "a", *texts: Text, **changes: object) -> Told:
    """Return a sample; its id is 26 times one letter."""
    facts = {"sample_id": name * 26, "source": "web", "unit": "u0", "video": "0" * 64, "media": "0" * 64}
    return Told(**{**facts, "texts": texts, **changes})


def group_rows(samples: Sequence[Told]) -> GroupRows:
    """Return the rows of a group."""
    rows = [
        (
            *(one.sample_id, one.source, one.unit, one.video, one.media),
            # Equal files show the same; the picture's size is that of the made-up run.
            *(one.media_bytes, one.media, 512, 288, one.duration_us, one.flow, one.static, one.black),
            one.text_area,
        )
        for one in samples
    ]
    pairs = [
        (
            *(one.sample_id, one.unit, own.text_id, own.kind, own.offset_us, own.tokens_cut),
            *(*(own.scores[name] for name in AGGREGATIONS), own.words, own.language, None),
        )
        for one in samples
        for own in one.texts
    ]
    return GroupRows(
        samples=pl.DataFrame(rows, schema=SAMPLE_SCHEMA, orient="row"),
        pairs=pl.DataFrame(pairs, schema=PAIR_SCHEMA, orient="row"),
    )
