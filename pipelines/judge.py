"""The judge job: scores -> histograms -> cuts -> tiers -> duplicate groups -> selection. Reads no media."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import apache_beam as beam

from curation.duplicates import duplicate_key
from curation.histogram import HistogramCounts
from curation.judging import (
    HistogramKey,
    Judged,
    Tally,
    judge_sample,
    score_counts,
    select_group,
    tally_group,
    tally_sample,
    tally_selection,
)
from curation.packing import Size, add_sizes, bits_wanted, fine_size, levels_of
from curation.store import LocalStore
from curation.tiers import resolve_cuts
from curation.unit_reading import SampleFacts, count_rejects, merge_facts, read_facts
from pipelines.combiners import CountScores
from pipelines.engine import EngineOptions, running
from pipelines.units import ScoredUnits
from schemas.arrow import SELECTION, parquet_bytes, plain_row
from schemas.canonical import canonical_json
from schemas.corpus import CorpusConfig
from schemas.ids import bucket_of, stable_id
from schemas.records import Selection
from schemas.run import selection_path
from schemas.statistics import BEST_TEXT, ResolvedCuts
from schemas.units import unit_bits

# Rows of one selection part, about; a part is a hash bucket of a source's samples.
SAMPLES_PER_PART = 50_000
# Tallies are spread over 2**bits files, so that no element of the shuffle grows with the number of sources.
TALLY_FILE_BITS = 4


def write_scratch(root: str, folder: str, name: str, value: Any) -> str:
    """Write one JSON file of a stage's scratch folder and return its name; done twice, it is the same file."""
    LocalStore(root).write(f"{folder}/{name}.json", canonical_json(value))
    return name


class ReadFacts(beam.DoFn):
    """Unit name -> (sample id, facts); counts of rejects go to the output `tallies`."""

    def __init__(self, units: ScoredUnits) -> None:
        self.units = units

    def process(self, unit: str) -> Iterator[Any]:
        store = self.units.store
        commit = self.units.read(unit)
        for facts in read_facts(store, commit):
            yield facts.sample_id, facts
        for (stage, scope, reason), count in sorted(count_rejects(store, commit).items()):
            yield beam.pvalue.TaggedOutput("tallies", (("reject", commit.source, stage, scope, reason), count))


def merge_tellings(group: tuple[str, Iterable[SampleFacts]]) -> tuple[SampleFacts, int]:
    """Return a sample of all units that told of it, and how many did."""
    tellings = list(group[1])
    return merge_facts(tellings), len(tellings)


def cuts_of_source(element: tuple[str, HistogramCounts], config: CorpusConfig) -> tuple[str, ResolvedCuts]:
    """Return (source, its cuts as numbers)."""
    name, best = element
    source = next(source for source in config.sources if source.name == name)
    return name, resolve_cuts(config.cuts_of(source), source.origin, best)


def judge(element: tuple[SampleFacts, int], cuts: dict[str, ResolvedCuts], config: CorpusConfig) -> tuple[str, Judged]:
    """Return (duplicate key, judged sample)."""
    facts = element[0]
    judged = judge_sample(facts, cuts[facts.source], config.scorer.aggregation)
    if config.duplicates.scope == "off":
        return facts.sample_id, judged
    return duplicate_key(facts.media_sha256, facts.source, config.duplicates), judged


def with_bucket(row: Selection, bits: dict[tuple[str, str], int]) -> Selection:
    """Return a selection row with its shard bucket, when it goes into a shard at all."""
    if row.shard_bucket is None:
        return row
    return replace(row, shard_bucket=bucket_of(row.sample_id, bits[row.tier, row.source]))


def keyed_size(row: Selection) -> tuple[tuple[str, str, int], Size]:
    """Return ((tier, source, fine bucket), size) of a row."""
    bucket, size = fine_size(row)
    return (row.tier, row.source, bucket), size


def keyed_levels(
    element: tuple[tuple[str, str, int], Size],
) -> Iterator[tuple[tuple[str, str, int, int], Size]]:
    """Yield ((tier, source, bits, bucket), size) for each number of bits."""
    (tier, source, bucket), size = element
    for (bits, coarse), same_size in levels_of(bucket, size):
        yield (tier, source, bits, coarse), same_size


class WriteSelection(beam.DoFn):
    """((source, part), rows) -> one Parquet part of the selection, rows by sample id."""

    def __init__(self, root: str) -> None:
        self.root = root

    def process(self, element: tuple[tuple[str, int], Iterable[Selection]]) -> Iterator[str]:
        (source, part), rows = element
        ordered = sorted(rows, key=lambda row: row.sample_id)
        path = selection_path(source, part)
        LocalStore(self.root).write(path, parquet_bytes([plain_row(row) for row in ordered], SELECTION))
        yield path


