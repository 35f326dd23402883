"""A source to records and rejects in three steps that workers can share out: its files, their pieces, a piece's rows.

`read_source` is the three in a row. Nothing depends on the order of files or pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from curation.sources import mediapack, synthetic
from curation.sources.adapter import Adapter, Item
from curation.sources.files import SourceFile, list_files, remote_errors
from curation.sources.folder import folder_pieces, read_folder
from curation.sources.locators import without_secrets
from curation.sources.mediapack import read_mediapack
from curation.sources.pieces import DELIMITERS, PIECE_BYTES, Piece, split_file
from curation.sources.registry import adapter_of, container_of
from curation.sources.rows import BrokenRow, RawRow, Row, make_texts, row_to_record
from curation.sources.synthetic import read_world
from curation.sources.tables import Found, delimited_items, json_document_items, json_lines_items, parquet_items
from curation.sources.tables import table_columns as columns_of_table
from curation.sources.tars import PACKED_TAR, read_tar
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig, SourceConfig, has_glob
from schemas.fetching import FetchPolicy
from schemas.records import Record, Reject

# As many files of a pattern are looked at before anything starts; in the others a wrong header is a reject.
FILES_CHECKED = 8


def list_source(source: SourceConfig, fetch: FetchPolicy) -> Iterator[SourceFile]:
    """Yield the files of a source: of the built-in world and of a folder, the place itself.

    Raises:
        ConfigError: a pattern matches nothing, or the place cannot be listed.
    """
    found = False
    for file in list_files(source, fetch):
        found = True
        yield file
    if not found:
        raise ConfigError(f"sources.{source.name}.location: no file matches {source.location}; correct the pattern")


def split_source_file(file: SourceFile, source: SourceConfig, piece_bytes: int = PIECE_BYTES) -> Iterator[Piece]:
    """Yield the pieces of one file of a source; a file that cannot be split for what it holds is one piece."""
    container = container_of(source.format)
    if container == "folder":
        yield from folder_pieces(file)
        return
    adapter = adapter_of(source.format)
    if adapter is not None and adapter.gather is not None:
        yield Piece(file=file)
        return
    try:
        yield from split_file(file, container, piece_bytes)
    except pa.ArrowInvalid:
        # Reading the piece says what is wrong.
        yield Piece(file=file)


def read_rows(piece: Piece, source: SourceConfig, config: CorpusConfig) -> Iterator[Row]:
    """Yield the rows of a piece, whatever the source's format.

    Raises:
        ConfigError: the only file of a source is not of its format.
    """
    container = container_of(source.format)
    if container == "folder":
        return read_folder(piece, source)
    if container == "tar":
        return read_tar(piece, source)
    if container == "mediapack":
        return read_mediapack(piece.file, source, config.seed)
    if container == "synthetic":
        return read_world(source, config.world)
    return table_rows(piece, source, container, adapter_of(source.format))


def read_piece(piece: Piece, source: SourceConfig, config: CorpusConfig) -> Iterator[Record | Reject]:
    """Yield a record or a reject for each row of a piece."""
    for row in read_rows(piece, source, config):
        yield row_to_record(row, source, config)


def read_source(
    source: SourceConfig, config: CorpusConfig, piece_bytes: int = PIECE_BYTES
) -> Iterator[Record | Reject]:
    """Yield a record or a reject for each row of a source."""
    for file in list_source(source, config.fetch_of(source)):
        for piece in split_source_file(file, source, piece_bytes):
            yield from read_piece(piece, source, config)


def table_rows(piece: Piece, source: SourceConfig, container: str, adapter: Adapter | None) -> Iterator[Row]:
    """Yield the rows of a piece of a table or document; by the source's columns where there is no adapter.

    Raises:
        ConfigError: the only file of a source is not of its format.
    """
    found = _items(piece, source, container, adapter)
    try:
        if adapter is not None and adapter.gather is not None:
            yield from _gathered(found, piece, source, adapter)
            return
        for place, cells in found:
            if isinstance(cells, str):
                yield _unread(place, cells)
            elif adapter is None:
                yield _by_columns(place, cells, source)
            else:
                yield from _expanded(Item(place=place, cells=cells), adapter, source)
    except ConfigError as error:
        if not has_glob(source.location):
            raise
        # Of many files, one that is none of its kind is a reject, and the others go on.
        name = piece.file.name
        yield BrokenRow(place=name, detail=f"the file is left out: {error}", raw=f"{name}: {error}")


def _unread(place: str, detail: str) -> BrokenRow:
    return BrokenRow(place=place, detail=detail, raw=f"{place}: {detail}")


def _gathered(found: Iterator[Found], piece: Piece, source: SourceConfig, adapter: Adapter) -> Iterator[Row]:
    """Yield the rows of a file that is one item."""
    assert adapter.gather is not None
    items: list[Item] = []
    for place, cells in found:
        if isinstance(cells, str):
            yield _unread(place, cells)
        else:
            items.append(Item(place=place, cells=cells))
    item, broken = adapter.gather(piece.file.name, items)
    yield from broken
    yield from _expanded(item, adapter, source)


def _items(piece: Piece, source: SourceConfig, container: str, adapter: Adapter | None) -> Iterator[Found]:
    if container in DELIMITERS:
        return delimited_items(piece, container, source, adapter)
    if container == "parquet":
        return parquet_items(piece, source, adapter)
    if adapter is not None and adapter.walk is not None:
        return json_document_items(piece, adapter.walk)
    return json_lines_items(piece)


def _by_columns(place: str, cells: dict[str, object], source: SourceConfig) -> RawRow:
    columns = source.columns
    mapping = columns.texts or {kind: kind.value for kind in source.text_kinds}
    return RawRow(
        place=place,
        cells=cells,
        locator=cells.get(columns.locator),
        start=cells.get(columns.start),
        end=cells.get(columns.end),
        texts=make_texts((kind, cells.get(name)) for kind, name in mapping.items()),
    )


def _expanded(item: Item, adapter: Adapter, source: SourceConfig) -> Iterator[Row]:
    """Yield an item's rows with the texts of the kinds that the source asks for."""
    kinds = {kind.value for kind in source.text_kinds}
    try:
        for row in adapter.expand(item, source):
            if isinstance(row, BrokenRow) or all(text.kind in kinds for text in row.texts):
                yield row
            else:
                yield replace(row, texts=tuple(text for text in row.texts if text.kind in kinds))
    except (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError) as error:
        # Adapters check what they read; an oversight of one must cost a row, not the job.
        detail = f"not as {adapter.name} has it: {type(error).__name__}: {error!s:.200}"
        yield BrokenRow(place=item.place, detail=detail, raw=f"{item.place}: {detail}")


