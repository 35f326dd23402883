"""Judging told row by row, in plain Python: what the columns must come to."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from curation.duplicates import Candidate, GroupDecision, decide_group
from curation.histogram import bin_of
from curation.scoring import AGGREGATIONS
from schemas.canonical import digest_of
from schemas.corpus import CorpusConfig
from schemas.judging import Rules
from schemas.published import VIDEOPRISM_LENGTHS
from schemas.records import Tier
from schemas.statistics import ResolvedCuts


@dataclass(frozen=True, kw_only=True)
class Text:
    text_id: str
    kind: str = "caption"
    scores: Mapping[str, int]
    offset_us: int = 0
    tokens_cut: int = 0
    words: int = 3
    language: str | None = "en"


@dataclass(frozen=True, kw_only=True)
class Told:
    """A sample as one unit tells it."""

    sample_id: str
    source: str
    unit: str
    video: str
    media: str
    media_bytes: int = 1_000
    duration_us: int = 4_000_000
    flow: int = 100
    static: int = 0
    black: int = 0
    text_area: int | None = None
    texts: tuple[Text, ...] = ()


@dataclass
class Judgement:
    """What judging must come to.

    Attributes:
        tables: table -> key -> sums, in the order of the table's columns.
        rows: sample id -> (tier, text id, score, offset, group, keeper, rule, whether it is sharded).
    """

    tables: dict[str, dict[tuple, tuple]] = field(default_factory=dict)
    rows: dict[str, tuple] = field(default_factory=dict)
    cuts: dict[str, ResolvedCuts] = field(default_factory=dict)


def merge(tellings: Sequence[Told]) -> Told:
    ordered = sorted(tellings, key=lambda told: told.unit)
    texts = {text.text_id: text for told in reversed(ordered) for text in told.texts}
    return replace(ordered[0], texts=tuple(texts[name] for name in sorted(texts)))


def admitted(text: Text, rules: Rules) -> bool:
    wanted = rules.text
    spoken = wanted.languages is None or (text.language or "und") in wanted.languages
    long_enough = wanted.min_words is None or text.words >= wanted.min_words
    return spoken and long_enough and (wanted.max_words is None or text.words <= wanted.max_words)


def best_text(told: Told, rules: Rules, aggregation: str) -> Text | None:
    kinds = [kind.value for kind in rules.choice.kinds]

    def order(text: Text) -> tuple:
        known = text.kind in kinds
        rank = (kinds.index(text.kind), "") if known else (len(kinds), text.kind)
        return (rank if rules.choice.by == "kind" else (), -text.scores[aggregation], text.text_id)

    return min((text for text in told.texts if admitted(text, rules)), key=order, default=None)


def nearest_speech(told: Told, aggregation: str) -> int | None:
    """The offset of the speech that fits best, of equals the nearest, then the earlier; None where nothing is said."""
    speech = [(-own.scores[aggregation], abs(own.offset_us), own.offset_us) for own in told.texts if own.kind == "asr"]
    return min(speech)[2] if speech else None


def first_rule(told: Told, rules: Rules) -> str | None:
    video = rules.video
    checks = [
        ("min_duration", video.min_duration_s, lambda bound: told.duration_us < bound * 1_000_000),
        ("max_duration", video.max_duration_s, lambda bound: told.duration_us > bound * 1_000_000),
        ("min_flow", video.min_flow, lambda bound: told.flow < round(bound * 10_000)),
        ("max_static_share", video.max_static_share, lambda bound: told.static > round(bound * 10_000)),
        ("max_black_share", video.max_black_share, lambda bound: told.black > round(bound * 10_000)),
        (
            "max_text_area",
            video.max_text_area,
            lambda bound: told.text_area is None or told.text_area > round(bound * 10_000),
        ),
    ]
    return next((name for name, bound, broken in checks if bound is not None and broken(bound)), None)


def tier_of(score: int | None, cuts: ResolvedCuts) -> Tier:
    if score is None:
        return Tier.VIDEO_ONLY
    if cuts.clean_1e4 is not None and score >= cuts.clean_1e4:
        return Tier.CLEAN
    if score >= cuts.high_1e4:
        return Tier.NOISY_HIGH
    return Tier.NOISY_LOW if score >= cuts.low_1e4 else Tier.VIDEO_ONLY


def span(value: float, starts: Sequence[float]) -> str:
    place = max(index for index, start in enumerate(starts) if value >= start)
    return f"{starts[place]:g}-{starts[place + 1]:g}" if place + 1 < len(starts) else f"{starts[place]:g}+"


def add(table: dict[tuple, tuple], key: tuple, *numbers: int) -> None:
    table[key] = tuple(old + new for old, new in zip(table.get(key, (0,) * len(numbers)), numbers, strict=True))


def node_of(one: Told, config: CorpusConfig) -> str:
    """Return what a sample's clip shows; inside sources only, two sources never show the same."""
    return digest_of(["node", one.source, one.media]) if config.duplicates.scope == "source" else one.media


