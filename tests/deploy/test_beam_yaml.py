"""Our transforms through Beam's own reader of YAML, from the provider file that users include."""

from __future__ import annotations

from pathlib import Path

import apache_beam as beam
import pyarrow.parquet as pq
import pytest
from apache_beam.testing.util import assert_that, equal_to
from apache_beam.yaml.yaml_provider import load_providers
from apache_beam.yaml.yaml_transform import expand_pipeline

from pipelines.beam_yaml import ReadSelection
from tests.builders import IN_PROCESS, built_with_fakes

PROVIDERS = Path(__file__).resolve().parents[2] / "deploy" / "beam-yaml" / "providers.yaml"
SELECTED = """
pipeline:
  type: chain
  transforms:
    - type: ReadClipstrataSelection
      config: {{run: "{run}", sharded: {sharded}{more}}}
    - type: MapToFields
      config:
        language: python
        fields: {{source: source, tier: tier, scored: {{callable: "lambda row: row.score_1e4 is not None"}}}}
providers:
  - include: {providers}
"""
CLEANED = """
pipeline:
  type: chain
  transforms:
    - type: Create
      config:
        elements:
          - {{id: 1, title: "A <b>dog</b>  runs fast over the green grass"}}
          - {{id: 2, title: "   "}}
          - {{id: 3, title: "12345678901234567890 and more than sixty bytes of words, so it is dropped"}}
    - type: ClipstrataCleanText
      config: {{field: title, max_bytes: 60, markup: true}}
    - type: MapToFields
      config:
        fields: {{id: id, text: clean_text, why: text_dropped, language: language, words: words, nouns: nouns}}
providers:
  - include: {providers}
"""


def run_yaml(text: str, expected: list[beam.Row]) -> None:
    with beam.Pipeline(options=IN_PROCESS.to_beam()) as pipeline:
        assert_that(expand_pipeline(pipeline, text), equal_to(expected))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built_with_fakes(tmp_path_factory.mktemp("built")).root


def test_a_selection_is_read_by_tier(run: Path) -> None:
    everything = [
        ("stock", "clean", True),
        ("stock", "clean", True),
        ("stock", "video_only", False),
        ("mined", "noisy_high", True),
        ("mined", "video_only", False),
        ("silent", "video_only", False),
    ]
    # mined's `noisy_high` is a copy of a clip of stock.
    for sharded, more, left_out in (
        ("false", "", set()),
        ("true", "", {"noisy_high"}),
        ("true", ", tiers: [clean]", {"noisy_high", "video_only"}),
    ):
        text = SELECTED.format(run=run, providers=PROVIDERS, sharded=sharded, more=more)
        rows = [row for row in everything if row[1] not in left_out]
        run_yaml(text, [beam.Row(source=source, tier=tier, scored=scored) for source, tier, scored in rows])


def test_the_example_of_the_docs_runs(run: Path, tmp_path: Path) -> None:
    page = (PROVIDERS.parents[2] / "docs" / "dataflow.md").read_text()
    text = page.split("```yaml\n")[1].split("```")[0]
    for told, here in (
        ("/data/runs/films", run),
        ("tiers.parquet", tmp_path / "tiers.parquet"),
        ("deploy/beam-yaml", PROVIDERS.parent),
    ):
        assert text.count(told) == 1, told
        text = text.replace(told, str(here))
    with beam.Pipeline(options=IN_PROCESS.to_beam()) as pipeline:
        expand_pipeline(pipeline, text)
    (written,) = tmp_path.glob("tiers.parquet*")
    (found,) = pq.read_table(written).to_pylist()
    rows = [
        row
        for path in (run / "selection").glob("*.parquet")
        for row in pq.read_table(path).to_pylist()
        if row["tier"] == "clean"
    ]
    sums = {name: sum(row[name] for row in rows) for name in ("duration_us", "media_bytes")}
    assert len(rows) == 2 and sums["duration_us"] > 0
    assert found == {"source": "stock", "tier": "clean", **sums}


def test_texts_are_cleaned_as_an_ingest_cleans_them() -> None:
    run_yaml(
        CLEANED.format(providers=PROVIDERS),
        [
            beam.Row(id=1, text="A dog runs fast over the green grass", why=None, language="en", words=8, nouns=2),
            beam.Row(id=2, text=None, why="text_empty", language=None, words=None, nouns=None),
            beam.Row(id=3, text=None, why="text_too_long", language=None, words=None, nouns=None),
        ],
    )


def test_wrong_words_are_told(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="field is 'titel'; allowed: id, title"):
        run_yaml(CLEANED.format(providers=PROVIDERS).replace("field: title", "field: titel"), [])
    with pytest.raises(ValueError, match=r"tiers are \['cleen'\]; allowed: clean, noisy_high"):
        ReadSelection(str(tmp_path), tiers=["cleen"])
    text = SELECTED.format(run=tmp_path, providers=PROVIDERS, sharded="true", more="")
    with pytest.raises(Exception, match="holds no selection; allowed: a judged run"):
        run_yaml(text, [])


def test_all_that_is_offered_is_documented() -> None:
    """Beam shows these words, and the types of the arguments, to whoever asks what a transform takes."""
    docs = (PROVIDERS.parents[2] / "docs" / "dataflow.md").read_text()
    (provider,) = load_providers(str(PROVIDERS))
    names = list(provider.provided_transforms())
    assert names == ["ReadClipstrataSelection", "ClipstrataCleanText"]
    for name in names:
        assert name in docs
        assert provider.description(name)
        assert [field.name for field in provider.config_schema(name).fields]
