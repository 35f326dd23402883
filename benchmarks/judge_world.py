"""A made-up scored run without media, of any size: what `judge` reads, with duplicates and samples told twice.

Everything is a function of the seed. Scores follow a normal distribution per source; clips of 2 % of the samples are
copies of another sample's, and 0.2 % of the samples of a source are told by two units.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import polars as pl
import pyarrow as pa
from numpy.typing import NDArray

from curation.scoring import AGGREGATIONS
from curation.unit_parts import PART_SCHEMAS, SCORE_SCHEMAS
from pipelines.finished import ingest_outputs
from pipelines.run_folder import Run, open_run
from schemas.arrow import table_bytes
from schemas.canonical import sha256_hex
from schemas.corpus import CorpusConfig
from schemas.records import TextKind
from schemas.run import part_path, score_part_path, scores_path, unit_path
from schemas.statistics import LedgerCounts, ScorerFacts
from schemas.units import PartFacts, UnitCommit, UnitScores, unit_name

SCORER = ScorerFacts(name="made", digest="0" * 64, frame_plan="u8-64", aggregation="mean", prompt="{}")
_ALPHABET = np.frombuffer(b"abcdefghijklmnopqrstuvwxyz234567", dtype=np.uint8)
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)
_KINDS = (TextKind.ASR.value, TextKind.CAPTION.value, TextKind.TITLE.value)
_LANGUAGES = ("en", "de", "fr", None)
SAMPLES_PER_VIDEO = 10
TEXT_LOOKED_FOR_SHARE = 0.9
COPIED_SHARE, TOLD_TWICE_SHARE = 0.02, 0.002

# The made-up clips have no pictures, times of their videos or embeddings that mean anything.
EXACT_ONLY = {kind: {"action": "off"} for kind in ("overlap", "perceptual", "semantic", "texts")}


@dataclass(frozen=True, kw_only=True)
class WorldSize:
    """How large the run is.

    Attributes:
        sources: the first one is clean, the others are noisy.
        samples: of each source, told twice or not.
        texts: of each sample.
        unit_samples: of each unit, about.
        each: samples of each source, where they are not equal; at most `samples`.
    """

    sources: int
    samples: int
    texts: int = 3
    unit_samples: int = 5_000
    each: tuple[int, ...] = ()

    def rows_of(self, source: int) -> int:
        """Return how many samples a source has, by its place."""
        return self.each[source] if self.each else self.samples


def world_config(size: WorldSize, folder: Path, **judging: object) -> CorpusConfig:
    """Return a corpus of so many sources; `judging` are fields of `CorpusConfig`."""
    licence = {"name": "CC0-1.0", "basis": "own", "terms": "made for a measurement"}
    sources = [
        {
            "name": f"s{number:02d}",
            "origin": "noisy" if number else "clean",
            "format": "folder",
            "location": str(folder),
            "licence": licence,
        }
        for number in range(size.sources)
    ]
    return CorpusConfig.model_validate({"corpus": "made", "sources": sources, "duplicates": EXACT_ONLY, **judging})


def make_run(size: WorldSize, config: CorpusConfig, root: Path, seed: int = 0) -> Run:
    """Write the units and the scores of a run as a finished ingest leaves them."""
    run = open_run(config, root)
    rng = np.random.default_rng(seed)
    media = _letters(rng, size.samples, 64, _HEX)
    names = []
    for place, source in enumerate(config.sources):
        own = replace(size, samples=size.rows_of(place))
        for name, samples in _units(own, source.name, media.head(own.samples), rng):
            _write_unit(run, name, source.name, samples, _pairs(samples, size.texts, rng))
            names.append(name)
    run.note_scorer(SCORER)
    run.finish("ingest", "f" * 64, ingest_outputs(run.store, SCORER, names), 0.0)
    return run


def _letters(rng: np.random.Generator, rows: int, width: int, alphabet: NDArray[np.uint8]) -> pl.Series:
    """Return random words of one width."""
    data = alphabet[rng.integers(0, len(alphabet), size=(rows, width), dtype=np.uint8)].tobytes()
    offsets = np.arange(0, (rows + 1) * width, width, dtype=np.int64)
    words = pa.LargeStringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))
    return pl.Series(pl.from_arrow(words))


def _units(
    size: WorldSize, source: str, shared_media: pl.Series, rng: np.random.Generator
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (name, samples) of the units of a source."""
    rows = size.samples
    videos = _letters(rng, -(-rows // SAMPLES_PER_VIDEO), 64, _HEX)
    own_media = _letters(rng, rows, 64, _HEX)
    copied = pl.Series(rng.random(rows) < COPIED_SHARE)
    samples = pl.DataFrame(
        {
            "sample_id": _letters(rng, rows, 26, _ALPHABET),
            "video_sha256": videos.gather(np.arange(rows) // SAMPLES_PER_VIDEO),
            "media_sha256": pl.select(pl.when(copied).then(shared_media).otherwise(own_media)).to_series(),
            "media_bytes": rng.integers(50_000, 500_000, rows),
            "width_px": np.full(rows, 512, np.int32),
            "height_px": np.full(rows, 288, np.int32),
            "duration_us": rng.integers(1_000_000, 30_000_000, rows),
            "flow_1e4": rng.integers(0, 2_000, rows),
            "static_share_1e4": rng.integers(0, 8, rows) * 1_429,
            "black_share_1e4": rng.integers(0, 9, rows) * 1_250,
            "unit": np.arange(rows) // size.unit_samples,
        }
    )
    looked_at = pl.Series(rng.random(rows) < TEXT_LOOKED_FOR_SHARE)
    areas = pl.Series(np.maximum(0, rng.integers(-500, 3_000, rows)))
    samples = samples.with_columns(
        # Equal files show the same.
        content_sha256=pl.col("media_sha256"),
        text_area_1e4=pl.select(pl.when(looked_at).then(areas)).to_series(),
    )
    twice = samples.filter(pl.Series(rng.random(rows) < TOLD_TWICE_SHARE))
    units = -(-rows // size.unit_samples)
    told = pl.concat([samples, twice.with_columns(unit=(pl.col("unit") + 1) % units)]) if units > 1 else samples
    for number in range(units):
        own = told.filter(pl.col("unit") == number).drop("unit").with_columns(source=pl.lit(source)).sort("sample_id")
        bits = max(0, (units - 1).bit_length())
        yield unit_name(source, number, bits, "0" * 64), own


def _pairs(samples: pl.DataFrame, texts: int, rng: np.random.Generator) -> pl.DataFrame:
    """Return the texts of samples with their scores; a text's id is a function of its sample and its place."""
    rows = samples.height
    mean = rng.normal(2_500, 500, rows * texts).round().astype(np.int32)
    pairs = pl.DataFrame(
        {
            "sample_id": samples["sample_id"].gather(np.repeat(np.arange(rows), texts)),
            "place": np.tile(np.arange(texts), rows),
            "mean": mean,
            "max": mean + rng.integers(0, 500, rows * texts, dtype=np.int32),
            "top_k": mean + rng.integers(0, 250, rows * texts, dtype=np.int32),
            "offset_us": rng.integers(-2, 3, rows * texts) * 5_000_000,
            "words": rng.integers(1, 60, rows * texts, dtype=np.int32),
            "tokens_cut": (rng.random(rows * texts) < 0.01).astype(np.int32),
            "language": pl.Series(_LANGUAGES).gather(rng.integers(0, len(_LANGUAGES), rows * texts)),
        }
    )
    kind = pl.col("place").replace_strict(dict(enumerate(_KINDS)), default=_KINDS[0], return_dtype=pl.String)
    letter = (pl.col("place") + ord("a")).map_elements(chr, return_dtype=pl.String)
    text_id = pl.concat_str(letter, pl.col("sample_id").str.slice(1))
    return pairs.with_columns(kind=kind, text_id=text_id).sort("sample_id", "text_id")


def _write_unit(run: Run, name: str, source: str, samples: pl.DataFrame, pairs: pl.DataFrame) -> None:
    """Write the parts of a unit and both its commits, as `curation.unit_parts` does with records."""
    texts = pairs.with_columns(source=pl.lit(source), text=pl.lit("a clip of the made-up run"), chars=25)
    rows = samples.height
    commit = UnitCommit(
        unit=name,
        source=source,
        fingerprint="0" * 64,
        clips=name,
        clips_sha256="0" * 64,
        ledger=LedgerCounts(
            records_read=rows,
            records_expanded=rows,
            records_merged=0,
            records_rejected=0,
            samples_planned=rows,
            samples_kept=rows,
            samples_rejected=0,
            texts_kept=pairs.height,
            texts_dropped=0,
        ),
        videos=samples["video_sha256"].n_unique(),
        parts={
            kind: _write(run, part_path(kind, name), frame, PART_SCHEMAS[kind])
            for kind, frame in {"samples": samples, "texts": texts, "rejects": None, "records": None}.items()
        },
        dropped_texts={},
    )
    run.store.write(unit_path(name), commit.to_bytes())
    found = UnitScores(
        unit=name,
        unit_sha256=sha256_hex(commit.to_bytes()),
        scoring=SCORER.scoring,
        parts={
            kind: _write(run, score_part_path(kind, SCORER.scoring, name), frame, SCORE_SCHEMAS[kind])
            for kind, frame in {
                "scores": _scores(pairs, samples, source),
                "score_rejects": None,
                "embeddings": None,
            }.items()
        },
    )
    run.store.write(scores_path(SCORER.scoring, name), found.to_bytes())


def _scores(pairs: pl.DataFrame, samples: pl.DataFrame, source: str) -> pl.DataFrame:
    """Return one row per pair and aggregation, in the order in which ingest writes them."""
    kept = pairs.drop("language", "words", "place").join(
        samples.select("sample_id", "media_sha256"), on="sample_id", how="left", maintain_order="left"
    )
    long = kept.with_row_index("pair").unpivot(
        on=list(AGGREGATIONS),
        index=[name for name in ("pair", *kept.columns) if name not in AGGREGATIONS],
        variable_name="aggregation",
        value_name="score_1e4",
    )
    return long.sort("pair", "aggregation").with_columns(source=pl.lit(source), frame_plan=pl.lit(SCORER.frame_plan))


def _write(run: Run, path: str, frame: pl.DataFrame | None, schema: pa.Schema) -> PartFacts:
    """Write one Parquet part; columns that the frame lacks hold zeros, empty words and empty lists."""
    known = pa.table({}) if frame is None else frame.to_arrow()
    rows = 0 if frame is None else frame.height
    columns = [
        known.column(name).cast(field.type) if name in known.column_names else _blank(field.type, rows)
        for name, field in zip(schema.names, schema, strict=True)
    ]
    data = table_bytes(pa.table(columns, schema=schema), schema)
    run.store.write(path, data)
    return PartFacts(path=path, rows=rows, bytes=len(data), sha256=sha256_hex(data))


def _blank(kind: pa.DataType, rows: int) -> pa.Array:
    if pa.types.is_list(kind):
        return pa.array([[]] * rows, kind)
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return pa.array(["{}"] * rows, pa.string()).cast(kind)
    return pa.array([0] * rows, pa.int64()).cast(kind)
