"""For open_clip, and whoever takes its conventions: `sizes.json` beside the shards, and brace patterns.

Its `get_dataset_size` sums `sizes.json` of the first shard's folder by the names of the shards. Its loader decodes
images only, so the mp4 members are for a loader of one's own.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation.handoff.links import LINKS_FOLDER, LinkedShard, brace_pattern, by_shape, places
from schemas.canonical import canonical_json


def sizes_json(linked: Sequence[LinkedShard]) -> bytes:
    """Return `shards/sizes.json`: name of a link -> samples."""
    return canonical_json({shard.name: shard.facts.samples for shard in linked}, indent=2)


def patterns_json(linked: Sequence[LinkedShard]) -> bytes:
    """Return `patterns.json`: the pattern of each tier and source, and all joined by `::`.

    Where shards are split by shape, `shapes` has the pattern of each shape of each tier and source.
    """
    found: dict[str, str] = {}
    shapes: dict[str, dict[str, str]] = {}
    for (tier, source), own in places(linked):
        found[f"{tier}/{source}"] = brace_pattern(own, f"{LINKS_FOLDER}/")
        for shape, alike in by_shape(own):
            if shape:
                shapes.setdefault(shape, {})[f"{tier}/{source}"] = brace_pattern(alike, f"{LINKS_FOLDER}/")
    split = {"shapes": shapes} if shapes else {}
    return canonical_json({"all": "::".join(found.values()), "places": found, **split}, indent=2)
