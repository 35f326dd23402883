"""No element over 64 kB in any shuffle of a real build; and one of a megabyte is seen."""

from __future__ import annotations

import json
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from benchmarks.shuffled import LIMIT_BYTES, CountingRunner, Shuffled, kb_per_clip, shuffled_by_stage
from tests.bucket_servers import environment
from tests.pipelines.copied_films import make_films, write_corpus


def seen(told: Path, payload: int) -> list[Shuffled]:
    pipeline = beam.Pipeline(runner=CountingRunner(), options=PipelineOptions([]))
    with environment(CLIPSTRATA_SHUFFLED=str(told)), pipeline:
        rows = pipeline | beam.Create([(place % 3, b"x" * payload) for place in range(7)])
        _ = rows | "Small" >> beam.Keys() | beam.Map(lambda key: (key, 1)) | "Counted" >> beam.GroupByKey()
        _ = rows | "Grouped" >> beam.GroupByKey()
    return [Shuffled(**json.loads(line)) for line in told.read_text().splitlines()]


def test_a_megabyte_in_a_shuffle_is_seen(tmp_path: Path) -> None:
    found = {own.step: own for own in seen(tmp_path / "told.jsonl", 1_000_000)}
    assert found["Grouped"].elements == 7 and found["Grouped"].max_bytes > 1_000_000 > LIMIT_BYTES
    assert found["Counted"].elements == 7 and 0 < found["Counted"].max_bytes < 100


def test_bytes_of_a_clip_are_those_of_all_steps() -> None:
    steps = [
        Shuffled(step="a", elements=10, mean_bytes=200, max_bytes=300),
        Shuffled(step="b", elements=5, mean_bytes=100, max_bytes=100),
    ]
    assert kb_per_clip({"ingest": steps, "shard": []}, 5) == {"ingest": pytest.approx(0.5), "shard": 0.0}


@pytest.mark.slow
def test_no_element_of_a_build_is_over_the_limit(tmp_path: Path) -> None:
    make_films(tmp_path / "films")
    corpus = write_corpus(tmp_path / "films", videos_per_unit=1)
    found = shuffled_by_stage(corpus, tmp_path / "run")
    assert all(any(own.elements for own in steps) for steps in found.values())
    assert max(own.max_bytes for steps in found.values() for own in steps) <= LIMIT_BYTES
