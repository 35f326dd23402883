"""Noticing that a local file changed behind its path: sizes and change times as they were when a unit was worked on.

A unit is known by its rows, which name files by path. What a path leads to may change, and a clock is no part of any
digest, so the note lies under `progress/`; without it a committed unit is believed.
"""

from __future__ import annotations

import json
from pathlib import Path

from curation.store import Store
from curation.unit_plan import UnitPlan

Seen = dict[str, list[int] | None]


def look_at(plan: UnitPlan) -> Seen:
    """Return locator -> [size in bytes, change time in ns] of each file of a unit; None where there is no file."""
    return {video.locator: _look(Path(video.address)) for video in plan.videos}


def _look(path: Path) -> list[int] | None:
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return [found.st_size, found.st_mtime_ns]


def remember(store: Store, plan: UnitPlan, seen: Seen) -> None:
    """Note what a unit's files looked like before it was worked on."""
    store.write(_note_path(plan), json.dumps(seen, sort_keys=True).encode("utf-8"))


def changed_files(store: Store, plan: UnitPlan) -> list[str]:
    """Return the locators whose files are not as they were when the unit was worked on."""
    if not store.exists(_note_path(plan)):
        return []
    before: Seen = json.loads(store.read(_note_path(plan)))
    now = look_at(plan)
    return sorted(locator for locator in now if locator in before and now[locator] != before[locator])


def _note_path(plan: UnitPlan) -> str:
    return f"progress/seen/{plan.media_name}.json"
