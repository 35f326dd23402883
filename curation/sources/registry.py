"""Every format that a source can have: what holds its rows, and for published corpora the adapter."""

from __future__ import annotations

from curation.sources.adapter import Adapter
from curation.sources.corpora import ADAPTERS
from schemas.corpus import TABLE_FORMATS

BY_NAME: dict[str, Adapter] = {adapter.name: adapter for adapter in ADAPTERS}


def adapter_of(format_name: str) -> Adapter | None:
    """Return the adapter of a published corpus's format; None for a format that needs none."""
    return BY_NAME.get(format_name)


def container_of(format_name: str) -> str:
    """Return how the files of a format hold their rows.

    One of `csv`, `tsv`, `jsonl`, `json`, `parquet`, `tar`, `folder`, `mediapack`, `synthetic`.
    """
    adapter = adapter_of(format_name)
    if adapter is not None:
        return adapter.container
    return "tar" if format_name == "webdataset" else format_name


def is_table(format_name: str) -> bool:
    """Return whether a format is a table whose columns the source's config maps."""
    return format_name in TABLE_FORMATS
