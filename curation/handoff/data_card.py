"""The data card: what a reader of the shards should know, as Markdown, with a head by which Hugging Face opens them.

`datasets.load_dataset(HANDOFF)` reads the YAML head: one config for all shards and one per tier and source, and the
types of the columns, since types inferred from the first samples would not hold for all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import yaml

from curation.handoff.links import LINKS_FOLDER, LinkedShard, places
from curation.handoff.sources import SourcesSummary
from schemas.manifest import Manifest
from schemas.planning import StageShares
from schemas.statistics import BEST_TEXT, ScoreHistogram, SourceStatistics, Statistics

DATA_CARD = "README.md"
HOUR_US = 3_600_000_000
# A bar of the small histograms is 50 bins of 0.001.
_BAR_BINS = 50
_BARS = "▁▂▃▄▅▆▇█"
_FEATURES = [
    {"name": "__key__", "dtype": "string"},
    {"name": "__url__", "dtype": "string"},
    {"name": "json", "dtype": "json"},
    # Not decoded: datasets would need torchcodec, and decodes without asking.
    {"name": "mp4", "dtype": {"video": {"decode": False}}},
    {"name": "txt", "dtype": "string"},
]
_EMBEDDING = {"name": "npy", "list": "float16"}


@dataclass(frozen=True, kw_only=True)
class CardFacts:
    """What the card is made of.

    Attributes:
        embedded: whether the shards hold the clips' embeddings.
    """

    manifest: Manifest
    linked: Sequence[LinkedShard]
    statistics: Statistics
    summary: SourcesSummary
    shares: Sequence[StageShares]
    embedded: bool


def data_card(facts: CardFacts) -> bytes:
    """Return `README.md`."""
    parts = [
        _head(facts),
        _opening(facts),
        "## What was read, and what became of it",
        _funnel(facts),
        "## Scores of each clip's best text",
        _scores(facts.statistics),
        "## What the shards hold",
        _tiers(facts.statistics),
        "## Sources by type",
        _types(facts.summary),
        "## Domains",
        _domains(facts.summary),
        "## Licences and use conditions",
        _licences(facts.manifest),
        "## What a training draws",
        shares_text(facts.shares),
        _USE,
    ]
    return ("\n\n".join(parts) + "\n").encode("utf-8")


_USE = """## Intended use

Training of video and video-text encoders under the conditions above, which differ by source: a tier of one source is a
set of shards of its own, so what may not be used can be left out by name. Tiers are labels by score and drop nothing;
`video_only` clips have texts in their facts that are not trusted.

## Known limits

- Scores are of one model and compare within this corpus alone; a low score may be the model's fault.
- Licences, basis and terms are what the operator stated for each source; nothing here checks them.
- Nobody looked at the clips for persons, faces or speech: take it that personal data is among them.
- Languages, places and people are represented as the sources have them; no count here says how evenly.
- What shows the same or nearly the same as another clip was looked for as the corpus file says; copies below those
  thresholds remain."""


def _head(facts: CardFacts) -> str:
    patterns = {"default": f"{LINKS_FOLDER}/*.tar"}
    for (tier, source), own in places(facts.linked):
        patterns[f"{tier}-{source}"] = f"{LINKS_FOLDER}/{own[0].name.removesuffix('-000000.tar')}-*.tar"
    features = [*_FEATURES, _EMBEDDING] if facts.embedded else _FEATURES
    head = {
        "pretty_name": facts.manifest.corpus,
        "configs": [
            {"config_name": name, "data_files": [{"split": "train", "path": pattern}]}
            for name, pattern in patterns.items()
        ],
        "dataset_info": [{"config_name": name, "features": features} for name in patterns],
    }
    return "---\n" + yaml.dump(head, Dumper=_PlainDumper, sort_keys=False) + "---"


class _PlainDumper(yaml.SafeDumper):
    """Writes a list out each time it comes, where YAML would refer back to the first."""

    def ignore_aliases(self, data: object) -> bool:
        """Return that nothing is an alias."""
        return True


def _opening(facts: CardFacts) -> str:
    shards = facts.manifest.shards
    scorer = facts.statistics.scorer
    hours = _hours(sum(shard.duration_us for shard in shards))
    return (
        f"# {facts.manifest.corpus}, version {facts.manifest.version}\n\n"
        f"{sum(shard.samples for shard in shards)} video clips with texts, {hours} hours, "
        f"{sum(shard.bytes for shard in shards) / 1e6:.1f} MB in {len(shards)} webdataset shards; scored by "
        f"{scorer.name} ({scorer.digest[:12]}), frames {scorer.frame_plan}, {scorer.aggregation}."
    )


def _hours(duration_us: int) -> str:
    return f"{duration_us / HOUR_US:.3f}"


def _table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table; bars in cells would end them, so they are escaped."""
    lines = ["| " + " | ".join(columns) + " |", "|" + "---|" * len(columns)]
    for row in rows:
        lines.append("| " + " | ".join(str(cell).replace("|", "\\|").replace("\n", " ") for cell in row) + " |")
    return "\n".join(lines)


