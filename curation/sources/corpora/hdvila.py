"""HD-VILA-100M: JSON lines, one video each with its clips, without any text of its own."""

from __future__ import annotations

from collections.abc import Iterator

from curation.sources.adapter import Adapter, Item
from curation.sources.corpora.common import broken, clip_row, pair, untimed, video_locator
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield a row for each clip of a video."""
    cells = item.cells
    clips = cells.get("clip")
    if not isinstance(clips, list) or not clips:
        yield broken(item, f"clip is {f'a {type(clips).__name__}' if clips else 'empty'}; expected a list of clips")
        return
    locator = video_locator(HDVILA, source, cells.get("video_id"))
    for number, entry in enumerate(clips):
        span = entry.get("span") if isinstance(entry, dict) else entry
        start, end = pair(span)
        clip = {"video_id": cells.get("video_id"), "clip": number, "start": start, "end": end}
        yield untimed(item, clip) or clip_row(item, clip, locator=locator, texts=())


HDVILA = Adapter(
    name="hdvila",
    title="HD-VILA-100M: video_id and clip, a list of {span: [H:M:S.mmm, H:M:S.mmm]}; no text",
    container="jsonl",
    expand=expand,
    text_kinds=(),
    cites="iejMac/video2dataset@28e7d1c dataset_examples/HDVILA.md",
    seen=False,
)
