from __future__ import annotations

import polars as pl
import pytest

from curation.handoff.sources import OTHER_DOMAINS, SHOWN_DOMAINS, domain_of, sources_summary
from schemas.corpus import CorpusConfig
from tests.curation.handoff.manifests import manifest, source_facts


@pytest.mark.parametrize(
    ("locator", "domain"),
    [
        ("v/a.mp4", "(files)"),
        ("/data/a.mp4", "(files)"),
        ("file:///data/a.mp4", "(files)"),
        ("https://www.Example.org:8443/a.mp4?x=1", "example.org"),
        ("http://10.0.0.1/a", "10.0.0.1"),
        ("s3://bucket/key/a.mp4", "s3://bucket"),
        ("https:///nowhere", "(unknown)"),
    ],
)
def test_a_locator_lies_at_a_domain(locator: str, domain: str) -> None:
    assert domain_of(locator) == domain


def config() -> CorpusConfig:
    licence = {"name": "CC-BY-4.0", "basis": "own", "terms": "t"}
    source = {"origin": "noisy", "format": "csv", "location": "a.csv", "licence": licence, "text_kinds": ["alt"]}
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [{**source, "name": "web"}]})


def summary_of(domains: list[str | None]) -> object:
    keys = [f"{place:02d}" for place in range(len(domains))]
    samples = pl.DataFrame({"sample_id": keys, "source": "web", "duration_us": [1_000_000] * len(keys)})
    known = [(key, domain) for key, domain in zip(keys, domains, strict=True) if domain is not None]
    locators = pl.DataFrame(known, schema={"sample_id": pl.String, "domain": pl.String}, orient="row")
    return sources_summary(manifest(sources=(source_facts("web"),)), config(), samples, locators)


def test_domains_come_by_hours_and_lose_no_sample() -> None:
    found = summary_of(["b.org", "a.org", "b.org", None])
    assert [(own.domain, own.samples) for own in found.domains] == [("b.org", 2), ("(unknown)", 1), ("a.org", 1)]
    assert [(own.format, own.text_kinds, own.samples) for own in found.types] == [("csv", ("alt",), 4)]


def test_many_domains_are_added_up_after_the_largest() -> None:
    found = summary_of([f"{place:03d}.org" for place in range(SHOWN_DOMAINS + 5)])
    assert len(found.domains) == SHOWN_DOMAINS + 1
    assert (found.domains[-1].domain, found.domains[-1].samples) == (OTHER_DOMAINS, 5)
