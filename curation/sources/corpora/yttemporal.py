"""YT-Temporal-180M: JSON lines, one video each, with its speech word by word and in a cleaned form."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from curation.sources.adapter import Adapter, Item, locate
from curation.sources.corpora.common import broken, clip_row
from curation.sources.rows import BrokenRow, RawRow, RowProblem
from curation.transcripts import Word, cut_segments, texts_around, timed_words, word_time_us
from schemas.corpus import SourceConfig
from schemas.reasons import Reason
from schemas.records import Text, TextKind

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
    except (RowProblem, KeyError, TypeError) as error:
        yield broken(item, f"subtitles cannot be read: {error!s:.200}")
        return
    if not words:
        yield broken(item, "nothing is said in it")
        return
    starts = [word.start_us for word in words]
    locator = locate(YTTEMPORAL, source, info.get("id"))
    about = tuple(_about(info))
    for number, segment in enumerate(cut_segments(words, source.transcripts)):
        around = tuple(texts_around(words, starts, segment, source.transcripts))
        clip = {"id": info.get("id"), "clip": number, "start": segment.start_us, "end": segment.end_us}
        clip["text"] = around[0].text if around else ""
        yield clip_row(item, clip, locator=locator, texts=(*around, *about), unit="us")


def _words(denoised: Any, subtitles: Any, source: SourceConfig) -> list[Word]:
    """Return the cleaned words with the times of the heard ones, or the heard ones where there is no cleaned form."""
    texts = [str(entry["word"]) for entry in subtitles]
    starts = [word_time_us(entry["time"]) for entry in subtitles]
    if isinstance(denoised, list) and denoised:
        texts, starts = _cleaned(denoised, starts)
    order = sorted(range(len(starts)), key=starts.__getitem__)
    return timed_words([texts[place] for place in order], [starts[place] for place in order], source.transcripts)


def _cleaned(denoised: list[dict[str, Any]], starts: list[int]) -> tuple[list[str], list[int]]:
    """Return cleaned words and their starts.

    The cleaned form of a chunk has no times. Its words lie as evenly over the chunk as the heard ones do: word j of m
    starts with heard word floor(j * n / m) of n. MERLOT aligns them by dynamic time warping instead.
    """
    texts: list[str] = []
    times: list[int] = []
    first = 0
    for chunk in denoised:
        heard, clean = len(str(chunk["noisyasr"]).split()), str(chunk["cleanasr"]).split()
        mine = starts[first : first + heard]
        first += heard
        if len(mine) != heard:
            raise RowProblem(
                Reason.FIELD_INVALID, f"the cleaned form has more heard words than the {len(starts)} with times"
            )
        if mine:
            texts += clean
            times += [mine[place * len(mine) // len(clean)] for place in range(len(clean))]
    return texts, times


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
    cites="rowanz/merlot 2022-03-15 data/process.py and data/example_video/WAaKRUoY6Io.grover.json",
    seen=True,
)
