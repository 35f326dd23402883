"""How a run differs from another one, per source, and how far it may: what `compare` prints and `check` decides by."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.config_file import Strict

DriftSchema = Literal["clipstrata.drift/1"]
DRIFT_SCHEMA: DriftSchema = "clipstrata.drift/1"
# Levels at which quantiles are compared.
DRIFT_QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class SourceDrift(_Model):
    """The scores of one source's chosen texts in two runs; differences are of this run less the other.

    Attributes:
        samples, samples_before: scores in this run and in the other.
        js: Jensen-Shannon divergence of the histograms in bins of 0.001, to base 2: 0 equal, 1 apart.
        psi: population stability index over the other run's tenths.
        ks: Kolmogorov-Smirnov distance: the largest difference of cumulative shares.
        quantiles_1e4: (level, difference) for DRIFT_QUANTILES.
        shares: (from, to, difference of shares) in VideoPrism's buckets.
        trusted: difference of the share of samples that are in a tier with a trusted text; None where one of the
            two is a sum of runs with different cuts, which has no tiers.
    """

    source: str
    samples: int
    samples_before: int
    js: float
    psi: float
    ks: float
    quantiles_1e4: tuple[tuple[float, int], ...]
    shares: tuple[tuple[float, float, float], ...]
    trusted: float | None


class RejectDrift(_Model):
    """What was rejected of one source in two runs, whether it has scores or not.

    Attributes:
        records, records_before: records read in this run and in the other.
        samples, samples_before: samples planned.
        records_rejected, samples_rejected: differences of the shares that were rejected.
    """

    source: str
    records: int
    records_before: int
    records_rejected: float
    samples: int
    samples_before: int
    samples_rejected: float


class Drift(_Model):
    """What `clipstrata compare` prints as JSON.

    Attributes:
        rejects: of the sources that both runs name.
        only_here, only_before: sources with scores in one of the runs.
    """

    schema_name: DriftSchema = DRIFT_SCHEMA
    corpus: str
    corpus_before: str
    sources: tuple[SourceDrift, ...]
    rejects: tuple[RejectDrift, ...]
    only_here: tuple[str, ...]
    only_before: tuple[str, ...]


class SourceLimits(Strict):
    """How far one source may move; None is no limit.

    Attributes:
        max_quantile_shift: of any of DRIFT_QUANTILES, as a cosine.
        max_share_shift: of any of VideoPrism's buckets.
        max_trusted_drop: how far the share of samples with a trusted text may fall.
        max_reject_rise: how far the share of rejected records, or of rejected samples, may rise.
    """

    max_js: float | None = Field(default=None, ge=0.0, le=1.0)
    max_psi: float | None = Field(default=None, ge=0.0)
    max_ks: float | None = Field(default=None, ge=0.0, le=1.0)
    max_quantile_shift: float | None = Field(default=None, ge=0.0, le=2.0)
    max_share_shift: float | None = Field(default=None, ge=0.0, le=1.0)
    max_trusted_drop: float | None = Field(default=None, ge=0.0, le=1.0)
    max_reject_rise: float | None = Field(default=None, ge=0.0, le=1.0)


class DriftLimits(Strict):
    """A file of limits: `clipstrata check RUN --against RUN0 --limits FILE`.

    Attributes:
        all_sources: limits of every source.
        sources: limits of one source, in place of those.
        min_samples: distances of a source with fewer scores in either run are reported and break no limit, but a
            source that had so many and has fewer now breaks this one; rejects are judged from so many records, or
            samples, in both runs on.
        new_sources, lost_sources: whether sources that only one of the runs has are allowed.
    """

    all_sources: SourceLimits = SourceLimits(max_psi=0.2, max_reject_rise=0.05)
    sources: dict[str, SourceLimits] = Field(default_factory=dict)
    min_samples: int = Field(default=200, ge=1)
    new_sources: bool = True
    lost_sources: bool = False


class BrokenLimit(_Model):
    """A limit that was passed: what was measured, and what is allowed."""

    source: str
    limit: str
    measured: float
    allowed: float
