"""Amounts, plans and limits, with a made-up cost model whose numbers can be followed by hand."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.costs.limits import DUPLICATE_TASKS, Scale, limits_of
from curation.costs.plans import Machines, plan_build
from curation.costs.workload import ClipScoring, ClipShape, pilot_workload, wanted_workload
from curation.unit_reading import read_part
from pipelines.duplicates import MAX_BITS
from pipelines.finished import finished_ingest
from schemas.corpus import CorpusConfig
from schemas.costs import CostModel, StageRates, Workload
from tests.builders import built_with_fakes

# Of the videos that a fake cutter opens.
FAKE_FPS, FAKE_PX = 25, 4 * 4

MODEL = CostModel(
    machine="test",
    measured="2026-11-30",
    code_version="0",
    stages={
        "ingest": StageRates(start_cpu_s=36.0, cpu_s={"clips": 3.6, "score_gflop": 0.36}),
        "judge": StageRates(start_cpu_s=0.0, cpu_s={"clips": 0.0036}),
        "shard": StageRates(start_cpu_s=0.0, cpu_s={"media_mb": 0.036}),
    },
    held_out={},
    media_mb_per_mpx=0.01,
    frames_mb_per_mpx=0.02,
    tables_mb=0.01,
    shuffled_kb={"ingest": 2.0, "judge": 1.0, "shard": 0.0},
)


def config(**more: object) -> CorpusConfig:
    licence = {"name": "CC0-1.0", "basis": "own", "terms": "made for a test"}
    source = {"name": "stock", "origin": "clean", "format": "csv", "location": "rows.csv", "licence": licence}
    return CorpusConfig.model_validate(
        {"corpus": "films", "sources": [source], "clip": {"short_side_px": 288}, "shards": {"max_mb": 100}, **more}
    )


def test_amounts_of_clips_that_are_described() -> None:
    shape = ClipShape(clip_s=10, clips_per_video=2, decoded_s=15, source_px=1_000_000, fps=20, aspect=1.5)
    found = wanted_workload(config(), 1_000, shape, ClipScoring(frames_mpx=0.4, gflop=0.5), MODEL)
    assert (found.videos, found.clips, found.source_s, found.score_gflop) == (500, 1_000, 15_000, 500)
    assert found.frames_mpx == pytest.approx(400)
    assert found.source_mpx == pytest.approx(15_000 * 20)
    assert found.clip_mpx == pytest.approx(1_000 * 10 * 20 * 288 * 288 * 1.5 / 1e6)
    assert found.media_mb == pytest.approx(found.clip_mpx * 0.01)
    assert "15 s decoded for each" in shape.words() and "1.00 million pixels" in shape.words()


def test_amounts_of_a_finished_run_are_those_of_its_units(tmp_path: Path) -> None:
    run = built_with_fakes(tmp_path)
    _, _, commits = finished_ingest(run)
    found = pilot_workload(run.store, commits, ClipScoring(frames_mpx=0.5, gflop=2.0))
    rows = [row for commit in commits for row in read_part(run.store, commit, "samples")]
    clips = {row["clip_id"]: row for row in rows}
    assert found.clips == len(clips) > 0 and found.times(10).clips == 10 * found.clips
    assert (found.score_gflop, found.frames_mpx) == (2.0 * len(clips), 0.5 * len(clips))
    pixels = sum(row["frames"] * row["width_px"] * row["height_px"] for row in clips.values())
    assert found.clip_mpx == pytest.approx(pixels / 1e6)
    assert found.media_mb == pytest.approx(sum(row["media_bytes"] for row in clips.values()) / 1e6)
    assert found.videos > 0 and found.source_mpx == pytest.approx(found.source_s * FAKE_FPS * FAKE_PX / 1e6)
    assert pilot_workload(run.store, [], ClipScoring(frames_mpx=0.5, gflop=2.0)).clips == 0


WORK = Workload(
    videos=1_000,
    clips=1_000,
    source_s=10_000,
    source_mpx=1,
    clip_mpx=1,
    frames_mpx=1_000,
    score_gflop=1_000,
    media_mb=100_000,
)


def test_a_plan_is_amounts_times_rates_on_machines() -> None:
    found = plan_build(config(), WORK, MODEL, Machines(count=2, cores=5, core_hour_price=0.5), "as asked")
    hours = {own.stage: own.core_hours for own in found.stages}
    assert hours == pytest.approx({"ingest": 0.01 + 1.0 + 0.1, "judge": 0.001, "shard": 1.0})
    assert [own.wall_hours for own in found.stages] == pytest.approx([0.111, 0.0001, 0.1])
    assert [own.money for own in found.stages] == pytest.approx([0.555, 0.0005, 0.5])
    assert found.stages[0].shuffled_gb == pytest.approx(0.002)
    assert found.storage_gb == pytest.approx({"clips": 100.0, "score frames": 0.02, "tables": 0.01, "shards": 100.01})
    assert (found.units, found.shards, found.gpu_hours) == (64, 1334, None)


def test_scoring_on_an_accelerator_costs_its_hours_and_no_cores() -> None:
    found = plan_build(config(), WORK, MODEL, Machines(count=1, cores=1, gpu_tflops=0.001), "as asked")
    assert found.stages[0].core_hours == pytest.approx(0.01 + 1.0)
    assert found.gpu_hours == pytest.approx(1_000 / 1e3 / 0.001 / 3600)
    assert found.stages[0].money is None


def over(**numbers: float) -> set[str]:
    plain = {"clips": 1e6, "sources": 4, "units": 10_000, "shards": 500, "machines": 10, "workers": 80}
    scale = Scale(**{**plain, "objects_per_s": 100.0, **numbers})
    return {own.what for own in limits_of(scale) if own.is_over}


@pytest.mark.parametrize(
    ("numbers", "what"),
    [
        ({"units": 300_000}, "MB of unit names in the graph of judge"),
        ({"units": 5_000_000}, "GB of unit commits that the driver holds"),
        ({"shards": 600_000}, "MB of a manifest"),
        ({"shards": 300_000, "sources": 4}, "shards of one source, on average"),
        ({"clips": 618e6}, "clips that one task of the search for duplicates compares"),
        ({"machines": 5_000}, "machines"),
        ({"workers": 40_000}, "parallel tasks"),
        ({"objects_per_s": 5_000.0}, "objects written a second before S3 has split the prefixes"),
        ({"objects_per_s": 1e6}, "objects written a second, of 256 prefixes of media/"),
        ({"workers": 2_000}, "cores for each unit of work"),
    ],
)
def test_each_limit_bites_where_it_is_passed(numbers: dict[str, float], what: str) -> None:
    assert over() == set()
    assert what in over(**numbers)


def test_limits_that_bite_come_first_and_say_what_to_do() -> None:
    scale = Scale(clips=1e6, sources=4, units=10_000, shards=500, machines=9_000, workers=80, objects_per_s=1.0)
    found = limits_of(scale)
    assert found[0].what == "machines" and "split the corpus" in found[0].mend
    assert DUPLICATE_TASKS == 1 << MAX_BITS


@pytest.mark.parametrize(("videos", "units"), [(10, 1), (1_040, 128), (70_000, 8_192)])
def test_units_of_a_source_are_a_power_of_two(videos: float, units: int) -> None:
    work = WORK.model_copy(update={"videos": videos})
    assert plan_build(config(), work, MODEL, Machines(count=1, cores=1), "as asked").units == units
