"""For `wids`: an index by which a sample is found by its number.

Addresses are relative to the index, which wids resolves itself, and lead to the shards and not to the links: wids keeps
copies by name, so a name must mean the same bytes for ever. It has no checksums: the format
knows MD5 alone, and wids does not check it when it opens a list of shards.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation.handoff.links import LinkedShard
from schemas.canonical import canonical_json


def wids_json(corpus: str, linked: Sequence[LinkedShard], run: str) -> bytes:
    """Return `wids.json`.

    Args:
        run: path from the hand-off to the run.
    """
    shards = [
        {"url": f"{run}/{shard.facts.path}", "nsamples": shard.facts.samples, "filesize": shard.facts.bytes}
        for shard in linked
    ]
    document = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": corpus, "shardlist": shards}
    return canonical_json(document, indent=2)
