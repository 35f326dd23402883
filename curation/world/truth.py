"""The truth about a world, in a file of its own that only tests and reports read."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from curation.world.records import PlannedText, World, WorldClip, WorldVideo


def _text(planned: PlannedText) -> dict[str, Any]:
    return {
        "kind": planned.text.kind,
        "text": planned.text.text,
        "start_us": planned.text.start_us,
        "end_us": planned.text.end_us,
        "about": planned.about,
        "wrong_pair": planned.wrong_pair,
        "names": list(planned.names),
    }


def _row(video: WorldVideo, clip: WorldClip) -> dict[str, Any]:
    return {
        "source": video.source,
        "locator": video.file_name,
        "start_us": clip.start_us,
        "end_us": clip.end_us,
        "factors": clip.factors.as_dict(),
        "texts": [_text(planned) for planned in clip.texts],
        "copy_of": video.copy_of,
        "broken": video.broken,
    }


def truth_rows(world: World) -> list[dict[str, Any]]:
    """One row for each clip of each video, broken ones too.

    Keys: source, locator, start_us, end_us, factors (name -> value), texts (kind, text, start_us, end_us, about,
    wrong_pair, names), copy_of (locator of the original or None), broken (the way or None).
    """
    return [_row(video, clip) for video in world.videos for clip in video.clips]


def write_truth(world: World, path: Path) -> None:
    """Write `truth_rows` as JSON lines, UTF-8, keys sorted; the file appears whole or not at all."""
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    with part.open("w", encoding="utf-8", newline="\n") as file:
        for row in truth_rows(world):
            file.write(json.dumps(row, sort_keys=True, ensure_ascii=False) + "\n")
    os.replace(part, path)
