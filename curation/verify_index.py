"""Verify the index that a run keeps of its clips: its arrays are those that were written, and no others."""

from __future__ import annotations

from curation.store import Store
from curation.verify_report import VerifyReport
from schemas.duplicate_index import DuplicateIndex
from schemas.run import INDEX_FOLDER, INDEX_JSON


def verify_index(store: Store, report: VerifyReport) -> None:
    """Check the digests of an index; a run without one has nothing to check."""
    paths = [path for path in store.list(INDEX_FOLDER) if path != INDEX_JSON]
    if not store.exists(INDEX_JSON):
        report.problems.extend(f"{path}: there is no {INDEX_JSON}; build again" for path in paths)
        return
    index = report.parsed(store, INDEX_JSON, DuplicateIndex)
    if index is None:
        return
    for path, file in sorted(index.files.items()):
        report.check_file(store, path, file.bytes, file.sha256)
    strangers = sorted(set(paths) - set(index.files))
    report.problems.extend(f"{path}: {INDEX_JSON} does not name it; remove it, or build again" for path in strangers)
