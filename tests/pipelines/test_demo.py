from __future__ import annotations

from pathlib import Path

from curation.world import SOURCES
from pipelines.demo import demo_config
from pipelines.world import planted_copies


def test_every_harvesting_method_is_a_source_with_ordered_cuts() -> None:
    config = demo_config(Path("demo-run"))
    assert tuple(source.part for source in config.sources) == SOURCES
    assert [source.name for source in config.sources if source.origin == "clean"] == ["stock"]
    for source in config.sources:
        cuts = config.cuts_of(source)
        assert cuts.low < cuts.high


def test_copies_count_only_when_both_files_are_in_the_corpus() -> None:
    config = demo_config(Path("demo-run"), clips=600)
    all_copies = planted_copies(config)
    some = config.model_copy(update={"sources": config.sources[:2]})
    assert 0 < len(planted_copies(some)) < len(all_copies)
    for pair in planted_copies(some):
        assert all(locator.startswith(SOURCES[:2]) for locator in pair)
