"""Sources -> files -> pieces: reading shared out among workers, however long one file is."""

from __future__ import annotations

from collections.abc import Iterator

import apache_beam as beam

from curation.sources import list_source, split_source_file
from curation.sources.files import SourceFile
from curation.sources.pieces import PIECE_BYTES, Piece
from schemas.corpus import CorpusConfig, SourceConfig


class _OfSources(beam.DoFn):
    """A step that looks up the source of what it is given."""

    def __init__(self, config: CorpusConfig) -> None:
        self.config = config

    def setup(self) -> None:
        self.sources = {source.name: source for source in self.config.sources}


class ListFiles(beam.DoFn):
    """Source -> its files."""

    def __init__(self, config: CorpusConfig) -> None:
        self.config = config

    def process(self, source: SourceConfig) -> Iterator[SourceFile]:
        yield from list_source(source, self.config.fetch_of(source))


class SplitFile(_OfSources):
    """File -> its pieces, found by one pass over the file."""

    def __init__(self, config: CorpusConfig, piece_bytes: int) -> None:
        super().__init__(config)
        self.piece_bytes = piece_bytes

    def process(self, file: SourceFile) -> Iterator[Piece]:
        yield from split_source_file(file, self.sources[file.source], self.piece_bytes)


class FindPieces(beam.PTransform):
    """All sources of a corpus -> the pieces of their files, spread among workers.

    Only names travel: a source is listed and a file split each by some worker.
    """

    def __init__(self, config: CorpusConfig, piece_bytes: int = PIECE_BYTES) -> None:
        super().__init__()
        self.config = config
        self.piece_bytes = piece_bytes

    def expand(self, pipeline: beam.Pipeline) -> beam.PCollection[Piece]:
        """Wire the steps, with a redistribution before each that multiplies its input."""
        return (
            pipeline
            | "Sources" >> beam.Create(list(self.config.sources), reshuffle=True)
            | "ListFiles" >> beam.ParDo(ListFiles(self.config))
            | "SpreadFiles" >> beam.Reshuffle()
            | "SplitFile" >> beam.ParDo(SplitFile(self.config, self.piece_bytes))
            | "SpreadPieces" >> beam.Reshuffle()
        )
