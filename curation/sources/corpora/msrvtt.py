"""MSR-VTT: one JSON document of videos and of sentences about them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import ijson

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import clip_row
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind

# The published document holds 200,000 sentences; both lists are held to be joined.
MAX_SENTENCES = 5_000_000


def walk(document: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each video with all sentences about it; a sentence about no video of the document is an object of its own.

    Raises:
        ValueError: the document is no JSON, or holds more than MAX_SENTENCES.
    """
    videos: list[Mapping[str, Any]] = []
    sentences: dict[str, list[object]] = defaultdict(list)
    count = 0
    for kind, entry in _entries(document):
        if kind == "videos":
            videos.append(entry)
            continue
        count += 1
        if count > MAX_SENTENCES:
            raise ValueError(f"more than {MAX_SENTENCES} sentences")
        # As text: what stands there may be anything.
        sentences[str(entry.get("video_id"))].append(entry.get("caption"))
    for number, video in enumerate(videos):
        yield f"video {number}", {**video, "captions": sentences.pop(str(video.get("video_id")), [])}
    for video_id, captions in sentences.items():
        yield f"sentences of {video_id}", {"captions": captions, "video_id": video_id, "orphan": True}


def _entries(document: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield (`videos` or `sentences`, object) in the document's order, in one pass."""
    builder: ijson.ObjectBuilder | None = None
    kind = ""
    for prefix, event, value in ijson.parse(document, use_float=True):
        if prefix in ("videos.item", "sentences.item") and event == "start_map":
            builder, kind = ijson.ObjectBuilder(), prefix.partition(".")[0]
        if builder is not None:
            builder.event(event, value)
            if prefix == f"{kind}.item" and event == "end_map":
                yield kind, builder.value
                builder = None


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a clip with its captions; its keys hold spaces."""
    cells = item.cells
    if cells.get("orphan"):
        detail = f"sentences about {cells.get('video_id')!r:.80}, which is no video of the document"
        yield BrokenRow(place=item.place, detail=detail, raw=f"{item.place}: {detail}")
        return
    clip = {**cells, "start": cells.get("start time"), "end": cells.get("end time")}
    url = cells.get("url")
    named = cells.get("video_id") if source.locator else url
    locator = locate(MSRVTT, source, named) if source.locator else url
    # A clip that was cut already is named by its id, and is whole.
    if source.locator:
        clip = {**clip, "start": None, "end": None}
    yield clip_row(item, clip, locator=locator, texts=[(TextKind.CAPTION, cells.get("captions"))])


MSRVTT = Adapter(
    name="msrvtt",
    title="MSR-VTT: a document of videos (url, `start time`, `end time`) and sentences (video_id, caption)",
    container="json",
    expand=expand,
    text_kinds=(TextKind.CAPTION,),
    cites="modelscope/data-juicer@e120ae7 tools/fmt_conversion/multimodal/"
    "source_format_to_data_juicer_format/msrvtt_to_dj.py (document in its header)",
    seen=False,
    locator=None,
    walk=walk,
)
