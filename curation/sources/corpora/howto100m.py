"""HowTo100M: the lines of automatic captions of each video, in one JSON object or in a CSV file per video."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row, keyed_objects
from curation.sources.rows import BrokenRow, RawRow, RowProblem
from curation.sources.unpack import PACKED_SUFFIXES
from curation.transcripts import Word, cut_segments, texts_around, word_time_us
from schemas.corpus import SourceConfig
from schemas.reasons import Reason
from schemas.records import TextKind


def walk(document: BinaryIO) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each video's lists with its id."""
    for name, entry in keyed_objects(document):
        facts = entry if isinstance(entry, dict) else {"text": entry}
        yield f"video {name}", {**facts, "video_id": name}


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield a row for each segment of a video's captions, with the words around it."""
    cells = item.cells
    try:
        lines = _lines(cells.get("start"), cells.get("end"), cells.get("text"))
        segments = cut_segments(lines, source.transcripts)
    except RowProblem as problem:
        yield broken(item, str(problem))
        return
    if not lines:
        yield broken(item, "nothing is said in it")
        return
    starts = [line.start_us for line in lines]
    locator = locate(HOWTO100M, source, cells.get("video_id"))
    for number, segment in enumerate(segments):
        clip = {"video_id": cells.get("video_id"), "clip": number, "start": segment.start_us, "end": segment.end_us}
        around = tuple(texts_around(lines, starts, segment, source.transcripts))
        yield clip_row(
            item, {**clip, "text": around[0].text if around else ""}, locator=locator, texts=around, unit="us"
        )


def _lines(starts: object, ends: object, texts: object) -> list[Word]:
    """Return the caption lines in order of time.

    Raises:
        RowProblem: these are no three lists of equal length, or a time is none.
    """
    if not (isinstance(starts, list) and isinstance(ends, list) and isinstance(texts, list)):
        raise RowProblem(Reason.FIELD_INVALID, "start, end and text are no lists")
    if not len(starts) == len(ends) == len(texts):
        lengths = f"{len(starts)} starts, {len(ends)} ends and {len(texts)} texts"
        raise RowProblem(Reason.FIELD_INVALID, f"{lengths}; allowed: as many of each")
    found = []
    for start, end, text in zip(starts, ends, texts, strict=True):
        start_us, end_us = word_time_us(start), word_time_us(end)
        if isinstance(text, str) and text.strip():
            found.append(Word(text=text.strip(), start_us=start_us, end_us=max(start_us + 1, end_us)))
    return sorted(found, key=lambda word: word.start_us)


def gather(name: str, lines: Iterable[Item]) -> tuple[Item, list[BrokenRow]]:
    """Return the lines of a <video id>.csv as one video's lists, and the lines that are none.

    Args:
        name: of the file, with the folders that a pattern found it in, and maybe packed.
    """
    path = PurePosixPath(name)
    if path.suffix in PACKED_SUFFIXES:
        path = path.with_suffix("")
    told: dict[str, list[Any]] = {"start": [], "end": [], "text": []}
    wrong = []
    for line in lines:
        try:
            start_us, end_us = word_time_us(line.cells.get("start")), word_time_us(line.cells.get("end"))
        except RowProblem as problem:
            wrong.append(broken(line, str(problem)))
            continue
        if end_us <= start_us:
            detail = f"the line ends at {line.cells.get('end')}, no later than it starts"
            raw = f"{line.place}: {detail}"
            wrong.append(BrokenRow(place=line.place, detail=detail, raw=raw, reason=Reason.SPAN_EMPTY))
            continue
        for key, values in told.items():
            values.append(line.cells.get(key))
    return Item(place=name, cells={"video_id": path.stem, **told}), wrong


HOWTO100M = Adapter(
    name="howto100m",
    title="HowTo100M: {video id: {start: [...], end: [...], text: [...]}} in seconds; cut into segments",
    container="json",
    expand=expand,
    text_kinds=(TextKind.ASR,),
    cites="antoine77340/MIL-NCE_HowTo100M@786f96b video_loader.py reads the same columns; the object is that of the "
    "corpus's download page",
    seen=False,
    walk=walk,
)
HOWTO100M_CSV = Adapter(
    name="howto100m_csv",
    title="HowTo100M as its loaders read it: a <video id>.csv per video with start, end, text; cut into segments",
    container="csv",
    expand=expand,
    text_kinds=(TextKind.ASR,),
    cites="antoine77340/MIL-NCE_HowTo100M@786f96b video_loader.py and data/small_train_captions",
    seen=True,
    gather=gather,
)
