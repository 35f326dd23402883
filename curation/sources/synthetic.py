"""The built-in world as a source: each harvesting method is one part of it."""

from __future__ import annotations

import functools
from collections.abc import Iterator

from curation.sources.rows import RawRow, Row
from curation.world import SOURCES, World, WorldOptions, plan_world
from schemas.config_file import ConfigError
from schemas.corpus import SourceConfig, WorldConfig
from schemas.records import Text


@functools.lru_cache(maxsize=2)
def world_of(config: WorldConfig) -> World:
    """Return the planned world of a config; planning is pure, so that it is done once per process."""
    return plan_world(WorldOptions(seed=config.seed, clips=config.clips))


def checked_part(source: SourceConfig) -> str:
    """Return the source's part; raise ConfigError unless it is a harvesting method."""
    if source.part is None or source.part not in SOURCES:
        raise ConfigError(f"sources.{source.name}.part is {source.part!r}; allowed: one of {', '.join(SOURCES)}")
    return source.part


def read_world(source: SourceConfig, config: WorldConfig) -> Iterator[Row]:
    """Yield the rows of one harvesting method.

    Raises:
        ConfigError: the part is no harvesting method of the world.
    """
    part = checked_part(source)
    unit = 1_000_000
    for number, row in enumerate(world_of(config).rows(part), start=1):
        texts = tuple(
            Text(kind=text.kind, text=text.text, start_us=text.start_us, end_us=text.end_us) for text in row.texts
        )
        cells = {
            "locator": row.locator,
            "start_us": row.start_us,
            "end_us": row.end_us,
            "texts": [vars(text) for text in texts],
        }
        yield RawRow(
            place=f"world row {number}",
            cells=cells,
            locator=row.locator,
            start=row.start_us / unit,
            end=row.end_us / unit,
            texts=texts,
        )
