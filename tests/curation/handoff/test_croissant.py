from __future__ import annotations

import json
from typing import Any

from curation.handoff.croissant import Publication, croissant_json
from curation.handoff.links import linked_shards
from tests.curation.handoff.manifests import manifest, shard, source_facts

MANIFEST = manifest(
    shard("clean", "web", 4, 3),
    sources=(source_facts("web"), source_facts("lab", basis="research_exception")),
)


def document(date: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(croissant_json(MANIFEST, linked_shards(MANIFEST), "..", Publication(date=date)))
    return found


def test_a_shard_has_its_own_address_size_and_digest() -> None:
    file = document()["distribution"][0]
    assert file["contentUrl"] == "../shards/clean/web/tiny-clean-web-000004-00000004.tar"
    assert (file["contentSize"], file["sha256"]) == ("10240 B", "00000004" * 8)
    assert file["prov:wasDerivedFrom"] == {"@id": "urn:clipstrata:source:web"}


def test_provenance_names_sources_stages_and_the_tool() -> None:
    found = document()
    assert [own["@id"] for own in found["prov:wasDerivedFrom"]] == [
        "urn:clipstrata:source:web",
        "urn:clipstrata:source:lab",
    ]
    assert [own["@id"] for own in found["prov:wasGeneratedBy"]] == [f"urn:sha256:{c * 64}" for c in "abc"]
    assert found["prov:wasAttributedTo"]["prov:label"].startswith("clipstrata ")


def test_use_conditions_say_what_is_for_research_alone() -> None:
    web, lab = document()["usageInfo"]
    assert web["description"] == "Used as own. Terms: https://example.org/terms"
    assert "odrl:constraint" not in web["odrl:permission"]
    assert lab["odrl:permission"]["odrl:constraint"]["odrl:rightOperand"] == {"@id": "duo:0000042"}


def test_no_date_unless_it_is_said() -> None:
    assert "datePublished" not in document()
    assert document("2026-01-31")["datePublished"] == "2026-01-31"
