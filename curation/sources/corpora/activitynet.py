"""ActivityNet Captions: one JSON object of videos, each with spans and a sentence for each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row, keyed_objects, pair, untimed
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind

_PREFIX = "v_"


def walk(document: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each video's object with its name."""
    for name, entry in keyed_objects(document):
        facts = entry if isinstance(entry, dict) else {"timestamps": entry}
        yield f"video {name}", {"video": name, **facts}


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield a row for each span; lists of unequal length name no clip for sure, so none is taken."""
    cells = item.cells
    spans, sentences = cells.get("timestamps"), cells.get("sentences")
    if not isinstance(spans, list) or not isinstance(sentences, list) or len(spans) != len(sentences):
        yield broken(item, "timestamps and sentences are no lists of equal length")
        return
    name = str(cells["video"])
    locator = locate(ACTIVITYNET_CAPTIONS, source, name.removeprefix(_PREFIX))
    for number, (span, sentence) in enumerate(zip(spans, sentences, strict=True)):
        start, end = pair(span)
        clip = {"video": name, "clip": number, "start": start, "end": end, "sentence": sentence}
        yield untimed(item, clip) or clip_row(item, clip, locator=locator, texts=[(TextKind.CAPTION, sentence)])


ACTIVITYNET_CAPTIONS = Adapter(
    name="activitynet_captions",
    title="ActivityNet Captions: {v_<YouTube id>: {duration, timestamps, sentences}} in seconds",
    container="json",
    expand=expand,
    text_kinds=(TextKind.CAPTION,),
    cites="ranjaykrishna/densevid_eval@1f0951c evaluate.py reads the object (timestamps, sentences by video id); "
    "the corpus is that of Krishna et al. 2017 (arXiv 1705.00754)",
    seen=False,
    walk=walk,
)
