"""Croissant 1.1: what the shards are, how a generic reader gets at their records, where they come from, on what terms.

`mlcroissant` validates it and reads the records. Provenance is PROV-O: shards come from sources, the whole from three
activities known by their fingerprints. Use conditions are one ODRL offer per source, with its licence, basis and terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from curation.handoff.links import LinkedShard
from schemas.canonical import canonical_json
from schemas.manifest import Manifest, SourceFacts
from schemas.run import CODE_VERSION
from schemas.shards import FACTS_SUFFIX, MEDIA_SUFFIX, TEXT_SUFFIX

_CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "arrayShape": "cr:arrayShape",
    "citeAs": "cr:citeAs",
    "column": "cr:column",
    "conformsTo": "dct:conformsTo",
    "containedIn": "cr:containedIn",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "duo": "http://purl.obolibrary.org/obo/DUO_",
    "equivalentProperty": "cr:equivalentProperty",
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "extract": "cr:extract",
    "field": "cr:field",
    "fileObject": "cr:fileObject",
    "fileProperty": "cr:fileProperty",
    "fileSet": "cr:fileSet",
    "format": "cr:format",
    "includes": "cr:includes",
    "isArray": "cr:isArray",
    "isLiveDataset": "cr:isLiveDataset",
    "jsonPath": "cr:jsonPath",
    "key": "cr:key",
    "md5": "cr:md5",
    "name": {"@container": "@language"},
    "odrl": "http://www.w3.org/ns/odrl/2/",
    "parentField": "cr:parentField",
    "path": "cr:path",
    "prov": "http://www.w3.org/ns/prov#",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "recordSet": "cr:recordSet",
    "references": "cr:references",
    "regex": "cr:regex",
    "repeated": "cr:repeated",
    "replace": "cr:replace",
    "samplingRate": "cr:samplingRate",
    "sc": "https://schema.org/",
    "separator": "cr:separator",
    "source": "cr:source",
    "subField": "cr:subField",
    "transform": "cr:transform",
}


@dataclass(frozen=True, kw_only=True)
class _Kind:
    """One kind of member: a file set and a record set of it."""

    name: str
    suffix: str
    encoding: str
    fields: tuple[dict[str, Any], ...]


def _content(data_type: str, words: str) -> dict[str, Any]:
    return {"name": "content", "dataType": data_type, "description": words, "extract": {"fileProperty": "content"}}


def _key(suffix: str) -> dict[str, Any]:
    words = "The sample's id; the same in all record sets."
    extract = {"extract": {"fileProperty": "filename"}, "transform": {"regex": f"^(.+)\\.{suffix}$"}}
    return {"name": "key", "dataType": "sc:Text", "description": words, **extract}


_KINDS = (
    _Kind(
        name="facts",
        suffix=FACTS_SUFFIX,
        encoding="application/json",
        fields=(
            _key(FACTS_SUFFIX),
            _content("sc:Text", "Facts as JSON: source, tier, all texts with scores, signals."),
        ),
    ),
    _Kind(
        name="clips",
        suffix=MEDIA_SUFFIX,
        encoding="video/mp4",
        fields=(_key(MEDIA_SUFFIX), _content("sc:VideoObject", "The clip.")),
    ),
    _Kind(
        name="texts",
        suffix=TEXT_SUFFIX,
        encoding="text/plain",
        fields=(_key(TEXT_SUFFIX), _content("sc:Text", "The chosen text; clips whose text is not trusted have none.")),
    ),
)
# The one basis that binds every use to research: DUO's "general research use".
_RESEARCH_ONLY = "research_exception"


@dataclass(frozen=True, kw_only=True)
class Publication:
    """What a run cannot know of its own publication.

    Attributes:
        date: `datePublished`, ISO 8601; left out when None, since nothing here may hang on a clock.
        url: where the data set is described.
    """

    date: str | None = None
    url: str | None = None


def croissant_json(manifest: Manifest, linked: Sequence[LinkedShard], run: str, published: Publication) -> bytes:
    """Return `croissant.json`.

    Args:
        run: path from the hand-off to the run. Addresses lead to the shards and not to the links: `mlcroissant` keeps
            what it unpacked by address, so an address must mean the same bytes for ever.
    """
    hours = sum(shard.duration_us for shard in manifest.shards) / 3.6e9
    samples = sum(shard.samples for shard in manifest.shards)
    document: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": "http://mlcommons.org/croissant/1.1",
        "name": manifest.corpus,
        "description": f"{samples} video clips of {hours:.3f} hours with texts and scores, in {len(linked)} shards.",
        "version": f"{manifest.version}.0.0",
        "license": sorted({source.licence for source in manifest.sources}),
        "usageInfo": [_offer(source) for source in manifest.sources],
        "distribution": [*(_file(shard, run) for shard in linked), *(_file_set(kind, linked) for kind in _KINDS)],
        "recordSet": [_record_set(kind) for kind in _KINDS],
        "prov:wasDerivedFrom": [_source(source) for source in manifest.sources],
        "prov:wasGeneratedBy": _activities(manifest),
        "prov:wasAttributedTo": {"@type": "prov:SoftwareAgent", "prov:label": f"clipstrata {CODE_VERSION}"},
        **({"datePublished": published.date} if published.date else {}),
        **({"url": published.url} if published.url else {}),
    }
    return canonical_json(document, indent=2)


def _urn(source: str) -> str:
    return f"urn:clipstrata:source:{source}"


def _source(source: SourceFacts) -> dict[str, Any]:
    label = f"{source.name}: {source.origin}, {source.licence}"
    return {"@type": "prov:Entity", "@id": _urn(source.name), "prov:label": label}


def _activities(manifest: Manifest) -> list[dict[str, Any]]:
    prints = manifest.fingerprints
    stages = (("ingest", prints.ingest), ("judge", prints.judge), ("shard", prints.shard))
    return [
        {"@type": "prov:Activity", "@id": f"urn:sha256:{digest}", "prov:label": f"clipstrata {stage}"}
        for stage, digest in stages
    ]


def _offer(source: SourceFacts) -> dict[str, Any]:
    permission: dict[str, Any] = {
        "@type": "odrl:Permission",
        "odrl:target": {"@id": _urn(source.name)},
        "odrl:action": {"@id": "odrl:use"},
    }
    if source.basis == _RESEARCH_ONLY:
        permission["odrl:constraint"] = {
            "@type": "odrl:Constraint",
            "odrl:leftOperand": {"@id": "odrl:purpose"},
            "odrl:operator": {"@id": "odrl:isA"},
            "odrl:rightOperand": {"@id": "duo:0000042"},
        }
    return {
        "@type": ["CreativeWork", "odrl:Offer"],
        "name": f"Source {source.name}: {source.licence}",
        "description": f"Used as {source.basis}. Terms: {source.terms}",
        "odrl:permission": permission,
    }


def _file(shard: LinkedShard, run: str) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": shard.name,
        "name": shard.name,
        "contentUrl": f"{run}/{shard.facts.path}",
        "contentSize": f"{shard.facts.bytes} B",
        "encodingFormat": "application/x-tar",
        "sha256": shard.facts.sha256,
        "prov:wasDerivedFrom": {"@id": _urn(shard.facts.source)},
    }


def _file_set(kind: _Kind, linked: Sequence[LinkedShard]) -> dict[str, Any]:
    return {
        "@type": "cr:FileSet",
        "@id": f"{kind.name}-files",
        "name": f"{kind.name}-files",
        "containedIn": [{"@id": shard.name} for shard in linked],
        "encodingFormat": kind.encoding,
        "includes": f"*.{kind.suffix}",
    }


def _record_set(kind: _Kind) -> dict[str, Any]:
    return {
        "@type": "cr:RecordSet",
        "@id": kind.name,
        "name": kind.name,
        "key": {"@id": f"{kind.name}/key"},
        "field": [_field(kind, own) for own in kind.fields],
    }


def _field(kind: _Kind, own: Mapping[str, Any]) -> dict[str, Any]:
    reading = {name: own[name] for name in ("extract", "transform") if name in own}
    name = f"{kind.name}/{own['name']}"
    return {
        "@type": "cr:Field",
        "@id": name,
        "name": name,
        "description": own["description"],
        "dataType": own["dataType"],
        "source": {"fileSet": {"@id": f"{kind.name}-files"}, **reading},
    }