def check_source(source: SourceConfig, fetch: FetchPolicy) -> None:
    """Look at a source as far as a header goes, before anything is written or started.

    Args:
        fetch: whose bucket options open its files.

    Raises:
        ConfigError: it is not what its config says.
    """
    if source.format == "synthetic":
        synthetic.checked_part(source)
        return
    _check_kind_of_place(source)
    _check_text_kinds(source)
    if source.format == "mediapack":
        mediapack.checked_part(source)
        return
    container = container_of(source.format)
    for number, file in enumerate(list_source(source, fetch)):
        if number >= FILES_CHECKED:
            return
        if container == "tar" and file.packed:
            raise ConfigError(f"sources.{source.name}.location: {file.name} is {PACKED_TAR}")
        if container in (*DELIMITERS, "parquet"):
            columns_of_table(file, container, source, adapter_of(source.format))
        elif "://" in file.url:
            _check_opens(file, source)


def _check_kind_of_place(source: SourceConfig) -> None:
    if "://" in source.location or has_glob(source.location):
        return
    location = Path(source.location)
    if location.is_dir() != (source.format == "folder"):
        raise ConfigError(f"sources.{source.name}.location: {location} is no {source.format}; give the right location")


def _check_text_kinds(source: SourceConfig) -> None:
    adapter = adapter_of(source.format)
    if adapter is None:
        return
    wrong = [kind.value for kind in source.text_kinds if kind not in adapter.text_kinds]
    if wrong:
        allowed = ", ".join(kind.value for kind in adapter.text_kinds) or "none"
        raise ConfigError(
            f"sources.{source.name}.text_kinds: {source.format} has no {', '.join(wrong)}; allowed: {allowed}"
        )


def _check_opens(file: SourceFile, source: SourceConfig) -> None:
    from curation.sources.files import list_folder, open_file

    try:
        if source.format == "folder":
            list_folder(file)
        else:
            open_file(file).close()
    except remote_errors() as error:
        place = without_secrets(file.url)
        raise ConfigError(
            f"sources.{source.name}.location: {place} cannot be opened ({without_secrets(str(error))})"
        ) from error
