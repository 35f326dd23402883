"""A guess at which column of a table holds what, for a person who looks at a file for the first time."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from curation.sources.files import SourceFile
from curation.sources.pieces import Piece
from curation.sources.tables import json_lines_items, read_columns
from schemas.config_file import ConfigError
from schemas.corpus import SourceConfig
from schemas.records import TextKind
from schemas.source_check import ColumnMapping

ROWS_LOOKED_AT = 100
# Names in the order in which they are tried; compared in lower case without blanks, `_` and `-`.
LOCATOR_NAMES = (
    "video videopath videofile file filename filepath path locator videourl contenturl url uri link mp4 clip clippath"
    " videoname videoid youtubeid id"
)
START_NAMES = "start starttime starttimestamp timestart t0 begin begintime from"
END_NAMES = "end endtime endtimestamp timeend t1 stop stoptime to"
TEXT_NAMES = {
    TextKind.CAPTION: "caption captions text sentence label name words cap refinedcaption",
    TextKind.ASR: "asr transcript subtitles speech",
    TextKind.ALT: "alt alttext",
    TextKind.TITLE: "title pagetitle videotitle",
    TextKind.DESCRIPTION: "description desc summary",
    TextKind.TAGS: "tags keywords hashtags",
    TextKind.GENERATED: "generated generatedcaption machinecaption",
}
UNITS = ("us", "ms", "s")


def columns_found(file: SourceFile, container: str, source: SourceConfig) -> list[str]:
    """Return the columns of a table's first file; of JSON lines the keys of its first rows.

    Raises:
        ConfigError: it is no file of its kind.
    """
    if container == "jsonl":
        rows = itertools.islice(json_lines_items(Piece(file=file)), ROWS_LOOKED_AT)
        keys = (key for _, cells in rows if isinstance(cells, dict) for key in cells)
        return list(dict.fromkeys(keys))
    return read_columns(file, container, source)


def guess_mapping(columns: Sequence[str], given: Mapping[str, str]) -> ColumnMapping:
    """Return what each column is likely to be; what is given stands.

    Args:
        given: `locator`, `start`, `end`, `time_unit` or a kind of text -> column.

    Raises:
        ConfigError: a given name is unknown or no column, or no column looks like the video's.
    """
    _check_given(columns, given)
    locator = given.get("locator") or _first(columns, LOCATOR_NAMES.split())
    if locator is None:
        raise ConfigError(
            f"no column looks like the video's; the columns are {list(columns)[:40]}; name it: --column locator=NAME"
        )
    start, end = given.get("start") or _time(columns, START_NAMES), given.get("end") or _time(columns, END_NAMES)
    texts = {kind.value: given.get(kind.value) or _first(columns, names.split()) for kind, names in TEXT_NAMES.items()}
    return ColumnMapping(
        locator=locator,
        start=start,
        end=end,
        time_unit=given.get("time_unit") or _unit_of(start or end),
        texts={kind: name for kind, name in texts.items() if name is not None and name != locator},
    )


def _check_given(columns: Sequence[str], given: Mapping[str, str]) -> None:
    allowed = ("locator", "start", "end", "time_unit", *(kind.value for kind in TextKind))
    for what, name in given.items():
        if what not in allowed:
            raise ConfigError(f"--column {what}={name}: {what!r} is unknown; allowed: {', '.join(allowed)}")
        if what == "time_unit" and name not in UNITS:
            raise ConfigError(f"--column time_unit={name}; allowed: {', '.join(UNITS)}")
        if what != "time_unit" and name not in columns:
            raise ConfigError(f"--column {what}={name}: there is no such column; allowed: {list(columns)[:40]}")


def _first(columns: Sequence[str], names: Sequence[str]) -> str | None:
    plain = {_plain(column): column for column in reversed(columns)}
    return next((plain[name] for name in names if name in plain), None)


def _time(columns: Sequence[str], names: str) -> str | None:
    """Return a column of times; its name may end in a unit."""
    endings = ("", "s", "sec", "seconds", "ms", "us")
    return _first(columns, [f"{name}{ending}" for name in names.split() for ending in endings])


def _plain(name: str) -> str:
    return "".join(sign for sign in name.lower() if sign not in " _-")


def _unit_of(column: str | None) -> str:
    plain = (column or "").lower()
    return "us" if plain.endswith("us") else "ms" if plain.endswith("ms") else "s"
