"""InternVid: JSON lines, one clip each, with a machine caption."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import clip_row, untimed
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a clip; the scores that some releases carry are part of its identity and of nothing else."""
    cells = item.cells
    clip = {**cells, "start": cells.get("Start_timestamp"), "end": cells.get("End_timestamp")}
    locator = locate(INTERNVID, source, cells.get("YoutubeID"))
    yield untimed(item, clip) or clip_row(
        item, clip, locator=locator, texts=[(TextKind.GENERATED, cells.get("Caption"))]
    )


INTERNVID = Adapter(
    name="internvid",
    title="InternVid: YoutubeID, Start_timestamp and End_timestamp as H:M:S.mmm, Caption",
    container="jsonl",
    expand=expand,
    text_kinds=(TextKind.GENERATED,),
    cites="modelscope/data-juicer@e120ae7 tools/fmt_conversion/multimodal/"
    "source_format_to_data_juicer_format/internvid_to_dj.py (rows in its header)",
    seen=False,
)
