"""A unit's rows as they come back from its parts."""

from __future__ import annotations

from pathlib import Path

from curation.stored_rows import stored_input
from curation.unit_plan import plan_unit
from tests.builders import fake_facts, ingest_with_fakes, unit_inputs, write_corpus

MORE = """v/a.mp4,0,2," a   red circle "
v/offline.mp4,0,2,far away
"""


def test_a_unit_is_planned_alike_from_its_source_and_from_its_parts(tmp_path: Path) -> None:
    corpus = write_corpus(tmp_path / "in")
    with (tmp_path / "in" / "stock.csv").open("a") as file:
        file.write(MORE)
    config, store, commits = ingest_with_fakes(corpus, tmp_path / "run")
    sources = {source.name: source for source in config.sources}
    plans = {}
    for unit in unit_inputs(config):
        plan = plan_unit(unit, sources[unit.source], fake_facts(config))
        plans[plan.name] = plan
    assert set(plans) == {commit.unit for commit in commits}
    for commit in commits:
        unit = stored_input(store, commit, sources[commit.source])
        again = plan_unit(unit, sources[commit.source], fake_facts(config))
        wanted = plans[commit.unit]
        assert (again.name, again.media_name, again.rows_read) == (wanted.name, wanted.media_name, wanted.rows_read)
        assert again.rejects == wanted.rejects
        told = [(record.locator, record.texts, record.dropped_texts) for record in again.records]
        assert told == [(record.locator, record.texts, record.dropped_texts) for record in wanted.records]
