"""VATEX: one JSON list of clips with ten captions in English and ten in Chinese."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

import ijson

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row
from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind

# A YouTube id may hold underscores itself, so the times are taken from the right.
_VIDEO_ID = re.compile(r"(?P<id>.+)_(?P<start>\d{6})_(?P<end>\d{6})")


def walk(document: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the objects of the list."""
    for number, entry in enumerate(ijson.items(document, "item", use_float=True)):
        yield f"item {number}", entry if isinstance(entry, dict) else {"videoID": entry}


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield the row of a clip: `<YouTube id>_<start>_<end>` in seconds of six digits."""
    cells = item.cells
    name = cells.get("videoID")
    told = _VIDEO_ID.fullmatch(name) if isinstance(name, str) else None
    if told is None:
        yield broken(item, f"videoID is {name!r:.80}; expected <id>_<start>_<end> with times of six digits")
        return
    clip = {"videoID": name, "start": int(told["start"]), "end": int(told["end"])}
    lists = [cells.get(key) or [] for key in ("enCap", "chCap")]
    captions = [caption for found in lists for caption in (found if isinstance(found, list) else [found])]
    yield clip_row(item, clip, locator=locate(VATEX, source, told["id"]), texts=[(TextKind.CAPTION, captions)])


VATEX = Adapter(
    name="vatex",
    title="VATEX: a list of videoID (<YouTube id>_<start>_<end>), enCap, chCap",
    container="json",
    expand=expand,
    text_kinds=(TextKind.CAPTION,),
    cites="eric-xw/Video-guided-Machine-Translation@b339d5d dataloader.py reads the list (videoID, enCap, chCap); "
    "the corpus is that of Wang et al. 2019 (arXiv 1904.03493)",
    seen=False,
    walk=walk,
)
