"""A media pack: a folder index in JSON lines that names each video file, with a caption where one is known.

Each line has `file`; optional are `caption` and `duration_s`. Three parts (views) make three sources of one pack:

- `captioned`: the first part of each video with its caption;
- `mispaired`: another span of each video with the caption of another one;
- `bare`: whole files without any text, as for a folder of broken media.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from curation.sources.files import SourceFile, open_file
from curation.sources.lines import TOO_LONG, decoded, read_lines
from curation.sources.rows import BrokenRow, RawRow, Row, make_texts, raw_row_bytes
from schemas.config_file import ConfigError
from schemas.corpus import SourceConfig
from schemas.ids import stable_id
from schemas.records import TextKind

PARTS = ("captioned", "mispaired", "bare")
# The captioned span is the first 60 % of a video, at most 10 s; the mispaired one lies in the rest, at most 10 s.
CAPTIONED_SHARE = 0.6
MAX_SPAN_S = 10.0


def checked_part(source: SourceConfig) -> str:
    """Return the source's part; raise ConfigError unless it is one of PARTS."""
    if source.part is None or source.part not in PARTS:
        raise ConfigError(f"sources.{source.name}.part is {source.part!r}; allowed: one of {', '.join(PARTS)}")
    return source.part


def read_mediapack(index: SourceFile, source: SourceConfig, seed: int) -> Iterator[Row]:
    """Yield the rows of one part of a pack, in the index's order.

    Raises:
        ConfigError: the part is not one of PARTS.
    """
    part = checked_part(source)
    entries = list(_entries(index))
    good = [entry for entry in entries if isinstance(entry, dict)]
    captions = _captions_of_others(good, seed) if part == "mispaired" else {}
    for number, entry in enumerate(entries, start=1):
        place = f"{index.name} line {number}"
        if isinstance(entry, str):
            yield BrokenRow(place=place, detail=entry, raw=f"{place}: {entry}")
            continue
        start_s, end_s = span_of_part(part, entry.get("duration_s"))
        caption = captions.get(str(entry.get("file"))) if part == "mispaired" else entry.get("caption")
        texts = {} if part == "bare" else {TextKind.CAPTION.value: caption}
        cells = {"file": entry.get("file"), "start_s": start_s, "end_s": end_s, "texts": texts}
        yield RawRow(
            place=place,
            cells=cells,
            locator=entry.get("file"),
            start=start_s,
            end=end_s,
            texts=make_texts(texts.items()),
        )


def span_of_part(part: str, duration_s: Any) -> tuple[float | None, float | None]:
    """Return the span in seconds that a part takes of a video; a video of unknown length is taken whole."""
    if part == "bare" or not isinstance(duration_s, int | float) or not 0 < duration_s < 1e9:
        return None, None
    middle = round(duration_s * CAPTIONED_SHARE, 3)
    if part == "captioned":
        return 0.0, min(middle, MAX_SPAN_S)
    return middle, round(min(float(duration_s), middle + MAX_SPAN_S), 3)


def _entries(index: SourceFile) -> Iterator[dict[str, Any] | str]:
    with open_file(index) as file:
        for number, (_, line) in enumerate(read_lines(file)):
            if line is None:
                yield TOO_LONG
                continue
            try:
                entry = json.loads(decoded(line, first=number == 0))
            except (ValueError, RecursionError) as error:
                yield f"not JSON: {error}"
                continue
            yield entry if isinstance(entry, dict) else f"a {type(entry).__name__}; allowed: an object"


def _captions_of_others(entries: list[dict[str, Any]], seed: int) -> dict[str, Any]:
    """Return for each file the caption of another file: neighbours in an order by hash, so that none keeps its own."""
    captioned = [entry for entry in entries if entry.get("caption") and isinstance(entry.get("file"), str)]
    order = sorted(captioned, key=lambda entry: stable_id("mispaired", seed, raw_row_bytes({"file": entry["file"]})))
    following = [*order[1:], *order[:1]]
    return {str(entry["file"]): other["caption"] for entry, other in zip(order, following, strict=True)}
