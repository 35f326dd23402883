from __future__ import annotations

import pytest

from schemas.ledger import Ledger, LedgerError

GOOD = Ledger(
    records_read=10,
    records_expanded=6,
    records_merged=1,
    records_rejected=3,
    samples_planned=6,
    samples_kept=5,
    samples_rejected=1,
)


def test_ledgers_that_add_up_pass_and_sum() -> None:
    GOOD.check("source a")
    both = GOOD + GOOD
    both.check("source a")
    assert (both.records_read, both.samples_rejected) == (20, 2)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"records_read": 11}, "source a: 11 records read, but 6 expanded \\+ 1 merged \\+ 3 rejected = 10"),
        ({"records_merged": 2}, "10 records read, but 6 expanded \\+ 2 merged"),
        ({"samples_kept": 4}, "6 samples planned, but 4 kept \\+ 1 rejected = 5"),
        ({"samples_planned": 5, "samples_kept": 4}, "6 records expanded, but 5 samples planned"),
    ],
)
def test_a_lost_or_doubled_item_is_an_error(change: dict[str, int], message: str) -> None:
    with pytest.raises(LedgerError, match=message):
        Ledger(**{**vars(GOOD), **change}).check("source a")