def judge(told: Iterable[Told], config: CorpusConfig, cuts: Mapping[str, ResolvedCuts]) -> Judgement:
    """Return what judging comes to under cuts that are given."""
    tables: dict[str, dict[tuple, tuple]] = defaultdict(dict)
    tellings: dict[str, list[Told]] = defaultdict(list)
    for one in told:
        tellings[one.sample_id].append(one)
    samples = {name: merge(group) for name, group in tellings.items()}
    rules = {source.name: config.rules_of(source) for source in config.sources}
    origins = {source.name: source.origin for source in config.sources}
    best = {name: best_text(one, rules[one.source], config.scorer.aggregation) for name, one in samples.items()}
    groups: dict[str, list[Candidate]] = defaultdict(list)
    for name, one in samples.items():
        text = best[name]
        passes = first_rule(one, rules[one.source]) is None
        score = None if text is None else text.scores[config.scorer.aggregation]
        own = Candidate(
            sample_id=name,
            node=one.media,
            source=one.source,
            origin=origins[one.source],
            passes=passes,
            pixels=512 * 288,
            score_1e4=score,
        )
        off = config.duplicates.scope == "off"
        groups[name if off else node_of(one, config)].append(own)
    decisions = {d.sample_id: d for key, group in groups.items() for d in decide_group(key, group)}
    found = Judgement(tables=tables, cuts=dict(cuts))
    for name, one in samples.items():
        _count(found, one, best[name], decisions[name], config)
        add(tables["counts"], (one.source, "samples_merged"), len(tellings[name]) - 1)
    for group in groups.values():
        if len(group) > 1:
            add(tables["group_sizes"], (len(group),), 1)
            names = Counter(candidate.source for candidate in group)
            within = [(source, source) for source, count in names.items() if count > 1]
            for pair in [*itertools.combinations(sorted(names), 2), *within]:
                add(tables["pairs"], pair, 1)
    for source in rules:
        videos = len({one.video for one in samples.values() if one.source == source})
        if videos:
            add(tables["counts"], (source, "videos"), videos)
    return found


def _count(found: Judgement, one: Told, text: Text | None, decision: GroupDecision, config: CorpusConfig) -> None:
    tables, source, aggregation = found.tables, one.source, config.scorer.aggregation
    rules = next(config.rules_of(own) for own in config.sources if own.name == source)
    score = None if text is None else text.scores[aggregation]
    rule = first_rule(one, rules)
    by_rule = rule is not None and rules.video.action == "leave_out"
    twin = decision.keeper != one.sample_id and config.duplicates.exact.action == "keep_one"
    sharded = not by_rule and not twin
    tier = tier_of(score, found.cuts[source]).value
    found.rows[one.sample_id] = (
        tier,
        text.text_id if text else None,
        score,
        text.offset_us if text is not None and text.kind == "asr" else nearest_speech(one, aggregation),
        decision.group,
        decision.keeper,
        rule,
        sharded,
    )
    _count_texts(tables, one, text, aggregation)
    _count_signals(tables, one)
    free = (1, one.duration_us, one.media_bytes) if sharded else (0, 0, 0)
    held = (int(by_rule), int(twin and not by_rule))
    add(tables["yields"], (source, None if score is None else bin_of(score)), *free, *held)
    add(tables["tiers"], (source, tier), 1, *free)
    _count_dimensions(tables, one, text, (tier, score, sharded))
    counts = {
        "samples": 1,
        "duration_us": one.duration_us,
        "media_bytes": one.media_bytes,
        "duplicates": int(decision.group is not None),
        "removed_exact": int(twin and not by_rule),
    }
    place = sum(one.duration_us >= start * 1_000_000 for start, _ in VIDEOPRISM_LENGTHS) - 1
    counts[f"length_{place}"] = 1
    if rule is not None:
        counts[f"rule_{rule}"] = 1
    for name, number in counts.items():
        if number:
            add(tables["counts"], (source, name), number)


Tables = dict[str, dict[tuple, tuple]]


def _count_texts(tables: Tables, one: Told, best: Text | None, aggregation: str) -> None:
    for own in one.texts:
        for name in AGGREGATIONS:
            value = own.scores[name]
            add(tables["histograms"], (one.source, own.kind, name, bin_of(value)), 1, value, int(own.tokens_cut > 0))
        add(tables["distributions"], (one.source, "words", None, own.words), 1, own.words)
        add(tables["distributions"], (one.source, "language", own.language or "und", None), 1, 0)
    if best is not None:
        score = best.scores[aggregation]
        key = (one.source, "best", aggregation, bin_of(score))
        add(tables["histograms"], key, 1, score, int(best.tokens_cut > 0))
    nearest = nearest_speech(one, aggregation)
    if nearest is not None:
        add(tables["distributions"], (one.source, "asr_offset_us", None, nearest), 1, nearest)


def _count_signals(tables: Tables, one: Told) -> None:
    steps = {"duration_us": 500_000, "flow_1e4": 50, "static_share_1e4": 500, "black_share_1e4": 500}
    values = {
        "duration_us": one.duration_us,
        "flow_1e4": one.flow,
        "static_share_1e4": one.static,
        "black_share_1e4": one.black,
    }
    for name, step in steps.items():
        add(tables["distributions"], (one.source, name, None, values[name] // step * step), 1, values[name])
    if one.text_area is not None:
        key = (one.source, "text_area_1e4", None, one.text_area // 100 * 100)
        add(tables["distributions"], key, 1, one.text_area)


def _count_dimensions(tables: Tables, one: Told, text: Text | None, judged: tuple[str, int | None, bool]) -> None:
    tier, score, sharded = judged
    dimensions = {
        "text_kind": text.kind if text else "none",
        "language": (text.language or "und") if text else "none",
        "words": span(text.words, (0, 5, 10, 20, 50)) if text else "none",
        "duration_s": span(one.duration_us / 1_000_000, [start for start, _ in VIDEOPRISM_LENGTHS]),
        "flow": span(one.flow / 10_000, (0, 0.005, 0.02, 0.05, 0.1)),
    }
    if one.text_area is not None:
        dimensions["text_area"] = span(one.text_area / 10_000, (0, 0.01, 0.05, 0.2))
    low = None if score is None else score // 500 * 500
    for name, value in dimensions.items():
        key = (one.source, name, value, tier, low)
        add(tables["joint"], key, 1, int(sharded), one.duration_us, one.media_bytes)
