"""For `wids`: an index by which a sample is found by its number.

Addresses are relative to the index, which wids resolves itself, and lead to the shards. It has no checksums: the format
knows MD5 alone, and wids does not check it when it opens a list of shards.
"""

from __future__ import annotations

from collections.abc import Sequence

from curation.handoff.links import LINKS_FOLDER, LinkedShard
from schemas.canonical import canonical_json


def wids_json(corpus: str, linked: Sequence[LinkedShard]) -> bytes:
    """Return `wids.json`."""
    shards = [
        {"url": f"{LINKS_FOLDER}/{shard.name}", "nsamples": shard.facts.samples, "filesize": shard.facts.bytes}
        for shard in linked
    ]
    document = {"__kind__": "wids-shard-index-v1", "wids_version": 1, "name": corpus, "shardlist": shards}
    return canonical_json(document, indent=2)
