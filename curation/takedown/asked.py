"""The ids file of a takedown: one thing a line, by its kind where that is written, else by its form."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from curation.sources.locators import RowProblem, find_place
from curation.store import file_sha256
from curation.suppression import place_names
from schemas.config_file import ConfigError
from schemas.ids import ID_PATTERN
from schemas.suppression import EntryKind, listed

AskedKind = Literal["id", "record", "sample", "clip", "digest", "video", "place"]
KINDS = ("record", "sample", "clip", "video", "place", "file")
_NAMED = re.compile(rf"({'|'.join(KINDS)}):(.+)")
# A sample is known by its records and its clip, and neither can be told from its id.
_LISTED_AS: dict[AskedKind, tuple[EntryKind, ...]] = {
    "id": ("record", "clip"),
    "record": ("record",),
    "clip": ("clip",),
    "sample": (),
    "digest": ("video", "media", "content"),
    "video": ("video",),
}
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Asked:
    """One line of an ids file.

    Attributes:
        kind: `id` is a record, sample or clip; `digest` a video, a stored clip or what it shows; `place` a locator, an
            address, or the name of a video there.
    """

    kind: AskedKind
    value: str

    def entries(self) -> tuple[str, ...]:
        """Return the list's entries for it where the run knows nothing of it: it may come later."""
        if self.kind == "place":
            return tuple(listed("locator", name) for name in place_names(self.value))
        return tuple(listed(kind, self.value) for kind in _LISTED_AS[self.kind])


def read_asked(path: Path) -> tuple[Asked, ...]:
    """Return what an ids file asks for, each once; empty lines and those that begin with `#` are none.

    Raises:
        ConfigError: the file cannot be read, is empty, or a line is of no form that is known.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--ids {path}: cannot be read ({error}); allowed: a text file, one id a line") from error
    asked = asked_of(lines, path.parent)
    if not asked:
        raise ConfigError(f"--ids {path}: holds no id; allowed: one a line; name what is to be removed")
    return asked


def asked_of(lines: Iterable[str], folder: Path) -> tuple[Asked, ...]:
    """Return what lines ask for.

    Args:
        folder: where relative paths of `file:` start.
    """
    words = [word for line in lines if (word := line.strip()) and not word.startswith("#")]
    return tuple(dict.fromkeys(_asked(word, folder) for word in words))


def _asked(word: str, folder: Path) -> Asked:
    named = _NAMED.fullmatch(word)
    if named is not None:
        return _of_kind(named[1], named[2].strip(), folder)
    if ID_PATTERN.fullmatch(word):
        return Asked("id", word)
    if _SHA256.fullmatch(word):
        return Asked("digest", word)
    if word.startswith("/") and Path(word).is_file():
        return Asked("video", file_sha256(Path(word)))
    return Asked("place", _place(word))


def _of_kind(kind: str, value: str, folder: Path) -> Asked:
    if kind == "file":
        path = folder / value
        if not path.is_file():
            raise ConfigError(f"--ids: {path} is no file; allowed: file:<path of a media file>")
        return Asked("video", file_sha256(path))
    wrong = {"video": not _SHA256.fullmatch(value)}.get(kind, kind != "place" and not ID_PATTERN.fullmatch(value))
    if wrong:
        form = "64 hexadecimal digits" if kind == "video" else "26 of a-z and 2-7"
        raise ConfigError(f"--ids: {kind}:{value!r:.100}; allowed: {kind}: and {form}")
    known: dict[str, AskedKind] = {"record": "record", "sample": "sample", "clip": "clip", "video": "video"}
    return Asked(known[kind], value) if kind in known else Asked("place", _place(value))


def _place(value: str) -> str:
    """Return a place as a run stores it: an address without user, signature and fragment."""
    try:
        return find_place(value, "/").locator
    except RowProblem:
        return value
