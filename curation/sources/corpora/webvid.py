"""WebVid: CSV, one stock video each with its caption. Withdrawn in 2024 after a cease-and-desist letter."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import clip_row
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a whole video; its address, or with a `locator` of the source its id."""
    cells = item.cells
    locator = locate(WEBVID, source, cells.get("videoid")) if source.locator else cells.get("contentUrl")
    yield clip_row(item, cells, locator=locator, texts=[(TextKind.CAPTION, cells.get("name"))])


WEBVID = Adapter(
    name="webvid",
    title="WebVid: videoid, contentUrl, duration, page_dir, name; whole videos",
    container="csv",
    expand=expand,
    text_kinds=(TextKind.CAPTION,),
    cites="m-bain/webvid@689b37f README.md; iejMac/video2dataset@d58fc46 tests/test_files/test_webvid.csv",
    seen=True,
    locator=None,
)