def _funnel(facts: CardFacts) -> str:
    sharded = {source.name: source.samples_sharded for source in facts.manifest.sources}
    ledgers = _table(
        ("source", "rows read", "expanded", "merged", "rejected", "samples planned", "kept", "rejected "),
        (
            (
                source.name,
                source.ledger.records_read,
                source.ledger.records_expanded,
                source.ledger.records_merged,
                source.ledger.records_rejected,
                source.ledger.samples_planned,
                source.ledger.samples_kept,
                source.ledger.samples_rejected,
            )
            for source in facts.statistics.sources
        ),
    )
    judged = _table(
        ("source", "kept", "told twice", "judged", "left out by a rule", "left out as a copy", "in shards"),
        (
            (
                source.name,
                source.ledger.samples_kept,
                source.samples_merged,
                source.samples,
                source.left_out_by_rule,
                source.left_out_as_duplicate,
                sharded.get(source.name, 0),
            )
            for source in facts.statistics.sources
        ),
    )
    rejects = [
        (source.name, own.stage, own.scope, own.reason, own.count)
        for source in facts.statistics.sources
        for own in source.rejects
    ]
    found = f"{ledgers}\n\n{judged}"
    return found + ("\n\n" + _table(("source", "stage", "what", "reason", "count"), rejects) if rejects else "")


def best_histogram(source: SourceStatistics, aggregation: str) -> ScoreHistogram | None:
    """Return the histogram of each sample's chosen text, or None where no text was scored."""
    wanted = (BEST_TEXT, aggregation)
    return next((own for own in source.histograms if (own.text_kind, own.aggregation) == wanted and own.count), None)


def bars(histogram: ScoreHistogram) -> str:
    """Return a histogram as a line of bars, each 0.05 of cosine wide, and where the first begins."""
    counts: dict[int, int] = {}
    for place, count in histogram.counts:
        counts[place // _BAR_BINS] = counts.get(place // _BAR_BINS, 0) + count
    if not counts:
        return ""
    most = max(counts.values())
    line = "".join(_bar(counts.get(place, 0), most) for place in range(min(counts), max(counts) + 1))
    return f"from {min(counts) * 0.05 - 1:.2f}: {line}"


def _bar(count: int, most: int) -> str:
    return "·" if count == 0 else _BARS[(len(_BARS) * count - 1) // most]


def _scores(statistics: Statistics) -> str:
    rows: list[tuple[object, ...]] = []
    for source in statistics.sources:
        best = best_histogram(source, statistics.scorer.aggregation)
        if best is None:
            rows.append((source.name, source.origin, 0, *("",) * 5))
            continue
        quantiles = dict(best.quantiles_1e4)
        shown = (_score(best.mean_1e4), *(_score(quantiles.get(level)) for level in (0.05, 0.5, 0.95)))
        rows.append((source.name, source.origin, best.count, *shown, bars(best)))
    return _table(("source", "origin", "scored", "mean", "p5", "p50", "p95", "histogram, 0.05 a bar"), rows)


def _score(value_1e4: int | None) -> str:
    return "" if value_1e4 is None else f"{value_1e4 / 10_000:.3f}"


def _tiers(statistics: Statistics) -> str:
    rows = [
        (
            source.name,
            own.tier,
            own.samples,
            own.samples_sharded,
            _hours(own.duration_us),
            f"{own.media_bytes / 1e6:.1f}",
        )
        for source in statistics.sources
        for own in source.tiers
        if own.samples
    ]
    return _table(("source", "tier", "samples", "in shards", "hours", "MB"), rows)


def _words(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"


def _types(summary: SourcesSummary) -> str:
    rows = [
        (own.origin, own.format, _words(own.text_kinds), _words(own.sources), own.samples, _hours(own.duration_us))
        for own in summary.types
    ]
    return _table(("origin", "format", "kinds of text", "sources", "samples", "hours"), rows)


def _domains(summary: SourcesSummary) -> str:
    rows = [(own.source, own.domain, own.samples, _hours(own.duration_us)) for own in summary.domains]
    return _table(("source", "domain", "samples", "hours"), rows)


def _licences(manifest: Manifest) -> str:
    rows = [(own.name, own.licence, own.basis, own.terms, own.samples_sharded) for own in manifest.sources]
    return _table(("source", "licence", "used as", "terms", "samples in shards"), rows)


def shares_text(shares: Sequence[StageShares]) -> str:
    """Return what each stage draws of each source and tier, as Markdown that reads as plain text too."""
    return "\n\n".join("\n".join(_stage_lines(own)) for own in shares)


def _stage_lines(own: StageShares) -> Iterator[str]:
    hours = _hours(own.duration_us)
    yield f"Stage {own.stage}, batches of {own.batch_size}: {own.samples} samples, {hours} hours,"
    yield f"{own.steps_per_epoch} steps an epoch (as many draws as samples)."
    if own.refused:
        yield f"Nothing is drawn: {own.refused}."
    yield ""
    rows = [(one.source, one.tier, one.samples, f"{one.share:.2%}", f"{one.repeats:.3f}") for one in own.places]
    yield _table(("source", "tier", "samples", "share of draws", "each drawn per epoch"), rows)
    if own.left_out:
        told = ", ".join(f"{count} {reason}" for reason, count in sorted(own.left_out.items()))
        yield f"\nNever drawn: {told}."
