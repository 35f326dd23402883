"""The judge job against the same told row by row, on a made-up run with copies and with samples told twice."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl
import pytest

from benchmarks.judge_world import EXACT_ONLY, SCORER, WorldSize, make_run, world_config
from curation.histogram import HistogramCounts
from curation.judging.tables import TABLES
from curation.statistics import yield_bins
from curation.tiers import resolve_cuts
from curation.unit_reading import read_part
from pipelines.duplicates import find_duplicates
from pipelines.finished import scored_units
from pipelines.judge import run_judge, whole_tables
from pipelines.judge_steps import JudgeJob
from pipelines.run_folder import Run
from pipelines.scratch import read_tables
from pipelines.watching import Watcher
from schemas.arrow import SELECTION, read_rows
from schemas.corpus import CorpusConfig
from schemas.ids import bucket_of
from schemas.judging import Weights
from tests.builders import IN_PROCESS
from tests.curation.judging.reference import Judgement, Text, Told, judge

SIZE = WorldSize(sources=3, samples=240, unit_samples=40)
COMPARED = ("histograms", "distributions", "yields", "tiers", "joint", "counts", "group_sizes", "pairs")
CASES: dict[str, dict[str, Any]] = {
    "as it comes": {},
    "rules and targets": {
        "rules": {
            "video": {
                "min_duration_s": 2,
                "max_duration_s": 25,
                "min_flow": 0.01,
                "max_static_share": 0.7,
                "max_text_area": 0.4,
            },
            "text": {"languages": ["en", "und"], "min_words": 5, "max_words": 40},
            "choice": {"by": "kind", "kinds": ["title", "caption"]},
        },
        "signals": {"text_area": True},
        "cuts": {"clean": {"share": 0.4}, "high": {"clips": 60}, "low": {"share": 0.9}},
        "scorer": {"aggregation": "max"},
    },
    "labels, copies inside a source only": {
        "rules": {"video": {"max_black_share": 0.5, "action": "label"}},
        "duplicates": {**EXACT_ONLY, "scope": "source", "exact": {"action": "label"}},
        "cuts": {"clean": 0.25, "high": {"quantile": 0.5}, "low": 0.2},
    },
    "copies are not looked for": {"duplicates": {**EXACT_ONLY, "scope": "off"}, "shards": {"max_samples": 20}},
}


def told_by(run: Run) -> list[Told]:
    """Return everything that the units of a run tell, row by row."""
    units, found = scored_units(run), []
    for name in units.names:
        commit = units.read(name)
        kept = {row["text_id"]: row for row in read_part(run.store, commit, "texts")}
        texts: dict[str, dict[str, dict]] = defaultdict(dict)
        for row in read_part(run.store, commit, "scores"):
            text = texts[row["sample_id"]].setdefault(row["text_id"], {**row, "scores": {}})
            text["scores"][row["aggregation"]] = row["score_1e4"]
        for row in read_part(run.store, commit, "samples"):
            found.append(
                Told(
                    sample_id=row["sample_id"],
                    source=row["source"],
                    unit=name,
                    video=row["video_sha256"],
                    media=row["media_sha256"],
                    media_bytes=row["media_bytes"],
                    duration_us=row["duration_us"],
                    flow=row["flow_1e4"],
                    static=row["static_share_1e4"],
                    black=row["black_share_1e4"],
                    text_area=row["text_area_1e4"],
                    texts=tuple(
                        Text(
                            text_id=text["text_id"],
                            kind=text["kind"],
                            scores=text["scores"],
                            offset_us=text["offset_us"],
                            tokens_cut=text["tokens_cut"],
                            words=kept[text["text_id"]]["words"],
                            language=kept[text["text_id"]]["language"],
                        )
                        for text in texts[row["sample_id"]].values()
                    ),
                )
            )
    return found


def judged(run: Run, config: CorpusConfig, group_samples: int) -> tuple[dict[str, pl.DataFrame], list[dict]]:
    """Run the job with groups of a size; return its tables and the rows of the selection by sample."""
    units = scored_units(run)
    find_duplicates(replace(run, config=config), IN_PROCESS, Watcher(quiet=True), group_samples)
    job = JudgeJob(config=config, units=units, folder=run.fresh_scratch("judge"), partition_bits=2)
    for path in list(run.store.list("selection")):
        run.store.delete(path)
    run_judge(job, [units.read(name) for name in units.names], IN_PROCESS, group_samples)
    rows = [row for path in run.store.list("selection") for row in read_rows(run.store.read(path), SELECTION)]
    return whole_tables(read_tables(str(run.root), job.folder)), sorted(rows, key=lambda row: row["sample_id"])


def as_sums(name: str, frame: pl.DataFrame) -> dict[tuple, tuple]:
    table = TABLES[name]
    rows = frame.select(*table.keys, *table.sums).iter_rows()
    return {row[: len(table.keys)]: row[len(table.keys) :] for row in rows if any(row[len(table.keys) :])}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Run:
    folder = tmp_path_factory.mktemp("made")
    (folder / "in").mkdir()
    return make_run(SIZE, world_config(SIZE, folder / "in"), folder / "run", seed=3)


@pytest.mark.parametrize("case", CASES)
def test_columns_come_to_what_rows_come_to(made: Run, case: str) -> None:
    config = world_config(SIZE, made.root.parent / "in", **CASES[case])
    tables, rows = judged(made, config, group_samples=100)
    cuts = {
        source.name: resolve_cuts(
            config.cuts_of(source), source.origin, yield_bins(tables["yields"].filter(source=source.name))
        )
        for source in config.sources
    }
    expected = judge(told_by(made), config, cuts)
    for name in COMPARED:
        wanted = {key: sums for key, sums in expected.tables[name].items() if any(sums)}
        assert as_sums(name, tables.get(name, TABLES[name].schema.to_frame())) == wanted, name
    assert_rows(rows, expected, config)
    assert any(told for told in expected.tables["counts"] if told[1] == "samples_merged"), "the run tells none twice"


def assert_rows(rows: list[dict], expected: Judgement, config: CorpusConfig) -> None:
    names = ("tier", "text_id", "score_1e4", "offset_us", "duplicate_group", "keeper", "rule")
    found = {row["sample_id"]: (*(row[name] for name in names), row["shard_bucket"] is not None) for row in rows}
    assert found == expected.rows
    assert len({row["offset_us"] for row in rows}) > 2, "speech fits clips of the run at several offsets"
    for place in {(row["tier"], row["source"]) for row in rows}:
        buckets = [(row["sample_id"], row["shard_bucket"]) for row in rows if (row["tier"], row["source"]) == place]
        sharded = [(sample, bucket) for sample, bucket in buckets if bucket is not None]
        bits = next(
            bits
            for bits in range(17)
            if max_count([bucket_of(sample, bits) for sample, _ in sharded]) <= config.shards.max_samples
        )
        assert all(bucket == bucket_of(sample, bits) for sample, bucket in sharded)


def max_count(values: list[int]) -> int:
    return max((values.count(value) for value in set(values)), default=0)


@pytest.mark.parametrize("group_samples", [1, 10_000])
def test_groups_of_any_size_decide_the_same(made: Run, group_samples: int) -> None:
    config = world_config(SIZE, made.root.parent / "in", **CASES["rules and targets"])
    tables, rows = judged(made, config, group_samples=90)
    again, same = judged(made, config, group_samples=group_samples)
    assert same == rows
    assert {name: frame.rows() for name, frame in again.items()} == {
        name: frame.rows() for name, frame in tables.items()
    }


def test_quantiles_are_those_of_the_stored_scores(made: Run) -> None:
    config = world_config(SIZE, made.root.parent / "in", cuts={"high": {"quantile": 0.7}, "low": -1.0})
    tables, rows = judged(made, config, group_samples=100)
    counts = HistogramCounts()
    for row in rows:
        if row["source"] == "s01":
            counts.add(row["score_1e4"])
    cuts = resolve_cuts(config.cuts, config.sources[1].origin, yield_bins(tables["yields"].filter(source="s01")))
    assert cuts.high_1e4 == counts.quantile_1e4(0.7)


def test_weights_follow_tier_source_and_concepts(made: Run) -> None:
    concepts = made.root.parent / "concepts.txt"
    concepts.write_text("clip\nnever named\n")
    config = world_config(
        SIZE,
        made.root.parent / "in",
        cuts={"clean": -1.0, "high": -1.0, "low": -1.0},
        weights={"stage1": {"noisy_high": 0.5}},
        balance={"concepts": str(concepts), "clips_per_concept": 100},
    )
    twice = Weights.model_validate({"stage1": {"noisy_high": 2.0}, "stage2": {"noisy_high": 3.0}})
    heavy = config.sources[2].model_copy(update={"weights": twice})
    config = config.model_copy(update={"sources": (*config.sources[:2], heavy)})
    _, rows = judged(made, config, group_samples=100)
    sharded = sum(row["shard_bucket"] is not None for row in rows)
    share = round(100 / sharded * 10_000)
    found: Mapping[str, set[tuple[int, int]]] = defaultdict(set)
    for row in rows:
        found[row["source"]].add((row["stage1_weight_1e4"], row["stage2_weight_1e4"]))
    assert found == {
        "s00": {(share, 10_000)},
        "s01": {((5_000 * share + 5_000) // 10_000, 10_000)},
        "s02": {(2 * share, 30_000)},
    }


def test_the_scorer_of_the_made_run_is_the_one_judged(made: Run) -> None:
    assert scored_units(made).scoring == SCORER.scoring
