"""What a build costs before it runs: amounts of work, measured rates, and the plan that follows from both."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, FiniteFloat, NonNegativeFloat, NonNegativeInt

CostStage = Literal["ingest", "judge", "shard"]
COST_STAGES: tuple[CostStage, ...] = ("ingest", "judge", "shard")


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Workload(_Model):
    """What a build has to do, in the amounts that its cost grows with.

    Attributes:
        videos: files that are fetched and opened.
        clips: that are cut, scored, judged and packed.
        source_s: seconds of video that are decoded.
        source_mpx: millions of pixels that are decoded: frames times width times height.
        clip_mpx: millions of pixels that are encoded, and decoded once more to check them.
        frames_mpx: millions of pixels of score frames.
        score_gflop: what the scorer multiplies and adds, in units of 10**9.
        media_mb: millions of bytes of clips.
    """

    videos: NonNegativeFloat
    clips: NonNegativeFloat
    source_s: NonNegativeFloat
    source_mpx: NonNegativeFloat
    clip_mpx: NonNegativeFloat
    frames_mpx: NonNegativeFloat
    score_gflop: NonNegativeFloat
    media_mb: NonNegativeFloat

    def times(self, factor: float) -> Workload:
        """Return as many such builds in one."""
        return Workload(**{name: value * factor for name, value in self.model_dump().items()})


class StageRates(_Model):
    """What a stage costs.

    Attributes:
        start_cpu_s: once a run, whatever it holds.
        cpu_s: amount of a workload -> CPU seconds of one of it.
    """

    start_cpu_s: NonNegativeFloat
    cpu_s: dict[str, NonNegativeFloat]


class CostModel(_Model):
    """Measured rates (`make bench-costs`).

    Attributes:
        machine: whose seconds these are.
        measured: the day, YYYY-MM-DD.
        held_out: build that the rates know nothing of -> predicted over measured CPU seconds.
        media_mb_per_mpx: of clips, at the default quality.
        frames_mb_per_mpx: of score frames, at the size of the model.
        tables_mb: of a clip: its rows in all tables.
        shuffled_kb: stage -> thousands of bytes that its clips send through shuffles, each.
    """

    schema_name: Literal["clipstrata.costs/1"] = "clipstrata.costs/1"
    machine: str
    measured: str
    code_version: str
    stages: dict[CostStage, StageRates]
    held_out: dict[str, NonNegativeFloat]
    media_mb_per_mpx: NonNegativeFloat
    frames_mb_per_mpx: NonNegativeFloat
    tables_mb: NonNegativeFloat
    shuffled_kb: dict[CostStage, NonNegativeFloat]


class StageCost(_Model):
    """One stage of a plan.

    Attributes:
        core_hours: on cores such as those that were measured.
        wall_hours: on the machines asked for, if work is spread evenly.
        money: core hours at the price asked for; None where no price was given.
    """

    stage: CostStage
    core_hours: NonNegativeFloat
    wall_hours: NonNegativeFloat
    shuffled_gb: NonNegativeFloat
    money: NonNegativeFloat | None


class Reached(_Model):
    """A limit of an engine, a store or of clipstrata itself, and what a plan comes to.

    Attributes:
        where: whose limit it is, and where that is said.
        value, limit: the plan's number and the limit, in the unit that `what` names.
        mend: what to do where it is passed.
    """

    what: str
    where: str
    value: FiniteFloat
    limit: FiniteFloat
    mend: str

    @property
    def is_over(self) -> bool:
        """Whether it bites."""
        return self.value > self.limit


class BuildPlan(_Model):
    """What a build will come to.

    Attributes:
        basis: where the amounts come from: `options`, or the folder of a pilot run.
        gpu_hours: of scoring, on the accelerator asked for; None where scoring is to run on the cores.
        storage_gb: what -> thousands of millions of bytes that it takes in the run.
    """

    corpus: str
    basis: str
    workload: Workload
    machines: NonNegativeInt
    cores: NonNegativeInt
    stages: tuple[StageCost, ...]
    gpu_hours: NonNegativeFloat | None
    storage_gb: dict[str, NonNegativeFloat]
    units: NonNegativeInt
    shards: NonNegativeInt
    limits: tuple[Reached, ...]


class FleetRow(_Model):
    """What a number of workers makes of the ingest, in a simulation.

    Attributes:
        busy_share: of the workers' time that is spent on work that counts.
        lost_hours: worker hours of attempts that were lost.
        tail_minutes: from when the first worker found nothing to do.
        failed: whether a unit used up its attempts.
    """

    workers: NonNegativeInt
    wall_hours: NonNegativeFloat
    busy_share: NonNegativeFloat
    lost_hours: NonNegativeFloat
    tail_minutes: NonNegativeFloat
    failed: bool
