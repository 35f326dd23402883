"""What formats there are, and what a file of one holds: counts, first rows, problems. Memory is bounded."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.displays import NewDisplay, new_display, shown
from curation.sources.corpora import ADAPTERS
from curation.sources.files import base_name
from curation.sources.guess import columns_found, guess_mapping
from curation.sources.locators import without_secrets
from curation.sources.pieces import Piece
from curation.sources.reading import check_source, list_source, read_piece, split_source_file
from curation.sources.registry import adapter_of, container_of, is_table
from curation.sources.tables import read_columns
from schemas.config_file import ConfigError
from schemas.corpus import FORMATS, CorpusConfig, Licence, SourceConfig, folder_of, has_glob, is_url
from schemas.fetching import FetchPolicy
from schemas.records import Origin, Record, Reject, TextKind
from schemas.source_check import ColumnMapping, FormatFacts, Problem, SeenRow, SourceCheck

OWN_FORMATS = {
    "csv": "a table with a header row (or `column_names`) and a mapping of its columns",
    "tsv": "the same, with tabs",
    "jsonl": "an object per line, with a mapping of its keys",
    "parquet": "a Parquet table, with a mapping of its columns",
    "folder": "videos, each beside a .txt or .json of its name, or without any text",
    "webdataset": "tars of key.mp4, key.txt and key.json, as clipstrata and video2dataset write them",
    "mediapack": "an index of video files in JSON lines, in three views",
    "synthetic": "the built-in world",
}
PLACES_KEPT = 3
TEXT_CHARS = 100
TEXTS_SHOWN = 4
SHOW_EVERY_ROWS = 5_000


def list_formats() -> tuple[FormatFacts, ...]:
    """Return every format that a source can have: clipstrata's own, then the published corpora."""
    every = tuple(kind.value for kind in TextKind)
    own = [
        FormatFacts(name=name, title=title, container=container_of(name), text_kinds=every, cites="", seen=None)
        for name, title in OWN_FORMATS.items()
    ]
    corpora = [
        FormatFacts(
            name=adapter.name,
            title=adapter.title,
            container=adapter.container,
            text_kinds=tuple(kind.value for kind in adapter.text_kinds),
            cites=adapter.cites,
            seen=adapter.seen,
        )
        for adapter in ADAPTERS
    ]
    return (*own, *corpora)


