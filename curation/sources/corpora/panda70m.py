"""Panda-70M: CSV, one video each, with lists of its clips as Python text."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row, literal_list, pair, untimed
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield a row for each clip; lists of unequal length name no clip for sure, so none is taken."""
    cells = item.cells
    spans, captions = literal_list(cells.get("timestamp")), literal_list(cells.get("caption"))
    if spans is None or captions is None:
        yield broken(item, "timestamp or caption is no Python list")
        return
    if len(spans) != len(captions):
        yield broken(item, f"{len(spans)} timestamps and {len(captions)} captions")
        return
    locator = locate(PANDA70M, source, cells.get("videoID"))
    for number, (span, caption) in enumerate(zip(spans, captions, strict=True)):
        start, end = pair(span)
        clip = {"videoID": cells.get("videoID"), "clip": number, "start": start, "end": end, "caption": caption}
        yield untimed(item, clip) or clip_row(item, clip, locator=locator, texts=[(TextKind.GENERATED, caption)])


PANDA70M = Adapter(
    name="panda70m",
    title="Panda-70M: videoID, timestamp and caption as Python lists; one row per video, many clips",
    container="csv",
    expand=expand,
    text_kinds=(TextKind.GENERATED,),
    cites="snap-research/Panda-70M@a5d42e8 dataset_dataloading/README.md",
    seen=False,
)
