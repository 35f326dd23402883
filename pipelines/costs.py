"""`clipstrata plan` as a command: a corpus file, how much of it, and machines -> core hours, bytes, limits."""

from __future__ import annotations

import math
from typing import Any

from rich.console import Console

from curation.costs import (
    ClipScoring,
    ClipShape,
    Fleet,
    Units,
    pilot_workload,
    shipped_model,
    simulate,
    wanted_workload,
)
from curation.costs.plans import Machines, plan_build
from curation.scorers.flops import scorer_work
from curation.stores import open_store
from dashboard.cost_tables import print_costs, print_fleets
from pipelines.finished import finished_ingest
from pipelines.inspecting import EXIT_DONE, Flags, print_json
from pipelines.run_folder import Run, read_run
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig, load_corpus
from schemas.costs import BuildPlan, CostModel, FleetRow, Workload
from schemas.run import RunAddress

FLEETS = (10, 100, 1_000, 10_000)
_HOUR_S, _MINUTE_S = 3600.0, 60.0


def run_plan(arguments: Any, flags: Flags) -> int:
    """Print what a build will come to; with --json as JSON only."""
    _check_amounts(arguments)
    config, model = load_corpus(arguments.corpus), shipped_model()
    machines = Machines(
        count=_positive("--machines", arguments.machines),
        cores=_positive("--cores", arguments.cores),
        core_hour_price=arguments.core_price,
        gpu_tflops=arguments.gpu_tflops,
    )
    workload, basis = _workload(config, model, arguments)
    plan = plan_build(config, workload, model, machines, basis)
    pieces = pieces_of_longest(config, plan) if arguments.simulate else (0, 0.0)
    fleets = [fleet_row(plan, workers, pieces) for workers in FLEETS] if arguments.simulate else []
    if arguments.json:
        print_json({**plan.model_dump(mode="json"), "fleets": [own.model_dump(mode="json") for own in fleets]})
        return EXIT_DONE
    print_costs(Console(), plan, model)
    if fleets:
        print_fleets(Console(), fleets)
    return EXIT_DONE


def pieces_of_longest(config: CorpusConfig, plan: BuildPlan) -> tuple[int, float]:
    """Return in how many pieces the longest video that the corpus allows is cut, and the seconds that each takes."""
    pieces = math.ceil(config.media.max_duration_s / config.long_video_s)
    video_s = plan.stages[0].core_hours * _HOUR_S * config.media.max_duration_s / plan.workload.source_s
    return pieces, video_s / pieces


def fleet_row(plan: BuildPlan, workers: int, pieces: tuple[int, float]) -> FleetRow:
    """Simulate the ingest of a plan on so many workers of one core, with one long video among the others.

    Args:
        pieces: of that video, and the seconds that each takes.
    """
    mean_s = plan.stages[0].core_hours * _HOUR_S / max(1, plan.units)
    units = Units(count=plan.units, mean_s=mean_s, pieces=pieces[0], piece_s=pieces[1])
    found = simulate(units, Fleet(workers=workers))
    return FleetRow(
        workers=workers,
        wall_hours=found.wall_s / _HOUR_S,
        busy_share=found.busy_share,
        lost_hours=found.lost_s / _HOUR_S,
        tail_minutes=found.tail_s / _MINUTE_S,
        failed=found.failed,
    )


def _positive(name: str, number: int) -> int:
    if number < 1:
        raise ConfigError(f"{name} is {number}; allowed: 1 or more")
    return number


# Flags of numbers that are not whole, in the order in which they are looked at.
_AMOUNTS = ("clip_seconds", "clips_per_video", "decoded_seconds", "fps", "core_price", "gpu_tflops")


def _check_amounts(arguments: Any) -> None:
    """Refuse what is no amount.

    Raises:
        ConfigError: one is not a finite number above 0.
    """
    for name in _AMOUNTS:
        value = getattr(arguments, name)
        if value is not None and not 0 < value < math.inf:
            raise ConfigError(f"--{name.replace('_', '-')} is {value}; allowed: a number above 0")


def _workload(config: CorpusConfig, model: CostModel, arguments: Any) -> tuple[Workload, str]:
    work, frames = scorer_work(config.scorer.model), config.scorer.frames
    scoring = ClipScoring(frames_mpx=work.clip_mpx(frames), gflop=work.clip_gflop(frames))
    if arguments.pilot is not None:
        found = _of_pilot(config, arguments.pilot, scoring)
        clips = found.clips if arguments.clips is None else arguments.clips
        return found.times(clips / found.clips), f"the pilot run {arguments.pilot}, {found.clips:,.0f} clips"
    if arguments.clips is None:
        raise ConfigError("--clips: missing; say how many clips are expected, or give a finished run as --pilot RUN")
    shape = ClipShape(
        clip_s=arguments.clip_seconds,
        clips_per_video=arguments.clips_per_video,
        decoded_s=arguments.decoded_seconds,
        source_px=_pixels(arguments.source_size),
        fps=arguments.fps,
    )
    wanted = wanted_workload(config, _positive("--clips", arguments.clips), shape, scoring, model)
    return wanted, f"as asked: {shape.words()}"


def _of_pilot(config: CorpusConfig, pilot: RunAddress, scoring: ClipScoring) -> Workload:
    state = read_run(pilot)
    run = Run(config=config, store=open_store(pilot), state=state)
    try:
        _, _, commits = finished_ingest(run)
    except ValueError as error:
        raise ConfigError(f"--pilot {pilot}: {error}") from error
    found = pilot_workload(run.store, commits, scoring)
    if not found.clips or not found.source_s:
        raise ConfigError(f"--pilot {pilot}: holds no clips; allowed: a run whose ingest kept some")
    return found


def _pixels(size: str) -> float:
    """Return width times height of WxH.

    Raises:
        ConfigError: it is not written like that.
    """
    width, _, height = size.partition("x")
    if not (width.isdecimal() and height.isdecimal() and int(width) and int(height)):
        raise ConfigError(f"--source-size is {size!r}; allowed: WxH in pixels, for example 1280x720")
    return float(int(width) * int(height))