class JudgeSamples(beam.PTransform):
    """Unit names -> everything judged, written to the run and to the stage's scratch folder."""

    def __init__(self, config: CorpusConfig, units: ScoredUnits, folder: str) -> None:
        super().__init__()
        self.config = config
        self.scored_units = units
        self.root = units.root
        self.folder = folder

    def expand(self, units: beam.PCollection[str]) -> None:
        """Wire the job; facts without text or media are shuffled."""
        config, root, folder = self.config, self.root, self.folder
        read = units | "ReadFacts" >> beam.ParDo(ReadFacts(self.scored_units)).with_outputs("tallies", main="facts")
        merged = read.facts | "GroupBySample" >> beam.GroupByKey() | "MergeTellings" >> beam.Map(merge_tellings)
        cuts = self._histograms(merged)
        judged = merged | "Judge" >> beam.Map(judge, cuts=beam.pvalue.AsDict(cuts), config=config)
        groups = (
            judged
            | "GroupByClip" >> beam.GroupByKey()
            | "SelectGroup" >> beam.MapTuple(lambda key, group: select_group(key, list(group), config))
        )
        rows = groups | "Rows" >> beam.FlatMap(lambda group: group)
        self._selection(rows)
        tallies = (
            read.tallies,
            merged | "TallySamples" >> beam.FlatMap(lambda element: tally_sample(*element)),
            self._tally_videos(merged),
            rows | "TallySelection" >> beam.FlatMap(tally_selection),
            groups | "TallyGroups" >> beam.FlatMap(tally_group),
        )
        _ = (
            tallies
            | "AllTallies" >> beam.Flatten()
            | "SumTallies" >> beam.CombinePerKey(sum)
            | "KeyTallies" >> beam.Map(lambda pair: (bucket_of(stable_id(*pair[0]), TALLY_FILE_BITS), pair))
            | "GroupTallies" >> beam.GroupByKey()
            | "WriteTallies"
            >> beam.MapTuple(
                lambda bucket, pairs: write_scratch(
                    root, folder, f"tallies-{bucket:02d}", sorted([list(key), value] for key, value in pairs)
                )
            )
        )

    def _histograms(self, merged: beam.PCollection) -> beam.PCollection[tuple[str, ResolvedCuts]]:
        config, root, folder = self.config, self.root, self.folder
        counts = (
            merged
            | "ScoreCounts" >> beam.FlatMap(lambda element: score_counts(element[0], config.scorer.aggregation))
            | "Histograms" >> beam.CombinePerKey(CountScores())
        )
        _ = counts | "WriteHistograms" >> beam.MapTuple(
            lambda key, value: write_scratch(
                root, folder, "histogram-" + "-".join(key), value.summary(key[1], key[2]).model_dump(mode="json")
            )
        )
        # A source without any score has cuts too: an empty histogram stands for it.
        nothing = (
            merged.pipeline
            | "SourceNames" >> beam.Create([source.name for source in config.sources])
            | "NoScores" >> beam.Map(lambda name: (name, HistogramCounts()))
        )
        best = counts | "BestText" >> beam.FlatMap(best_of_source)
        return (
            (best, nothing)
            | "BestOrNone" >> beam.Flatten()
            | "OnePerSource" >> beam.CombinePerKey(merge_counts)
            | "ResolveCuts" >> beam.Map(cuts_of_source, config=config)
        )

    def _tally_videos(self, merged: beam.PCollection) -> beam.PCollection[Tally]:
        return (
            merged
            | "Videos" >> beam.Map(lambda element: (element[0].source, element[0].video_sha256))
            | "DistinctVideos" >> beam.Distinct()
            | "TallyVideos" >> beam.Map(lambda pair: (("videos", pair[0]), 1))
        )

    def _selection(self, rows: beam.PCollection[Selection]) -> None:
        config, root, folder = self.config, self.root, self.folder
        sharded = rows | "Sharded" >> beam.Filter(lambda row: row.shard_bucket is not None)
        bits = (
            sharded
            | "FineSizes" >> beam.Map(keyed_size)
            | "AddFineSizes" >> beam.CombinePerKey(add_sizes)
            | "Levels" >> beam.FlatMap(keyed_levels)
            | "AddSizes" >> beam.CombinePerKey(add_sizes)
            | "BitsWanted"
            >> beam.MapTuple(lambda key, size: ((key[0], key[1]), bits_wanted(key[2], size, config.shards)))
            | "BucketBits" >> beam.CombinePerKey(max)
        )
        _ = bits | "WriteBits" >> beam.MapTuple(
            lambda place, value: write_scratch(root, folder, "bits-" + "-".join(place), [*place, value])
        )
        parts = (
            rows
            | "SourceOfRow" >> beam.Map(lambda row: (row.source, 1))
            | "RowsPerSource" >> beam.CombinePerKey(sum)
            | "PartBits" >> beam.MapTuple(lambda source, count: (source, unit_bits(count, SAMPLES_PER_PART)))
        )
        _ = (
            rows
            | "WithBucket" >> beam.Map(with_bucket, bits=beam.pvalue.AsDict(bits))
            | "KeyByPart"
            >> beam.Map(
                lambda row, bits: ((row.source, bucket_of(row.sample_id, bits[row.source])), row),
                bits=beam.pvalue.AsDict(parts),
            )
            | "GroupByPart" >> beam.GroupByKey()
            | "WriteSelection" >> beam.ParDo(WriteSelection(root))
            | "NoteSelection"
            >> beam.Map(lambda path: write_scratch(root, folder, "part-" + path.rsplit("/", 1)[1], path))
        )


def best_of_source(element: tuple[HistogramKey, HistogramCounts]) -> Iterator[tuple[str, HistogramCounts]]:
    """Yield (source, histogram) of the chosen texts."""
    (source, kind, _), counts = element
    if kind == BEST_TEXT:
        yield source, counts


def merge_counts(parts: Iterable[HistogramCounts]) -> HistogramCounts:
    """Return the sum of histograms."""
    merged = HistogramCounts()
    for part in parts:
        merged.merge(part)
    return merged


def run_judge(config: CorpusConfig, units: ScoredUnits, engine: EngineOptions, folder: str) -> None:
    """Run the job; afterwards the selection is written, and `folder` holds the counts."""
    with running(engine) as pipeline:
        _ = (
            pipeline
            | "Units" >> beam.Create(units.names, reshuffle=True)
            | "JudgeSamples" >> JudgeSamples(config, units, folder)
        )
