"""What the page of a run is made of, read from the run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass
from typing import TypeVar

from pydantic import BaseModel

from curation.drift import compare_runs
from curation.labels import RunLabels, current_labels, precision_by_bin, selected_pairs
from curation.run_examples import read_examples
from curation.run_groups import read_groups
from curation.store import Store
from dashboard import PageFacts
from dashboard.feed import STAGE_SAMPLES, Feed, LabelRow
from schemas.config_file import ConfigError, parse_document
from schemas.drift import Drift
from schemas.evaluation import Evaluation
from schemas.examples import Label
from schemas.manifest import Manifest
from schemas.run import (
    EVALUATION_JSON,
    JOINT_PARQUET,
    REJECT_EXAMPLES_PARQUET,
    YIELDS_PARQUET,
    summary_path,
)
from schemas.statistics import Statistics
from schemas.training import TrainingSummary

# Clips that a page holds with their texts, about 400 bytes each: all of a demo's, and 400 of each of fifty sources.
MOST_EXAMPLES = 20_000

Document = TypeVar("Document", bound=BaseModel)


@dataclass(frozen=True, kw_only=True)
class PageWishes:
    """What the caller wants of a page.

    Attributes:
        other: statistics of a run to compare with.
        served: a server stands behind it.
    """

    other: Statistics | None = None
    served: bool = False


def page_facts(
    store: Store,
    statistics: Statistics,
    manifest: Manifest,
    planted: tuple[int, int] | None,
    wishes: PageWishes | None = None,
) -> PageFacts:
    """Return what the page says beside the statistics."""
    wishes = wishes or PageWishes()
    training, evaluation = trained(store)
    scorer = statistics.scorer
    labels = RunLabels(store).all()
    current = current_labels(labels, selected_pairs(store, labels, scorer))
    stages = {summary.stage: summary.samples for summary in training}
    feed = Feed(
        yields=store.read(YIELDS_PARQUET),
        joint=store.read(JOINT_PARQUET),
        reject_examples=store.read(REJECT_EXAMPLES_PARQUET),
        examples=read_examples(store, scorer.scoring, scorer.aggregation, MOST_EXAMPLES),
        groups=read_groups(store, statistics),
        shards=manifest.shards,
        labels=label_rows(current),
        shard_states=shard_states(store, manifest),
        other=wishes.other,
        drift=drift_from(statistics, wishes.other),
        stage_samples=(stages.get(1, STAGE_SAMPLES[0]), stages.get(2, STAGE_SAMPLES[1])),
    )
    return PageFacts(
        title=manifest.corpus,
        manifest_version=manifest.version,
        shards=len(manifest.shards),
        shard_bytes=sum(shard.bytes for shard in manifest.shards),
        planted_duplicates=None if planted is None else {"copied files": {"planted": planted[0], "found": planted[1]}},
        training=training,
        evaluation=evaluation,
        feed=feed,
        served=wishes.served,
    )


def shard_states(store: Store, manifest: Manifest) -> dict[str, str]:
    """Return path -> what is wrong with a shard's file, by what a listing tells; `verify` reads the bytes."""
    found: dict[str, str] = {}
    for shard in manifest.shards:
        if not store.exists(shard.path):
            found[shard.path] = "missing"
        elif store.size(shard.path) != shard.bytes:
            found[shard.path] = "of another size"
    return found


def drift_from(statistics: Statistics, other: Statistics | None) -> Drift | None:
    """Return how far a run lies from another one; None where there is none, or their scores do not compare."""
    if other is None:
        return None
    try:
        return compare_runs(statistics, other)
    except ConfigError:
        return None


def label_rows(labels: Sequence[Label]) -> list[LabelRow]:
    """Return the rows of the page's table of labels."""
    return [astuple(found) for found in precision_by_bin(labels)]


def trained(store: Store) -> tuple[tuple[TrainingSummary, ...], Evaluation | None]:
    """Return the summaries of a run's finished training stages and its evaluation, as far as they are there.

    An evaluation of other weights than the stages hold now (one was trained again since) is left out, and so is one
    where no stage is finished.

    Raises:
        ConfigError: one of these files cannot be read.
    """
    parsed = [_parsed(store, summary_path(stage), TrainingSummary) for stage in (1, 2)]
    summaries = tuple(found for found in parsed if found is not None)
    evaluation = _parsed(store, EVALUATION_JSON, Evaluation)
    current = evaluation is not None and evaluation.is_of(summary.weights_sha256 for summary in summaries)
    return summaries, evaluation if current else None


def _parsed(store: Store, path: str, model: type[Document]) -> Document | None:
    if not store.exists(path):
        return None
    return parse_document(store.read(path), model, what=path, mend="remove it, and train or evaluate again")
