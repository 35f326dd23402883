"""A folder of videos with side-car text: `a.mp4` beside `a.txt` (one text) or `a.json` (texts by kind), or none."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

from curation.sources.files import Entry, SourceFile, list_folder, open_file
from curation.sources.pieces import Piece
from curation.sources.rows import BrokenRow, RawRow, Row, make_texts
from schemas.corpus import SourceConfig
from schemas.records import TextKind

SIDECAR_SUFFIXES = (".txt", ".json")
MAX_SIDECAR_CHARS = 1 << 20


def folder_pieces(file: SourceFile) -> Iterator[Piece]:
    """Yield a piece for the folder that `file` names, and for each folder below it."""
    waiting = [replace(file, name="")]
    while waiting:
        folder = waiting.pop()
        yield Piece(file=folder)
        for entry in list_folder(folder):
            if entry.folder:
                name = f"{folder.name}{entry.name}/"
                waiting.append(replace(file, url=entry.url, name=name))


def read_folder(piece: Piece, source: SourceConfig) -> Iterator[Row]:
    """Yield a row for each file right in the folder of a piece that is no side-car, sorted by name."""
    entries = [entry for entry in list_folder(piece.file) if not entry.folder]
    by_name = {entry.name: entry for entry in entries if entry.regular}
    for entry in entries:
        name = PurePosixPath(entry.name)
        if name.suffix.lower() in SIDECAR_SUFFIXES or entry.name.startswith("."):
            continue
        locator = f"{piece.file.name}{entry.name}"
        try:
            texts = _sidecar_texts(name, by_name, piece.file, source)
        except (OSError, ValueError, RecursionError) as error:
            yield BrokenRow(place=locator, detail=f"side-car cannot be read: {error}", raw=locator)
            continue
        yield RawRow(
            place=locator,
            cells={"locator": locator, "texts": texts},
            locator=locator,
            start=None,
            end=None,
            texts=make_texts(texts.items()),
        )


def _sidecar_texts(
    video: PurePosixPath, entries: dict[str, Entry], folder: SourceFile, source: SourceConfig
) -> dict[str, Any]:
    """Return texts by kind of a video's side-car, or nothing when there is none."""
    kinds = [kind.value for kind in source.text_kinds] or [TextKind.CAPTION.value]
    plain, structured = entries.get(video.with_suffix(".txt").name), entries.get(video.with_suffix(".json").name)
    if structured is not None:
        document = json.loads(_read(structured, folder))
        if not isinstance(document, dict):
            raise ValueError(
                f"{structured.name} holds a {type(document).__name__}; allowed: an object of texts by kind"
            )
        return {kind: document[kind] for kind in kinds if kind in document}
    if plain is not None:
        return {kinds[0]: _read(plain, folder)}
    return {}


def _read(entry: Entry, folder: SourceFile) -> str:
    with open_file(replace(folder, url=entry.url, name=entry.name)) as file:
        return sidecar_text(file.read(4 * MAX_SIDECAR_CHARS))


def sidecar_text(data: bytes) -> str:
    """Return a side-car's text, with universal line ends; bytes that are no UTF-8 become lone surrogates."""
    text = data.decode("utf-8-sig", "surrogateescape").replace("\r\n", "\n").replace("\r", "\n")
    return text[:MAX_SIDECAR_CHARS]