@dataclass(frozen=True, kw_only=True)
class CheckOptions:
    """How to look at a file.

    Attributes:
        columns: for tables: `locator`, `start`, `end`, `time_unit` or a kind of text -> column; the rest is guessed.
        column_names: the columns of a csv or tsv file without a header row.
        media_root: what relative locators start from; by default the file's folder.
        part: for a media pack: which view of it.
        first_rows: how many rows to show.
        limit: stop after as many rows; None reads all.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    column_names: tuple[str, ...] = ()
    media_root: str | None = None
    part: str | None = None
    first_rows: int = 5
    limit: int | None = None


def options_of(words: Mapping[str, Any]) -> CheckOptions:
    """Return the options that a command line's words mean.

    Raises:
        ConfigError: one of them is malformed.
    """
    columns = {}
    for pair in words["column"]:
        what, mark, name = pair.partition("=")
        if not (mark and what and name):
            raise ConfigError(f"--column is {pair!r}; allowed: WHAT=NAME, for example locator=path or caption=words")
        columns[what] = name
    for name in ("rows", "limit"):
        if words[name] is not None and words[name] < (0 if name == "rows" else 1):
            raise ConfigError(f"--{name} is {words[name]}; allowed: a positive number")
    return CheckOptions(
        columns=columns,
        column_names=tuple(filter(None, words["column_names"].split(","))),
        media_root=words["media_root"],
        part=words["part"],
        first_rows=words["rows"],
        limit=words["limit"],
    )


def check_file(
    location: str, format_name: str, options: CheckOptions, new_display: NewDisplay = new_display
) -> SourceCheck:
    """Read a file, or a pattern of files, as one format, and say what it holds.

    Raises:
        ConfigError: the format is unknown or cannot be looked at, or the file is none of it.
    """
    source, columns, mapping = _source_for(location, format_name, options)
    counts = _Counts(first_rows=options.first_rows)
    stopped = False
    with shown(f"reading {base_name(location)}", new_display) as display:
        for piece, item in _items(source, counts):
            counts.add(item)
            if counts.rows % SHOW_EVERY_ROWS == 0:
                display.show(counts.files - 1, counts.files, f"{counts.rows} rows, {_place_in(piece)}")
            stopped = counts.rows == options.limit
            if stopped:
                break
    return counts.report(source, columns, mapping, stopped=stopped)


def _items(source: SourceConfig, counts: _Counts) -> Iterator[tuple[Piece, Record | Reject]]:
    config = CorpusConfig(corpus="check", sources=(source,))
    for file in list_source(source, config.fetch_of(source)):
        counts.files += 1
        for piece in split_source_file(file, source):
            yield from ((piece, item) for item in read_piece(piece, source, config))


def _place_in(piece: Piece) -> str:
    return f"from line {piece.before + 1} of {piece.file.name}" if piece.before else piece.file.name


def _source_for(
    location: str, format_name: str, options: CheckOptions
) -> tuple[SourceConfig, list[str], ColumnMapping | None]:
    """Return a source for the look, the columns of its first file, and what they are taken for."""
    if format_name not in FORMATS or format_name == "synthetic":
        allowed = ", ".join(name for name in FORMATS if name != "synthetic")
        raise ConfigError(f"--format is {format_name!r}; allowed: {allowed}; `clipstrata sources` describes each")
    if not is_url(location):
        location = os.path.abspath(location)
        if not has_glob(location) and not Path(location).exists():
            raise ConfigError(f"{location} does not exist; give a file, a folder, a pattern with *, or an address")
    adapter = adapter_of(format_name)
    root = location if format_name == "folder" else folder_of(location)
    fields = {
        "name": "check",
        "origin": Origin.NOISY,
        "format": format_name,
        "location": location,
        "licence": Licence(name="unknown", basis="own", terms="a look at a file"),
        "media_root": options.media_root or root,
        "part": options.part or ("captioned" if format_name == "mediapack" else None),
        "text_kinds": adapter.text_kinds if adapter else tuple(TextKind),
        "column_names": options.column_names,
    }
    source = _validated(fields)
    if not is_table(format_name):
        check_source(source, FetchPolicy())
        return source, _columns_of_adapter(source), None
    file = next(iter(list_source(source, FetchPolicy())))
    columns = columns_found(file, container_of(format_name), source)
    mapping = guess_mapping(columns, options.columns)
    given = mapping.model_dump(exclude_none=True)
    source = _validated({**fields, "columns": given, "text_kinds": tuple(TextKind(kind) for kind in mapping.texts)})
    check_source(source, FetchPolicy())
    return source, columns, mapping


def _validated(fields: dict[str, object]) -> SourceConfig:
    try:
        return SourceConfig.model_validate(fields)
    except ValueError as error:
        raise ConfigError(str(error)) from error


def _columns_of_adapter(source: SourceConfig) -> list[str]:
    container = container_of(source.format)
    if container not in ("csv", "tsv", "parquet"):
        return []
    return read_columns(next(iter(list_source(source, FetchPolicy()))), container, source, adapter_of(source.format))


class _Counts:
    """What was met so far."""

    def __init__(self, first_rows: int) -> None:
        self.files = 0
        self.rows = 0
        self._first_rows = first_rows
        self._whole = 0
        self._texts: Counter[str] = Counter()
        self._dropped: Counter[str] = Counter()
        self._problems: Counter[str] = Counter()
        self._places: dict[str, list[str]] = {}
        self._first: list[SeenRow] = []

    def add(self, item: Record | Reject) -> None:
        """Count one row."""
        self.rows += 1
        if isinstance(item, Reject):
            self._problems[item.reason.value] += 1
            places = self._places.setdefault(item.reason.value, [])
            if len(places) < PLACES_KEPT:
                places.append(item.detail[:300])
            return
        self._whole += item.start_us is None and item.end_us is None
        self._texts.update(text.kind for text in item.texts)
        for kind, reason, count in item.dropped_texts:
            self._dropped[f"{kind}: {reason}"] += count
        if len(self._first) < self._first_rows:
            self._first.append(_seen(item))

    def report(
        self, source: SourceConfig, columns: list[str], mapping: ColumnMapping | None, *, stopped: bool
    ) -> SourceCheck:
        """Return the counts as a document."""
        rejects = self._problems.total()
        return SourceCheck(
            location=without_secrets(source.location),
            format=source.format,
            files=self.files,
            rows=self.rows,
            records=self.rows - rejects,
            rejects=rejects,
            whole=self._whole,
            texts=dict(sorted(self._texts.items())),
            dropped_texts=dict(sorted(self._dropped.items())),
            columns=tuple(columns),
            mapping=mapping,
            first=tuple(self._first),
            problems=tuple(
                Problem(reason=reason, rows=count, first=tuple(self._places[reason]))
                for reason, count in self._problems.most_common()
            ),
            stopped=stopped,
        )


def _seen(record: Record) -> SeenRow:
    texts = [(text.kind, _shortened(text.text)) for text in record.texts[:TEXTS_SHOWN]]
    left = len(record.texts) - TEXTS_SHOWN
    return SeenRow(
        locator=record.locator,
        start_us=record.start_us,
        end_us=record.end_us,
        texts=tuple([*texts, ("...", f"and {left} more texts")] if left > 0 else texts),
    )


def _shortened(text: str) -> str:
    return text if len(text) <= TEXT_CHARS else f"{text[: TEXT_CHARS - 3]}..."
