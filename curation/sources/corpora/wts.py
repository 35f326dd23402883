"""Titles, descriptions and tags, as WTS-70M is described: our own layout, because no file of it was published."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item
from curation.sources.corpora.common import clip_row, video_locator
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind

_KINDS = (TextKind.TITLE, TextKind.DESCRIPTION, TextKind.TAGS)


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a video or of a span of it; tags in a list are one text."""
    cells = item.cells
    tags = cells.get("tags")
    joined = ", ".join(tag for tag in tags if isinstance(tag, str)) if isinstance(tags, list) else tags
    clip = {**cells, "start": cells.get("start_us"), "end": cells.get("end_us")}
    texts = [(kind, joined if kind is TextKind.TAGS else cells.get(kind.value)) for kind in _KINDS]
    locator = video_locator(WTS, source, cells.get("video_id"))
    yield clip_row(item, clip, locator=locator, texts=[pair for pair in texts if pair[1] != ""], unit="us")


WTS = Adapter(
    name="wts",
    title="titles, descriptions and tags: video_id, start_us, end_us, title, description, tags (our layout)",
    container="jsonl",
    expand=expand,
    text_kinds=_KINDS,
    cites="Stroud et al. 2020 (arXiv 2007.14937) describe the corpus; the layout is clipstrata's own (docs/corpora.md)",
    seen=False,
)
