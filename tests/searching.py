"""Looking for something in every byte of a run: raw files, the columns of Parquet, the members of tars."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow.parquet as pq


def traces(root: Path, needles: Iterable[str | bytes], without: tuple[str, ...] = ()) -> list[tuple[str, str | bytes]]:
    """Return (path, needle) of everything that is found; names of files are looked at too.

    Args:
        without: folders of the run that may hold it.
    """
    wanted = [(needle, needle if isinstance(needle, bytes) else needle.encode()) for needle in needles]
    found = []
    for path in sorted(root.rglob("*")):
        name = path.relative_to(root).as_posix()
        if path.is_file() and name.split("/")[0] not in without:
            views = [name.encode(), *_views(path)]
            found += [(name, needle) for needle, data in wanted if any(data in view for view in views)]
    return found


def _views(path: Path) -> Iterator[bytes]:
    data = path.read_bytes()
    yield data
    if path.suffix == ".parquet":
        rows = pq.read_table(io.BytesIO(data)).to_pylist()
        yield repr(rows).encode()
        yield b"\n".join(
            value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row.values()
        )
    if path.suffix == ".tar":
        with tarfile.open(fileobj=io.BytesIO(data)) as tar:
            for member in tar:
                file = tar.extractfile(member)
                yield member.name.encode() + b"\n" + (file.read() if file else b"")
