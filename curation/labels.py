"""What people said of sampled clips, kept beside a run, and the precision that follows from it."""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl
from pydantic import ValidationError

from curation.store import Store
from schemas.config_file import ConfigError
from schemas.examples import Label, Pair
from schemas.run import EXAMPLES_PARQUET, LABELS_JSONL
from schemas.statistics import ScorerFacts

BIN_1E4 = 500
# Two-sided 95 % of the normal distribution.
Z_95 = 1.959964


# What a run says of a pair; equal columns in its selection and in its examples.
_PAIR_COLUMNS = ("sample_id", "source", "text_id", "score_1e4")


class RunLabels:
    """Labels in one file of a run, a line each; the last one of a pair under a scoring counts."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()

    def add(self, label: Label) -> None:
        """Append a label; it is on the disk when this returns."""
        with self._lock:
            self._store.append(LABELS_JSONL, label.model_dump_json().encode("utf-8"))

    def all(self) -> tuple[Label, ...]:
        """Return the last label of each pair and scoring, by sample.

        A line that is no JSON was cut off by a crash, and nobody was told that it was kept: it is left out.

        Raises:
            ConfigError: a whole line is no label.
        """
        if not self._store.exists(LABELS_JSONL):
            return ()
        found: dict[tuple[str, str, str], Label] = {}
        for number, line in enumerate(self._store.read(LABELS_JSONL).split(b"\n"), start=1):
            document = _whole(line)
            if document is not None:
                label = self._label(document, number)
                found[label.sample_id, label.text_id, label.scoring] = label
        return tuple(found[key] for key in sorted(found))

    def _label(self, document: Any, number: int) -> Label:
        try:
            return Label.model_validate(document)
        except ValidationError as error:
            raise ConfigError(
                f"{self._store.address}/{LABELS_JSONL}, line {number}: is no label ({error.error_count()} problems); "
                "allowed: what this version's page wrote; remove the line"
            ) from error


def _whole(line: bytes) -> Any | None:
    """Return the document of a line; None for an empty line, or one that was cut off."""
    try:
        return json.loads(line) if line else None
    except ValueError:
        return None


def shown_pairs(store: Store, scorer: ScorerFacts) -> dict[str, Pair]:
    """Return sample -> its pair, for the examples of a judged run: what its page can show."""
    with store.open(EXAMPLES_PARQUET) as file:
        return _pairs(pl.read_parquet(file, columns=list(_PAIR_COLUMNS)), scorer)


def selected_pairs(store: Store, labels: Iterable[Label], scorer: ScorerFacts) -> dict[str, Pair]:
    """Return sample -> its pair now, for labelled samples of a judged run; one that has no text now is left out."""
    wanted: dict[str, list[str]] = {}
    for label in labels:
        wanted.setdefault(label.source, []).append(label.sample_id)
    found: dict[str, Pair] = {}
    for source, samples in wanted.items():
        for path in store.list_prefix(f"selection/{source}-"):
            with store.open(path) as file:
                rows = pl.read_parquet(file, columns=list(_PAIR_COLUMNS))
            found |= _pairs(rows.filter(pl.col("sample_id").is_in(samples)), scorer)
    return found


def _pairs(rows: pl.DataFrame, scorer: ScorerFacts) -> dict[str, Pair]:
    scored = rows.drop_nulls("score_1e4").unique("sample_id").iter_rows(named=True)
    scoring, aggregation = scorer.scoring, scorer.aggregation
    return {row["sample_id"]: Pair(**row, scoring=scoring, aggregation=aggregation) for row in scored}


def current_labels(labels: Iterable[Label], pairs: Mapping[str, Pair]) -> list[Label]:
    """Return the labels that speak of a run as it is now, with the score that it has now.

    A label of a text that no longer stands for its sample, or of another scoring, says nothing of this run's scores.

    Args:
        pairs: sample -> its pair now; a sample that is not there has none.
    """
    found = []
    for label in labels:
        pair = pairs.get(label.sample_id)
        if pair is not None and (label.text_id, label.scoring) == (pair.text_id, pair.scoring):
            found.append(Label(**pair.model_dump(), verdict=label.verdict))
    return found


@dataclass(frozen=True, kw_only=True)
class Precision:
    """Of the clips of one bin that were judged good or a wrong pair, how many are good.

    Attributes:
        low_1e4: lower end of the bin, BIN_1E4 wide.
        low, high: Wilson's 95 % bounds of the share.
    """

    source: str
    low_1e4: int
    good: int
    wrong: int
    unsure: int
    low: float
    high: float


def precision_by_bin(labels: Iterable[Label]) -> list[Precision]:
    """Return the precision of each source and score bin that has a label, by source and bin."""
    counts: dict[tuple[str, int], dict[str, int]] = {}
    for label in labels:
        own = counts.setdefault((label.source, label.score_1e4 // BIN_1E4 * BIN_1E4), {})
        own[label.verdict] = own.get(label.verdict, 0) + 1
    found = []
    for (source, low_1e4), own in sorted(counts.items()):
        good, wrong = own.get("good", 0), own.get("wrong_pair", 0)
        low, high = wilson(good, good + wrong)
        facts = {"good": good, "wrong": wrong, "unsure": own.get("unsure", 0)}
        found.append(Precision(source=source, low_1e4=low_1e4, low=low, high=high, **facts))
    return found


def wilson(good: int, total: int) -> tuple[float, float]:
    """Return Wilson's score interval (1927) of a share at 95 %; of nothing it is (0, 1)."""
    if total == 0:
        return 0.0, 1.0
    share, square = good / total, Z_95 * Z_95
    middle = (share + square / (2 * total)) / (1 + square / total)
    half = Z_95 / (1 + square / total) * math.sqrt(share * (1 - share) / total + square / (4 * total * total))
    return max(0.0, middle - half), min(1.0, middle + half)
