"""When a source has rejected too much: rows that somebody had taken down are no fault of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.statistics import over_reject_limit
from schemas.corpus import CorpusConfig, load_corpus
from schemas.ledger import Ledger
from tests.builders import write_corpus


@pytest.fixture
def config(tmp_path: Path) -> CorpusConfig:
    found = load_corpus(write_corpus(tmp_path / "in"))
    sources = tuple(source.model_copy(update={"max_reject_share": 0.2}) for source in found.sources)
    return found.model_copy(update={"sources": sources})


def ledgers(records_rejected: int, samples_rejected: int) -> dict[str, Ledger]:
    quiet = Ledger(records_read=10, records_expanded=10, samples_planned=10, samples_kept=10)
    stock = Ledger(
        records_read=10,
        records_expanded=10 - records_rejected,
        records_rejected=records_rejected,
        samples_planned=10,
        samples_kept=10 - samples_rejected,
        samples_rejected=samples_rejected,
    )
    return {"stock": stock, "mined": quiet, "silent": quiet}


# (rejected records, rejected samples, of which suppressed) -> how many lines are told
CASES = {
    "nothing rejected": (0, 0, {}, 0),
    "at the limit": (2, 2, {}, 0),
    "records over it": (3, 0, {}, 1),
    "both over it": (3, 3, {}, 2),
    "records that were taken down": (3, 0, {("stock", "record"): 3}, 0),
    "some of them": (4, 0, {("stock", "record"): 3}, 0),
    "too few of them": (4, 0, {("stock", "record"): 2}, 1),
    "another source's": (3, 0, {("mined", "record"): 3}, 1),
    "another ledger's": (3, 0, {("stock", "sample"): 3}, 1),
    "samples that were taken down": (0, 9, {("stock", "sample"): 9}, 0),
}


@pytest.mark.parametrize("case", CASES)
def test_a_source_over_its_limit_is_told(case: str, config: CorpusConfig) -> None:
    records, samples, suppressed, lines = CASES[case]
    assert len(over_reject_limit(config, ledgers(records, samples), suppressed)) == lines
