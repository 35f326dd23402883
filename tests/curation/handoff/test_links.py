from __future__ import annotations

import json

import braceexpand
import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.handoff.links import brace_pattern, linked_shards, places
from curation.handoff.open_clip import patterns_json
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


def test_shards_of_a_shape_have_a_pattern_of_their_own() -> None:
    shapes = [("480p", 1), ("240p", 0), ("240p", 1), ("480p", 0), ("480p", 3)]
    shards = [shard("clean", "web", bucket, 1).model_copy(update={"shape": shape}) for shape, bucket in shapes]
    found = json.loads(patterns_json(linked_shards(manifest(*shards))))
    assert found == {
        "all": "shards/tiny-clean-web-{000000..000004}.tar",
        "places": {"clean/web": "shards/tiny-clean-web-{000000..000004}.tar"},
        "shapes": {
            "240p": {"clean/web": "shards/tiny-clean-web-{000000..000001}.tar"},
            "480p": {"clean/web": "shards/tiny-clean-web-{000002..000004}.tar"},
        },
    }
    assert "shapes" not in json.loads(patterns_json(linked_shards(manifest(shard("clean", "web", 0, 1)))))
