from __future__ import annotations

import json

from schemas.manifest import BucketPlan, Manifest
from tests.curation.handoff.manifests import manifest, shard


def test_a_manifest_speaks_of_shapes_only_where_there_are_some() -> None:
    plain, shaped = shard("clean", "web", 0, 1), shard("clean", "web", 1, 1).model_copy(update={"shape": "480p"})
    plan = (
        BucketPlan(tier="clean", source="web", bits=0),
        BucketPlan(tier="clean", source="web", shape="480p", bits=1),
    )
    written = manifest(plain, shaped).model_copy(update={"plan": tuple(plan)})
    told = json.loads(written.to_bytes())
    assert (
        ["shape" in facts for facts in told["shards"]] == ["shape" in facts for facts in told["plan"]] == [False, True]
    )
    assert Manifest.model_validate_json(written.to_bytes()) == written
