"""One fetch per video, however many sources, threads and processes of a machine ask for it.

An entry is `<digest of the address>.json` beside `.file`; whoever fetches holds `.claim` locked, and the kernel lets
go of it when its process dies. Callers get a link of their own, so an entry may be thrown out at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from curation.fetching.base import FETCHED_NAME, Fetched, Fetcher, FetchError
from curation.fetching.hosts import HOST_CAUSES
from curation.sources.signing import unsigned_address
from schemas.ids import stable_id
from schemas.reasons import RETRYABLE, Reason

ENTRY, FILE, CLAIM = ".json", ".file", ".claim"


class FetchCache:
    """Files by address, in a folder of this machine.

    Args:
        folder: on the disk that callers' folders are on, or every file is copied instead of linked.
        max_bytes: above it the entries used longest ago are thrown out; None for no limit.
    """

    def __init__(self, folder: Path, max_bytes: int | None = None) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        # files that this process has read and found right: (name, inode, size, time of writing)
        self._proven: set[tuple[str, int, int, int]] = set()
        folder.mkdir(parents=True, exist_ok=True)

    def fetch(self, address: str, folder: Path, fetcher: Fetcher) -> Fetched:
        """Return the file of an address in `folder`, from an earlier fetch if there was one, waiting for one under way.

        Raises:
            FetchError: the fetch failed, now or earlier in this run.
        """
        name = stable_id("fetched", unsigned_address(address))
        with self._claimed(name):
            known = self._valid(name)
            if known is None:
                known = self._fetched(name, address, fetcher)
            if "reason" in known:
                raise FetchError(Reason(known["reason"]), known["detail"], attempts=known["attempts"])
            fetched = _handed_out(known, self._folder / f"{name}{FILE}", folder)
        self._throw_out(keep=name)
        return fetched

    def forget_failures(self) -> None:
        """Forget the failures that may pass, before a run that is to try them again.

        Among them are all for which a host is given up: what stopped the run before is to be mended by now.
        """
        for path in self._folder.glob(f"*{ENTRY}"):
            known = _read_entry(path)
            if known is None or known.get("reason") in RETRYABLE | HOST_CAUSES:
                path.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove everything, at the end of a run."""
        shutil.rmtree(self._folder, ignore_errors=True)

    @contextlib.contextmanager
    def _claimed(self, name: str) -> Iterator[None]:
        """Hold an address for this thread; others, in this process or another, wait."""
        self._folder.mkdir(parents=True, exist_ok=True)
        # a lock belongs to the open file, so two threads that each open it keep each other out
        with (self._folder / f"{name}{CLAIM}").open("ab") as claim:
            fcntl.flock(claim, fcntl.LOCK_EX)
            yield

    def _valid(self, name: str) -> dict[str, Any] | None:
        """Return an entry whose file is still what was written, or one that says why there is no file."""
        known = _read_entry(self._folder / f"{name}{ENTRY}")
        if known is None or "reason" in known:
            return known
        path = self._folder / f"{name}{FILE}"
        try:
            facts = path.stat()
            proof = (name, facts.st_ino, facts.st_size, facts.st_mtime_ns)
            if proof in self._proven:
                return known
            if facts.st_size != known["bytes"] or _sha256_of(path) != known["sha256"]:
                return None
        except OSError:
            return None
        self._proven.add(proof)
        return known

    def _fetched(self, name: str, address: str, fetcher: Fetcher) -> dict[str, Any]:
        scratch = Path(tempfile.mkdtemp(prefix=f"{name}.", dir=self._folder))
        try:
            found = fetcher.fetch(address, scratch)
            known: dict[str, Any] = {"bytes": found.bytes, "sha256": found.sha256, "rights": dict(found.rights)}
            os.replace(found.path, self._folder / f"{name}{FILE}")
        except FetchError as error:
            known = {"reason": error.reason.value, "detail": error.detail, "attempts": error.attempts}
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
        entry = self._folder / f"{name}{ENTRY}"
        fresh = entry.with_suffix(".new")
        fresh.write_text(json.dumps(known), encoding="utf-8")
        os.replace(fresh, entry)
        return known

    def _throw_out(self, keep: str) -> None:
        """Remove the entries used longest ago while all together are too large; one thread at a time."""
        if self._max_bytes is None:
            return
        with self._claimed("all"):
            entries = sorted((_read_time(path), path) for path in self._folder.glob(f"*{ENTRY}"))
            sizes = {path: _size_of(path.with_suffix(FILE)) for _, path in entries}
            total = sum(sizes.values())
            for _, path in entries:
                if total <= self._max_bytes:
                    return
                if path.stem != keep and sizes[path]:
                    path.unlink(missing_ok=True)
                    path.with_suffix(FILE).unlink(missing_ok=True)
                    total -= sizes[path]


class CachedFetcher:
    """A fetcher whose files are fetched once."""

    def __init__(self, fetcher: Fetcher, cache: FetchCache) -> None:
        self._fetcher = fetcher
        self._cache = cache

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return the file of an address.

        Raises:
            FetchError: there is none.
        """
        return self._cache.fetch(address, folder, self._fetcher)


def _handed_out(known: dict[str, Any], path: Path, folder: Path) -> Fetched:
    """Return the caller's own link to an entry's file."""
    own = folder / FETCHED_NAME
    own.unlink(missing_ok=True)
    try:
        os.link(path, own)
    except OSError:
        shutil.copyfile(path, own)
    os.utime(path.with_suffix(ENTRY))
    return Fetched(path=own, bytes=known["bytes"], sha256=known["sha256"], is_copy=True, rights=known["rights"])


def _read_entry(path: Path) -> dict[str, Any] | None:
    try:
        loaded = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return loaded if isinstance(loaded, dict) else None


def _read_time(path: Path) -> int:
    try:
        return path.stat().st_mtime_ns
    except OSError:
        return 0


def _size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _sha256_of(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
