from __future__ import annotations

import braceexpand
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.handoff.links import brace_pattern, linked_shards, places
from tests.curation.handoff.manifests import manifest, shard


def test_links_count_without_gaps_where_buckets_have_some() -> None:
    found = linked_shards(
        manifest(shard("clean", "web", 5, 1), shard("clean", "stock", 2, 3), shard("clean", "web", 0, 4))
    )
    assert [(own.name, own.facts.bucket) for own in found] == [
        ("tiny-clean-stock-000000.tar", 2),
        ("tiny-clean-web-000000.tar", 0),
        ("tiny-clean-web-000001.tar", 5),
    ]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(1, "s/tiny-clean-web-000000.tar"), (12, "s/tiny-clean-web-{000000..000011}.tar")],
)
def test_a_pattern_is_short(count: int, expected: str) -> None:
    found = linked_shards(manifest(*(shard("clean", "web", bucket, 1) for bucket in range(count))))
    assert brace_pattern(found, "s/") == expected


@given(st.dictionaries(st.sampled_from(["web", "web_b", "stock"]), st.integers(1, 120), min_size=1))
def test_patterns_give_every_link_once(counts: dict[str, int]) -> None:
    shards = [shard("clean", name, 3 * bucket, 1) for name, count in counts.items() for bucket in range(count)]
    found = linked_shards(manifest(*shards))
    expanded = [name for _, own in places(found) for name in braceexpand.braceexpand(brace_pattern(own))]
    assert expanded == [own.name for own in found]
