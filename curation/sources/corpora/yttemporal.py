"""YT-Temporal-180M: JSON lines, one video each, with its speech word by word and in a cleaned form."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from curation.alignment import TooManyWords, aligned_starts, believed_words
from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row
from curation.sources.rows import BrokenRow, RawRow, RowProblem
from curation.transcripts import Word, cut_segments, texts_around, timed_words, word_time_us
from schemas.corpus import SourceConfig
from schemas.reasons import Reason
from schemas.records import Text, TextKind

# (when it starts, us; the word)
_Told = tuple[int, str]

_KINDS = (TextKind.ASR, TextKind.TITLE, TextKind.DESCRIPTION, TextKind.TAGS)


def expand(item: Item, source: SourceConfig) -> Iterator[RawRow | BrokenRow]:
    """Yield a row for each segment of a video's speech, with the words around it and the video's title and the like."""
    cells = item.cells
    info = cells.get("info")
    if not isinstance(info, dict):
        yield broken(item, "info is no object")
        return
    try:
        words = _words(cells.get("denoised"), cells.get("subtitles"), source)
        segments = cut_segments(words, source.transcripts)
    except (RowProblem, KeyError, TypeError) as error:
        yield broken(item, f"subtitles cannot be read: {error!s:.200}")
        return
    if not words:
        yield broken(item, "nothing is said in it")
        return
    starts = [word.start_us for word in words]
    locator = locate(YTTEMPORAL, source, info.get("id"))
    about = tuple(_about(info))
    for number, segment in enumerate(segments):
        around = tuple(texts_around(words, starts, segment, source.transcripts))
        clip = {"id": info.get("id"), "clip": number, "start": segment.start_us, "end": segment.end_us}
        clip["text"] = around[0].text if around else ""
        yield clip_row(item, clip, locator=locator, texts=(*around, *about), unit="us")


def _words(denoised: Any, subtitles: Any, source: SourceConfig) -> list[Word]:
    """Return the cleaned words with times of the heard ones, or the heard ones where there is no cleaned form."""
    heard = [(word_time_us(entry["time"]), str(entry["word"])) for entry in subtitles]
    cleaned = isinstance(denoised, list) and bool(denoised)
    told = list(_cleaned(denoised, heard, source)) if cleaned else heard
    told.sort(key=_start_us)
    return timed_words([text for _, text in told], [start for start, _ in told], source.transcripts)


def _cleaned(denoised: list[dict[str, Any]], heard: list[_Told], source: SourceConfig) -> Iterator[_Told]:
    """Yield the cleaned words, each with when it starts; a chunk's words are aligned to those that it was made of."""
    first = 0
    for chunk in denoised:
        count, words = len(str(chunk["noisyasr"]).split()), str(chunk["cleanasr"]).split()
        mine = sorted(heard[first : first + count], key=_start_us)
        first += count
        if len(mine) != count:
            detail = f"the cleaned form has more heard words than the {len(heard)} with times"
            raise RowProblem(Reason.FIELD_INVALID, detail)
        if mine:
            yield from _aligned(believed_words(words, count), mine, source)


def _aligned(words: Sequence[str], heard: list[_Told], source: SourceConfig) -> Iterator[_Told]:
    texts = [text for _, text in heard]
    spans = [(word.start_us, word.end_us) for word in timed_words(texts, [at for at, _ in heard], source.transcripts)]
    try:
        starts = aligned_starts(words, texts, spans)
    except TooManyWords as error:
        raise RowProblem(Reason.FIELD_INVALID, f"a chunk cannot be aligned: {error}") from error
    yield from zip(starts, words, strict=True)


def _start_us(told: _Told) -> int:
    return told[0]


def _about(info: dict[str, Any]) -> Iterator[Text]:
    tags = info.get("tags")
    values = {
        TextKind.TITLE: info.get("title"),
        TextKind.DESCRIPTION: info.get("description"),
        TextKind.TAGS: ", ".join(str(tag) for tag in tags) if isinstance(tags, list) else None,
    }
    for kind, value in values.items():
        if value:
            yield Text(kind=kind.value, text=value)


YTTEMPORAL = Adapter(
    name="yttemporal",
    title="YT-Temporal-180M: info, subtitles (word, time in seconds), denoised; cut into segments",
    container="jsonl",
    expand=expand,
    text_kinds=_KINDS,
    cites="rowanz/merlot@c85c18b data/process.py (also how cleaned words get times) and "
    "data/example_video/WAaKRUoY6Io.grover.json",
    seen=True,
)
