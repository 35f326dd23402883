"""A small world of statistics with literal numbers, for the dashboard's tests."""

from __future__ import annotations

from schemas.statistics import (
    DuplicatePair,
    DuplicateStatistics,
    LedgerCounts,
    ReasonCount,
    ResolvedCuts,
    RuleCount,
    ScoreHistogram,
    ScorerFacts,
    SourceStatistics,
    Statistics,
    TierCounts,
)

HOUR_US = 3_600_000_000


def histogram(*, text_kind: str = "best", aggregation: str = "mean", truncated: int = 0) -> ScoreHistogram:
    """Ten scores: three in [0.180, 0.181), five in [0.250, 0.251), two in [0.360, 0.361)."""
    return ScoreHistogram(
        text_kind=text_kind,
        aggregation=aggregation,
        count=10,
        sum_1e4=25_100,
        underflow=0,
        overflow=0,
        counts=((1180, 3), (1250, 5), (1360, 2)),
        mean_1e4=2510,
        minimum_1e4=1800,
        maximum_1e4=3600,
        quantiles_1e4=tuple(
            zip((0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99), (1800, 1800, 1800, 2500, 2500, 3600, 3600), strict=True)
        ),
        bucket_shares=((-1.0, 0.2, 0.3), (0.2, 0.25, 0.0), (0.25, 0.3, 0.5), (0.3, 0.35, 0.0), (0.35, 1.0, 0.2)),
        truncated_texts=truncated,
    )


def one_score() -> ScoreHistogram:
    """A histogram of the single score 0.3."""
    levels = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)
    return ScoreHistogram(
        text_kind="best",
        aggregation="mean",
        count=1,
        sum_1e4=3000,
        underflow=0,
        overflow=0,
        counts=((1300, 1),),
        mean_1e4=3000,
        minimum_1e4=3000,
        maximum_1e4=3000,
        quantiles_1e4=tuple((level, 3000) for level in levels),
        bucket_shares=((-1.0, 0.2, 0.0), (0.2, 0.25, 0.0), (0.25, 0.3, 0.0), (0.3, 0.35, 1.0), (0.35, 1.0, 0.0)),
        truncated_texts=0,
    )


def no_scores() -> ScoreHistogram:
    """A histogram of a source whose samples have no score."""
    return ScoreHistogram(
        text_kind="best",
        aggregation="mean",
        count=0,
        sum_1e4=0,
        underflow=0,
        overflow=0,
        counts=(),
        mean_1e4=None,
        minimum_1e4=None,
        maximum_1e4=None,
        quantiles_1e4=(),
        bucket_shares=(),
        truncated_texts=0,
    )


def ledger(**changed: int) -> LedgerCounts:
    """Twenty records read, twelve samples planned, ten kept; `changed` makes it lie."""
    counts = {
        "records_read": 20,
        "records_expanded": 12,
        "records_merged": 3,
        "records_rejected": 5,
        "samples_planned": 12,
        "samples_kept": 10,
        "samples_rejected": 2,
        "texts_kept": 18,
        "texts_dropped": 4,
    }
    return LedgerCounts(**(counts | changed))


def source(
    name: str = "web_alt",
    *,
    origin: str = "noisy",
    licence: str = "CC-BY-4.0",
    counts: LedgerCounts | None = None,
    histograms: tuple[ScoreHistogram, ...] | None = None,
) -> SourceStatistics:
    """Ten samples of half an hour and 2 MB in two tiers."""
    return SourceStatistics(
        name=name,
        origin=origin,
        licence=licence,
        ledger=counts or ledger(),
        samples=10,
        samples_merged=0,
        videos=4,
        duration_us=5 * HOUR_US,
        media_bytes=20_000_000,
        cuts=ResolvedCuts(clean_1e4=2400 if origin == "clean" else None, high_1e4=2500, low_1e4=2000),
        histograms=(histogram(), histogram(text_kind="alt", aggregation="max")) if histograms is None else histograms,
        tiers=(
            TierCounts(
                tier="noisy_high", samples=7, samples_sharded=6, duration_us=HOUR_US * 7 // 2, media_bytes=14_000_000
            ),
            TierCounts(
                tier="video_only", samples=3, samples_sharded=3, duration_us=HOUR_US * 3 // 2, media_bytes=6_000_000
            ),
        ),
        rejects=(
            ReasonCount(stage="read", scope="record", reason="field_missing", count=5),
            ReasonCount(stage="media", scope="sample", reason="bad_container", count=2),
        ),
        rules=(RuleCount(rule="min_flow", samples=1),),
        left_out_by_rule=0,
        left_out_as_duplicate=1,
        duplicates=1,
        lengths=(1, 2, 6, 1, 0),
    )


def statistics(*sources: SourceStatistics) -> Statistics:
    """A corpus of the given sources, or of one clean and one noisy one."""
    return Statistics(
        corpus="small",
        scorer=ScorerFacts(
            name="tiny", digest="ab" * 32, frame_plan="4 frames, evenly spaced", aggregation="mean", prompt="{text}"
        ),
        sources=sources or (source("stock", origin="clean"), source("web_alt")),
        duplicates=DuplicateStatistics(
            scope="corpus",
            action="keep_one",
            groups=2,
            samples_in_groups=5,
            samples_removed=3,
            pairs=(
                DuplicatePair(source="stock", other="web_alt", groups=1),
                DuplicatePair(source="web_alt", other="web_alt", groups=2),
            ),
            largest=(3, 2),
        ),
    )
