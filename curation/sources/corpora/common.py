"""What the adapters share: rows of clips, and lists that a file holds as text."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, BinaryIO

import ijson

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.rows import BrokenRow, RawRow, TimeUnit, make_texts
from schemas.corpus import SourceConfig
from schemas.reasons import Reason
from schemas.records import Text, TextKind

# A list that a cell holds as Python text: 100,000 clips of one video; far beyond any published one.
MAX_LITERAL_CHARS = 16 << 20

Pairs = Iterable[tuple[TextKind, Any]]


def clip_row(
    item: Item, clip: Mapping[str, Any], *, locator: object, texts: Pairs | tuple[Text, ...], unit: TimeUnit = "s"
) -> RawRow:
    """Return the row of one clip of an item.

    Args:
        clip: `start`, `end`, and whatever else tells this clip's row from the item's others: it is the row's identity.
        texts: (kind, value) pairs, or texts that are ready.
        unit: of times that are numbers.
    """
    ready = texts if isinstance(texts, tuple) else make_texts((kind.value, value) for kind, value in texts)
    place = f"{item.place} clip {clip['clip']}" if "clip" in clip else item.place
    return RawRow(
        place=place,
        cells=dict(clip),
        locator=locator,
        start=clip.get("start"),
        end=clip.get("end"),
        texts=ready,
        time_unit=unit,
    )


def untimed(item: Item, clip: Mapping[str, Any]) -> BrokenRow | None:
    """Return the reject of a clip without both its times; None for one that has them.

    A corpus of clips means a part of each video: a row that lost a time must not become the whole of it.
    """
    missing = [bound for bound in ("start", "end") if clip.get(bound) in (None, "")]
    if not missing:
        return None
    place = f"{item.place} clip {clip['clip']}" if "clip" in clip else item.place
    detail = f"the clip has no {' and no '.join(missing)}"
    return BrokenRow(place=place, detail=detail, raw=f"{place}: {detail}", reason=Reason.FIELD_MISSING)


def broken(item: Item, detail: str) -> BrokenRow:
    """Return the row of an item that cannot be understood."""
    return BrokenRow(place=item.place, detail=detail, raw=f"{item.place}: {detail}")


def keyed_objects(document: BinaryIO) -> Iterator[tuple[str, Any]]:
    """Yield (key, value) of a document that is one object, without holding it.

    Raises:
        ValueError: it is none, or no JSON.
    """
    empty = True
    for name, value in ijson.kvitems(document, "", use_float=True):
        empty = False
        yield name, value
    if empty:
        raise ValueError("the document is no object of videos, or an empty one")


def literal_list(text: object) -> list[Any] | None:
    """Return the list that a cell holds as Python text, such as `[['0:01', '0:03']]`; None when it holds none.

    Only literals are read, nothing is evaluated.
    """
    if isinstance(text, list):
        return text
    if not isinstance(text, str) or len(text) > MAX_LITERAL_CHARS:
        return None
    try:
        found = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
    return list(found) if isinstance(found, list | tuple) else None


def video_locator(adapter: Adapter, source: SourceConfig, video: object) -> object:
    """Return the locator of a video that is named by an id, or by its whole address."""
    if isinstance(video, str) and "://" in video and source.locator is None:
        return video
    return locate(adapter, source, video)


def pair(span: object) -> tuple[Any, Any]:
    """Return (start, end) of a span that is a list of two; two times None when it is none."""
    if isinstance(span, list | tuple) and len(span) == 2:
        return span[0], span[1]
    return None, None
