"""What an adapter is: the name of a published format, how its files hold items, and how one item becomes rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO, Literal

from curation.sources.rows import BrokenRow, RawRow
from schemas.corpus import SourceConfig
from schemas.records import TextKind

Container = Literal["csv", "tsv", "jsonl", "json", "parquet"]
YOUTUBE_LOCATOR = "https://www.youtube.com/watch?v={id}"


@dataclass(frozen=True, kw_only=True)
class Item:
    """One item of a file before it is understood: a line's cells, or one object of a JSON document.

    Attributes:
        place: where it stands, for example `clips.csv line 7`.
        cells: column or key -> value; for a file without a header the adapter's `columns` name the cells.
    """

    place: str
    cells: Mapping[str, Any]


Expand = Callable[[Item, SourceConfig], Iterable[RawRow | BrokenRow]]
Gather = Callable[[str, Iterable[Item]], tuple[Item, list[BrokenRow]]]
Walk = Callable[[BinaryIO], Iterator[tuple[str, Mapping[str, Any]]]]


@dataclass(frozen=True, kw_only=True)
class Adapter:
    """One format of metadata.

    Attributes:
        name: what a corpus file writes as `format`.
        title: for people, one line.
        container: how the file holds items; every container may be gzip or zstd, but then is read by one worker.
        expand: one item -> its rows: one, or one for each clip that the item lists. A field that is wrong is left for
            `row_to_record` to refuse, or becomes a BrokenRow with the reason; it never raises for bad content.
        text_kinds: kinds of text that the format can hold.
        locator: template of the video's address, with `{id}`; a source's own `locator` replaces it. None where rows
            hold whole locators.
        columns: names of the cells of a file without a header row; None where there always is one.
        header_marks: first cells by which a header row is told where there may be one or none.
        walk: for `json`: document -> (place, object) one after the other, without holding the document.
        gather: for a table whose files are an item each: (a file's name, its rows with their places) -> the item, and
            rows that are no part of one. Such a file is never split.
        cites: repository, commit and file that show the format.
        seen: whether a real file or excerpt of it was read; where not, the golden file was made from the description.
    """

    name: str
    title: str
    container: Container
    expand: Expand
    text_kinds: tuple[TextKind, ...]
    cites: str
    seen: bool
    locator: str | None = YOUTUBE_LOCATOR
    columns: tuple[str, ...] | None = None
    header_marks: frozenset[str] = frozenset()
    walk: Walk | None = None
    gather: Gather | None = None


def locate(adapter: Adapter, source: SourceConfig, video_id: object) -> object:
    """Return a video's locator: the source's or the adapter's template, filled; what is no id is returned as it is."""
    template = source.locator or adapter.locator
    if template is None or not isinstance(video_id, str | int) or isinstance(video_id, bool) or video_id == "":
        return video_id
    return template.replace("{id}", str(video_id))
