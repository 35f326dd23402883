"""Sources: one reader per format, each yielding rows; `read_source` turns them into records and rejects."""

from __future__ import annotations

from curation.sources.reading import check_source, list_source, read_piece, read_source, split_source_file

__all__ = ["check_source", "list_source", "read_piece", "read_source", "split_source_file"]
