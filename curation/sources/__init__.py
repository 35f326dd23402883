"""Sources: one reader per format, each yielding rows; `read_source` turns them into records and rejects."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from curation.sources import mediapack, synthetic
from curation.sources.folder import read_folder
from curation.sources.mediapack import read_mediapack
from curation.sources.rows import Row, row_to_record
from curation.sources.synthetic import read_world
from curation.sources.tables import read_table, table_columns
from schemas.config_file import ConfigError
from schemas.corpus import TABLE_FORMATS, CorpusConfig, SourceConfig
from schemas.records import Record, Reject


def read_rows(source: SourceConfig, config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows of a source, whatever its format."""
    if source.format in TABLE_FORMATS:
        return read_table(source)
    if source.format == "folder":
        return read_folder(source)
    if source.format == "mediapack":
        return read_mediapack(source, config.seed)
    return read_world(source, config.world)


def check_source(source: SourceConfig) -> None:
    """Look at a source as far as a header goes, before anything is written or started.

    Raises:
        ConfigError: it is not what its config says.
    """
    location = Path(source.location)
    if source.format == "synthetic":
        synthetic.checked_part(source)
        return
    if location.is_dir() != (source.format == "folder"):
        raise ConfigError(f"sources.{source.name}.location: {location} is no {source.format}; give the right location")
    if source.format == "mediapack":
        mediapack.checked_part(source)
    elif source.format in ("csv", "tsv", "parquet"):
        table_columns(source)


def read_source(source: SourceConfig, config: CorpusConfig) -> Iterator[Record | Reject]:
    """Yield a record or a reject for each row of a source."""
    for row in read_rows(source, config):
        yield row_to_record(row, source, config)
