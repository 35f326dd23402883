from __future__ import annotations

import gzip
from pathlib import Path

import apache_beam as beam
from apache_beam.testing.util import assert_that

from curation.sources import read_piece, read_source
from pipelines.engine import running
from pipelines.reading import FindPieces, ListFiles, SplitFile
from schemas.corpus import CorpusConfig, load_corpus
from schemas.records import Record, Reject
from tests.builders import IN_PROCESS, write_corpus

MANY = """
corpus: many
sources:
  - {name: plain, origin: clean, format: csv, location: rows/*.csv, media_root: ., text_kinds: [caption], licence: &l
      {name: CC0-1.0, basis: own, terms: made for a test}}
  - {name: packed, origin: noisy, format: jsonl, location: rows.jsonl.gz, licence: *l}
  - {name: silent, origin: noisy, format: folder, location: films, licence: *l}
"""


def many_files(folder: Path) -> CorpusConfig:
    for name in ("rows", "films/sub"):
        (folder / name).mkdir(parents=True)
    for table in range(3):
        rows = "".join(f'{table}-{n}.mp4,"words\nof {n}"\n' for n in range(200))
        (folder / "rows" / f"{table}.csv").write_text(f"video,caption\n{rows}too,many,cells\n")
    packed = gzip.compress(b"".join(b'{"video": "%d.mp4"}\n' % n for n in range(5_000)))
    (folder / "rows.jsonl.gz").write_bytes(packed[:-100])
    for name in ("a.mp4", "sub/b.mp4"):
        (folder / "films" / name).write_bytes(b"x")
    (folder / "corpus.yaml").write_text(MANY)
    return load_corpus(folder / "corpus.yaml")


def key_of(item: Record | Reject) -> tuple[str, str, str]:
    detail = item.detail if isinstance(item, Reject) else item.locator
    return (item.source, item.record_id or "", detail)


def read_by_beam(config: CorpusConfig, piece_bytes: int, expected: list[Record | Reject]) -> None:
    def same(found: list[Record | Reject]) -> None:
        assert sorted(found, key=key_of) == expected

    sources = {source.name: source for source in config.sources}
    with running(IN_PROCESS) as pipeline:
        pieces = pipeline | FindPieces(config, piece_bytes)
        assert_that(pieces | beam.FlatMap(lambda piece: read_piece(piece, sources[piece.file.source], config)), same)


def all_items(config: CorpusConfig) -> list[Record | Reject]:
    return sorted((item for source in config.sources for item in read_source(source, config)), key=key_of)


def test_the_job_reads_what_one_process_reads(tmp_path: Path) -> None:
    config = load_corpus(write_corpus(tmp_path / "in"))
    expected = all_items(config)
    assert len(expected) == 13
    read_by_beam(config, 1 << 20, expected)


def test_many_files_in_small_pieces(tmp_path: Path) -> None:
    config = many_files(tmp_path)
    expected = all_items(config)
    rejects = [item for item in expected if isinstance(item, Reject)]
    assert len(rejects) == 4 and len(expected) > 5_000
    read_by_beam(config, 300, expected)


def test_only_names_travel_between_the_steps(tmp_path: Path) -> None:
    config = many_files(tmp_path)
    splitting = SplitFile(config, 300)
    splitting.setup()
    files = [file for source in config.sources for file in ListFiles(config).process(source)]
    pieces = [piece for file in files for piece in splitting.process(file)]
    assert len(files) == 5 and len(pieces) > 30
    coder = beam.coders.registry.get_coder(type(pieces[0]))
    assert max(len(coder.encode(element)) for element in [*files, *pieces]) < 2_000
