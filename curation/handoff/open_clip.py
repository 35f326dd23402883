"""For open_clip, and whoever takes its conventions: `sizes.json` beside the shards, and brace patterns.

Its `get_dataset_size` sums `sizes.json` of the first shard's folder by the names of the shards. Its loader decodes
images only, so the mp4 members are for a loader of one's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation.handoff.links import LINKS_FOLDER, LinkedShard, brace_pattern, places
from schemas.canonical import canonical_json


def sizes_json(linked: Sequence[LinkedShard]) -> bytes:
    """Return `shards/sizes.json`: name of a link -> samples."""
    return canonical_json({shard.name: shard.facts.samples for shard in linked}, indent=2)


def patterns_json(linked: Sequence[LinkedShard]) -> bytes:
    """Return `patterns.json`: the pattern of each tier and source, and all joined by `::`."""
    found = {f"{tier}/{source}": brace_pattern(own, f"{LINKS_FOLDER}/") for (tier, source), own in places(linked)}
    return canonical_json({"all": "::".join(found.values()), "places": found}, indent=2)
