"""A folder of videos with side-car text: `a.mp4` beside `a.txt` (one text) or `a.json` (texts by kind)."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.sources.rows import BrokenRow, RawRow, Row, make_texts
from schemas.corpus import SourceConfig
from schemas.records import TextKind

SIDECAR_SUFFIXES = (".txt", ".json")
MAX_SIDECAR_BYTES = 1 << 20


def read_folder(source: SourceConfig) -> Iterator[Row]:
    """Yield a row for each file below the folder that is no side-car, sorted by path."""
    root = Path(source.location)
    for path in sorted(root.rglob("*")):
        if path.is_dir() or path.suffix.lower() in SIDECAR_SUFFIXES or path.name.startswith("."):
            continue
        locator = path.relative_to(root).as_posix()
        try:
            texts = _sidecar_texts(path, source)
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


def _sidecar_texts(video: Path, source: SourceConfig) -> dict[str, Any]:
    """Return texts by kind of a video's side-car, or nothing when there is none."""
    kinds = [kind.value for kind in source.text_kinds] or [TextKind.CAPTION.value]
    plain, structured = video.with_suffix(".txt"), video.with_suffix(".json")
    if structured.is_file():
        document = json.loads(_read(structured))
        if not isinstance(document, dict):
            raise ValueError(
                f"{structured.name} holds a {type(document).__name__}; allowed: an object of texts by kind"
            )
        return {kind: document[kind] for kind in kinds if kind in document}
    if plain.is_file():
        return {kinds[0]: _read(plain)}
    return {}


def _read(path: Path) -> str:
    with path.open(encoding="utf-8-sig", errors="surrogateescape") as file:
        return file.read(MAX_SIDECAR_BYTES)
