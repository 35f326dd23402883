"""VideoCC: CSV, one clip each, times in microseconds, the alt-text of a picture that looks alike."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item
from curation.sources.corpora.common import clip_row, untimed, video_locator
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a clip; the video is an id or a whole address."""
    cells = item.cells
    locator = video_locator(VIDEOCC, source, cells.get("video"))
    yield untimed(item, cells) or clip_row(
        item, cells, locator=locator, texts=[(TextKind.ALT, cells.get("caption"))], unit="us"
    )


VIDEOCC = Adapter(
    name="videocc",
    title="VideoCC: video, start and end in microseconds, caption; with or without a header row",
    container="csv",
    expand=expand,
    text_kinds=(TextKind.ALT,),
    cites="google-research-datasets/videoCC-data@6f8dcec README.md; iejMac/video2dataset@28e7d1c "
    "dataset_examples/VideoCC.md",
    seen=False,
    columns=("video", "start", "end", "caption"),
    header_marks=frozenset({"video url", "video_url", "video", "videoid", "video_id", "url"}),
)
