"""ACAV100M: CSV of clips without any text."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row, literal_list, pair, untimed
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a clip: of the released table (videoID, start, end) or of the pipeline's own output."""
    cells = item.cells
    if "videoID" in cells:
        clip = {"videoID": cells["videoID"], "start": cells.get("start"), "end": cells.get("end")}
    else:
        span = pair(literal_list(cells.get("segment")))
        if span == (None, None):
            yield broken(item, f"segment is {cells.get('segment')!r:.80}; expected a text such as '[69, 79]'")
            return
        clip = {"videoID": cells.get("youtube_id"), "start": span[0], "end": span[1]}
    yield untimed(item, clip) or clip_row(item, clip, locator=locate(ACAV100M, source, clip["videoID"]), texts=())


ACAV100M = Adapter(
    name="acav100m",
    title="ACAV100M: videoID, start, end in seconds, or shard_name, filename, youtube_id, segment; no text",
    container="csv",
    expand=expand,
    text_kinds=(),
    cites="sangho-vision/acav100m@51cb948 examples/output.csv",
    seen=True,
    columns=("shard_name", "filename", "youtube_id", "segment"),
    header_marks=frozenset({"videoid", "shard_name"}),
)
