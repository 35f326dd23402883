from __future__ import annotations

from dashboard.drift_tables import drift_table
from schemas.drift import DRIFT_QUANTILES, Drift, SourceDrift

MOVED = SourceDrift(
    source="web",
    samples=1_000,
    samples_before=900,
    js=0.25,
    psi=0.5,
    ks=0.125,
    quantiles_1e4=tuple((level, -100) for level in DRIFT_QUANTILES),
    shares=(),
    trusted=None,
)
DRIFT = Drift(
    corpus="now",
    corpus_before="then",
    sources=(MOVED, MOVED.model_copy(update={"source": "few", "samples_before": 199})),
    rejects=(),
    only_here=("new",),
    only_before=("lost",),
)


def test_each_source_of_either_run_has_a_row() -> None:
    rows = drift_table(DRIFT).rows
    assert rows[0] == ("web", 1_000, 900, 0.25, 0.5, 0.125, -0.01, -0.01, -0.01, -0.01, -0.01, "")
    assert rows[1][-1] == "\u26a0 fewer than 200 scores: rough"
    assert [(row[0], row[1], row[3], row[-1]) for row in rows[2:]] == [
        ("new", None, None, "only in this run"),
        ("lost", None, None, "only in the other run"),
    ]
