"""Noticing that other files lie behind a unit's locators than those that its clips were cut from.

A unit is known by its rows, which name files by path, often below a folder that the corpus file names. What a path
leads to may change, and so may the folder. Where a machine keeps its files and a clock are no part of any digest, so
the note of both lies under `progress/`; without it a committed unit is believed.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from curation.sources.locators import TAR_PREFIX, split_tar
from curation.sources.signing import unsigned_address
from curation.store import Store
from curation.unit_media import read_clips
from curation.unit_plan import UnitPlan
from schemas.ids import stable_id
from schemas.units import neighbour_units

# [id of the place, size in bytes, change time in ns]; size and time are None where there is no local file.
Look = list[str | int | None]
Seen = dict[str, Look]


def look_at(plan: UnitPlan) -> Seen:
    """Return locator -> how its file looks; a member of a tar looks as its tar does."""
    return {video.locator: _look(video.address) for video in plan.videos}


def _look(address: str) -> Look:
    # Places are told apart by id: a run tells nothing of the machines that it was made on, nor of who logs in where.
    place = stable_id("place", unsigned_address(address))
    try:
        found = _path(address).stat()
    except (OSError, ValueError):
        return [place, None, None]
    return [place, found.st_size, found.st_mtime_ns]


def _path(address: str) -> Path:
    return Path(split_tar(address)[0] if address.startswith(TAR_PREFIX) else address)


def remember(store: Store, plan: UnitPlan, seen: Seen) -> None:
    """Note what a unit's files looked like before it was worked on."""
    store.write(_note_path(plan.media_name), json.dumps(seen, sort_keys=True).encode("utf-8"))


def noted_before(store: Store, plan: UnitPlan) -> Seen:
    """Return locator -> how its file looked when it was worked on last, of a plan's videos; files are not looked at."""
    seen: Seen = {}
    for unit in reversed(_worked_on(store, plan.media_name)):
        seen |= _noted(store, unit)
    return {video.locator: seen[video.locator] for video in plan.videos if video.locator in seen}


def changed_files(store: Store, plan: UnitPlan) -> list[str]:
    """Return the locators whose files are not those that clips were cut from: the unit's own, or a neighbour's.

    A file that lies elsewhere now is the same one if it is a local file of the same content.
    """
    now, changed = look_at(plan), set()
    addresses = {video.locator: video.address for video in plan.videos}
    open_ones = set(now)
    for unit in _worked_on(store, plan.media_name):
        before = _noted(store, unit)
        told = open_ones & before.keys()
        moved = {locator for locator in told if before[locator][0] != now[locator][0]}
        digests = _digests(store, unit) if moved else {}
        changed |= {locator for locator in told - moved if before[locator] != now[locator]}
        changed |= {locator for locator in moved if not _holds(addresses[locator], digests.get(locator))}
        if unit == plan.media_name:
            # What the unit itself was cut from is known; what neighbours were cut from is drawn on for the rest alone.
            open_ones -= told
        if not open_ones:
            break
    return sorted(changed)


def _worked_on(store: Store, name: str) -> list[str]:
    """Return the units whose clips may be taken over, the unit itself first."""
    found = [path for prefix in neighbour_units(name) for path in store.list_prefix(f"clips/{prefix}")]
    units = [path.rsplit("/", 1)[1].removesuffix(".json") for path in found]
    return [name, *(unit for unit in units if unit != name)]


def _noted(store: Store, unit: str) -> Seen:
    path = _note_path(unit)
    noted: Seen = json.loads(store.read(path)) if store.exists(path) else {}
    return noted


def _digests(store: Store, unit: str) -> dict[str, str]:
    """Return locator -> SHA-256 of the file that a unit's clips were cut from."""
    clips = read_clips(store, unit)
    videos = [] if clips is None else clips.videos
    return {video.locator: video.outcome["video"]["sha256"] for video in videos if video.outcome["video"] is not None}


def _holds(address: str, digest: str | None) -> bool:
    """Return whether a local file has the content of this digest; what is no plain file might block, and has none."""
    path = Path(address)
    try:
        if digest is None or not path.is_file():
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == digest
    except (OSError, ValueError):
        return False


def _note_path(unit: str) -> str:
    return f"progress/seen/{unit}.json"
