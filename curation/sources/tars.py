"""Webdataset tars as sources: `key.mp4` with `key.txt` and `key.json`, as clipstrata and video2dataset write them.

A tar is read by its headers from front to end; nothing is unpacked to a disk. A record's locator is
`tar:<tar>!<member>`. The clip is taken whole: its times in another video are facts of its past.

The layout is that of iejMac/video2dataset@07d27314, `video2dataset/data_writer.py` (WebDatasetSampleWriter), and of
webdataset's own convention: what stands before the first dot of the base name is the key.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import BinaryIO

from curation.sources.files import open_file
from curation.sources.folder import MAX_SIDECAR_CHARS, sidecar_text
from curation.sources.locators import join_tar
from curation.sources.pieces import Piece
from curation.sources.rows import BrokenRow, RawRow, Row, make_texts
from curation.sources.tar_headers import TarHeaders
from schemas.corpus import SourceConfig
from schemas.reasons import Reason
from schemas.records import Text
from schemas.shards import FACTS_SUFFIX, TEXT_SUFFIX

MEDIA_SUFFIXES = frozenset({"mp4", "webm", "mkv", "mov", "avi", "m4v", "mpg", "mpeg", "ts", "flv", "wmv", "3gp", "ogv"})
MAX_MEMBER_BYTES = 4 * MAX_SIDECAR_CHARS
# A sample has a handful of members; a tar that is one endless sample must not fill the memory.
MAX_MEMBERS = 64
PACKED_TAR = "a packed tar; members are fetched by their place in it: unpack it first"
OUR_SCHEMA = "clipstrata.sample/"


@dataclass
class Sample:
    """The members of one key, as far as they have been met."""

    key: str
    media: list[str] = field(default_factory=list)
    small: dict[str, bytes] = field(default_factory=dict)
    members: int = 0
    problem: str | None = None


def read_tar(piece: Piece, source: SourceConfig) -> Iterator[Row]:
    """Yield a row for each key of a tar that has a video; a key that comes twice or has none is a broken row."""
    name = piece.file.name
    if piece.file.packed:
        # A member of it could be reached only by unpacking all that stands before it.
        yield _broken(name, PACKED_TAR)
        return
    last = "its beginning"
    seen: set[str] = set()
    try:
        with open_file(piece.file) as stream:
            for sample in read_samples(stream):
                last = f"sample {sample.key}"
                yield _row(sample, sample.key in seen, piece, source)
                seen.add(sample.key)
    except (tarfile.TarError, EOFError) as error:
        yield _broken(f"{name} after {last}", f"no tar from here on: {error}")


def read_samples(stream: BinaryIO) -> Iterator[Sample]:
    """Yield runs of members that share a key.

    Raises:
        tarfile.TarError: the tar ends early or is damaged; a sample that it cuts short is not yielded.
    """
    with TarHeaders(stream) as tar:
        current: Sample | None = None
        for member in tar:
            key, suffix = _split_name(member.name)
            if not member.isreg() or not suffix:
                continue
            if current is not None and current.key != key:
                yield current
                current = None
            current = current or Sample(key=key)
            _take(current, member, suffix, tar)
        if not tar.ends_whole():
            raise tarfile.ReadError("it has no end mark; it was cut short, or is damaged")
    if current is not None:
        yield current


def _split_name(name: str) -> tuple[str, str]:
    """Return (key, suffix): the base name is split at its first dot; a name without a suffix or key has none."""
    folder, slash, base = name.rpartition("/")
    stem, _, suffix = base.partition(".")
    return f"{folder}{slash}{stem}", suffix.lower() if stem else ""


def _take(sample: Sample, member: tarfile.TarInfo, suffix: str, tar: TarHeaders) -> None:
    """Note a member of a sample; texts and facts are read, media is not."""
    sample.members += 1
    if sample.members > MAX_MEMBERS:
        sample.problem = f"more than {MAX_MEMBERS} members have this key"
    elif suffix in (TEXT_SUFFIX, FACTS_SUFFIX):
        if suffix in sample.small:
            sample.problem = f"two members are called {sample.key}.{suffix}: which belongs to which is not known"
        content = tar.content(member)
        sample.small[suffix] = content.read(MAX_MEMBER_BYTES) if content is not None else b""
    elif suffix.rpartition(".")[2] in MEDIA_SUFFIXES:
        sample.media.append(member.name)


def _row(sample: Sample, again: bool, piece: Piece, source: SourceConfig) -> Row:
    place = f"{piece.file.name} sample {sample.key}"
    if again:
        return _broken(place, "the key stands in the tar before; samples of one key mix", Reason.ID_CONFLICT)
    if sample.problem or len(sample.media) > 1:
        detail = sample.problem or f"{len(sample.media)} videos have this key: {sample.media!r:.200}"
        return _broken(place, detail, Reason.ID_CONFLICT)
    if not sample.media:
        return _broken(place, "the sample has no video", Reason.FIELD_MISSING)
    try:
        texts = tuple(_texts(sample.small, source))
    except (ValueError, RecursionError) as error:
        return _broken(place, f"its json cannot be read: {error!s:.200}")
    locator = join_tar(piece.file.url if "://" in piece.file.url else piece.file.name, sample.media[0])
    cells = {"tar": piece.file.name, "member": sample.media[0], "texts": [[text.kind, text.text] for text in texts]}
    return RawRow(place=place, cells=cells, locator=locator, start=None, end=None, texts=texts)


def _texts(small: dict[str, bytes], source: SourceConfig) -> Iterable[Text]:
    """Return the texts of the kinds that the source declares; a plain text is of the first of them."""
    kinds = [kind.value for kind in source.text_kinds]
    facts = json.loads(sidecar_text(small[FACTS_SUFFIX])) if FACTS_SUFFIX in small else {}
    if not isinstance(facts, dict):
        raise ValueError(f"a {type(facts).__name__}; allowed: an object")
    if str(facts.get("schema")).startswith(OUR_SCHEMA):
        given = [text for text in facts.get("texts") or () if isinstance(text, dict)]
        return make_texts((text["kind"], text.get("text")) for text in given if text.get("kind") in kinds)
    found = {kind: facts[kind] for kind in kinds if facts.get(kind) is not None}
    if TEXT_SUFFIX in small and kinds and kinds[0] not in found:
        found[kinds[0]] = sidecar_text(small[TEXT_SUFFIX])
    return make_texts(found.items())


def _broken(place: str, detail: str, reason: Reason = Reason.ROW_UNREADABLE) -> BrokenRow:
    return BrokenRow(place=place, detail=detail, raw=f"{place}: {detail}", reason=reason)
