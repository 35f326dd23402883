"""Verify that nothing is in a run which a takedown put on a suppression list."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from curation.store import Store
from curation.suppression import names_for, suppressed_of
from curation.unit_reading import read_part
from schemas.suppression import EntryKind, listed
from schemas.units import UnitCommit

# Column of a sample -> the kind of entry that names it.
_OF_SAMPLES: dict[str, EntryKind] = {
    "video_sha256": "video",
    "clip_id": "clip",
    "media_sha256": "media",
    "content_sha256": "content",
}


def suppressed_problems(store: Store, commits: Sequence[UnitCommit], places: Sequence[str]) -> Iterator[str]:
    """Yield a line for each record and clip that a list names; lists hold digests, and so each is asked for.

    Args:
        places: where lists of other runs lie that the corpus names.
    """
    entries = suppressed_of(store, places).entries
    for commit in commits if entries else ():
        for row in read_part(store, commit, "records"):
            named = {
                listed("record", row["record_id"]),
                *(listed("locator", name) for name in names_for(row["locator"])),
            }
            if named & entries:
                yield f"unit {commit.unit}: record {row['record_id']} is on a suppression list; run the takedown again"
        for row in read_part(store, commit, "samples"):
            kinds = [kind for column, kind in _OF_SAMPLES.items() if listed(kind, row[column] or "") in entries]
            if kinds:
                yield (
                    f"unit {commit.unit}: sample {row['sample_id']} is on a suppression list by its "
                    f"{' and '.join(kinds)}; run the takedown again"
                )
