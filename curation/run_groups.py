"""The largest groups of duplicates and of clips that mean nearly the same, with why each member is there.

Read for a page, never for a job.
"""

from __future__ import annotations

import base64
import contextlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import polars as pl

from curation.duplicates.clips import node_of
from curation.media.strips import strip_picture
from curation.run_examples import read_shown_texts
from curation.store import Store
from schemas.duplicates import DuplicatePolicy
from schemas.examples import ExampleText, GroupMember, Joined, SampleGroup
from schemas.run import EDGES_FOLDER, frames_path
from schemas.statistics import Statistics

Kind = Literal["duplicate", "near"]
Row = Mapping[str, Any]
# (other sample, kind, similarity_1e4)
Link = tuple[str, str, int]

KINDS: tuple[tuple[Kind, str], ...] = (("duplicate", "duplicate_group"), ("near", "near_group"))
# Of each kind; with pictures and texts a member takes about 6 kB of a page, so that all of them stay under 1 MB.
SHOWN_GROUPS = 12
SHOWN_MEMBERS = 6
SHOWN_TEXTS = 2
# Of a larger group, whose members may be shown: those with the smallest ids.
LOOKED_AT = 200
MOST_PICTURE_BYTES = 8_000
SAME_1E4 = 10_000
_NO_LINKS: tuple[Link, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Chosen:
    """A group before its members' texts and pictures are read."""

    kind: Kind
    group: str
    rows: list[Row]
    shown: list[tuple[Row, Joined | None]]


def read_groups(store: Store, statistics: Statistics) -> list[SampleGroup]:
    """Return the largest groups of a judged run, duplicates first, the largest of each kind first.

    The same run gives the same groups and members. Reads columns of the whole selection, and which units hold the
    members; nothing where the run has no group.
    """
    members = {kind: _largest(store, column) for kind, column in KINDS}
    known = pl.concat(list(members.values()))
    if known.is_empty():
        return []
    policy = DuplicatePolicy(scope="source") if statistics.duplicates.scope == "source" else DuplicatePolicy()
    samples = _samples(store, known, policy)
    edges = _edges(store, {row["node"] for row in samples.values()})
    chosen = [
        _Chosen(kind=kind, group=str(rows[0]["group"]), rows=rows, shown=shown_members(rows, _links(rows, edges)))
        for kind, _ in KINDS
        for rows in _by_group(members[kind], samples)
    ]
    return _with_texts(store, statistics, chosen)


@contextlib.contextmanager
def _scan(store: Store, prefix: str) -> Iterator[pl.LazyFrame | None]:
    """Yield the rows of all Parquet files whose paths begin as given, with the `path` of each; None without a file."""
    with contextlib.ExitStack() as held:
        paths = [path for path in store.list_prefix(prefix) if path.endswith(".parquet")]
        files = [held.enter_context(store.local(path)) for path in paths]
        yield pl.scan_parquet(files, include_file_paths="path") if files else None


def _largest(store: Store, column: str) -> pl.DataFrame:
    """Return the selection's rows of the largest groups by a column, with `group` and `size`."""
    wanted = ("sample_id", "source", "tier", "text_id", "score_1e4", "keeper", "duplicate_kind", "similarity_1e4")
    facts = ("rule", "shard_bucket", "media_sha256", "duration_us")
    with _scan(store, "selection/") as scanned:
        if scanned is None:
            return pl.DataFrame()
        in_groups = scanned.filter(pl.col(column).is_not_null())
        sizes = in_groups.group_by(group=column).agg(size=pl.len()).filter(pl.col("size") > 1)
        top = sizes.sort(["size", "group"], descending=[True, False]).head(SHOWN_GROUPS).collect()
        rows = in_groups.filter(pl.col(column).is_in(top["group"].to_list()))
        found = rows.select(*wanted, *facts, group=column).collect()
    return found.join(top, on="group").sort(["size", "group", "sample_id"], descending=[True, False, False])


def _samples(store: Store, known: pl.DataFrame, policy: DuplicatePolicy) -> dict[str, Row]:
    """Return sample -> unit, clip_id and node, for some members of each group; several units may tell of one sample."""
    asked = known.group_by("group", maintain_order=True).head(LOOKED_AT)
    found: dict[str, Row] = {}
    for (source,), rows in sorted(asked.group_by("source")):
        with _scan(store, f"samples/{source}-") as scanned:
            if scanned is None:
                continue
            parts = scanned.filter(pl.col("sample_id").is_in(rows["sample_id"].unique().to_list()))
            columns = parts.select("sample_id", "source", "clip_id", "content_sha256", "path").collect()
        unit = pl.col("path").map_elements(lambda path: Path(path).stem, return_dtype=pl.String)
        told = columns.with_columns(unit=unit, node=node_of(pl.col("content_sha256"), pl.col("source"), policy))
        # Where the file lies has no part in it: that of a bucket's copy is another one each time.
        for row in told.drop("path").sort("unit", descending=True).iter_rows(named=True):
            found[row["sample_id"]] = row
    return found


def _edges(store: Store, nodes: set[str]) -> pl.DataFrame:
    """Return the edges between nodes."""
    asked = sorted(nodes)
    between = pl.col("a").is_in(asked) & pl.col("b").is_in(asked)
    with _scan(store, f"{EDGES_FOLDER}/") as scanned:
        if scanned is None:
            return pl.DataFrame(schema={"a": pl.String, "b": pl.String, "kind": pl.String, "similarity_1e4": pl.Int32})
        return scanned.filter(between).select("a", "b", "kind", "similarity_1e4").collect()


def _by_group(members: pl.DataFrame, samples: Mapping[str, Row]) -> Iterator[list[Row]]:
    """Yield the rows of each group, with the facts of those that were looked at."""
    for _, rows in members.group_by("group", maintain_order=True):
        yield [{**row, **samples.get(row["sample_id"], {})} for row in rows.iter_rows(named=True)]


def _links(rows: list[Row], edges: pl.DataFrame) -> dict[str, list[Link]]:
    """Return sample -> the samples that it resembles, the nearest first."""
    at: dict[str, list[str]] = {}
    for row in rows:
        if "node" in row:
            at.setdefault(row["node"], []).append(row["sample_id"])
    pairs = [(a, b, kind, value) for a, b, kind, value in edges.iter_rows() if a in at and b in at]
    pairs += [(node, node, "exact", SAME_1E4) for node in at]
    found: dict[str, set[Link]] = {}
    for a, b, kind, value in pairs:
        for one, other in itertools.product(at[a], at[b]):
            if one != other:
                found.setdefault(one, set()).add((other, kind, value))
                found.setdefault(other, set()).add((one, kind, value))
    return {sample: sorted(own, key=lambda link: (-link[2], link[0], link[1])) for sample, own in found.items()}


def shown_members(rows: list[Row], links: Mapping[str, list[Link]]) -> list[tuple[Row, Joined | None]]:
    """Return a few members of a group, each with why it is in it.

    First the kept sample that stands for most, then whom it stands for or resembles, and so on along the edges, so that
    as many as possible stand beside one that they resemble.

    Args:
        rows: of one group, by sample id: `sample_id`, `keeper`, `duplicate_kind` and `similarity_1e4`.
    """
    by_id = {row["sample_id"]: row for row in rows if "node" in row}
    stands_for: dict[str, int] = {}
    for row in rows:
        stands_for[row["keeper"]] = stands_for.get(row["keeper"], 0) + 1
    waiting = sorted(by_id, key=lambda sample: (by_id[sample]["keeper"] != sample, -stands_for.get(sample, 0), sample))
    shown: dict[str, Joined | None] = {}
    queue: list[str] = []
    while len(shown) < min(SHOWN_MEMBERS, len(by_id)):
        sample = queue.pop(0) if queue else next(name for name in waiting if name not in shown)
        if sample in shown:
            continue
        shown[sample] = _joined(by_id[sample], links.get(sample, _NO_LINKS), shown)
        queue += [other for other, _, _ in links.get(sample, _NO_LINKS) if other not in shown]
    return [(by_id[sample], joined) for sample, joined in shown.items()]


def _joined(row: Row, links: list[Link] | tuple[Link, ...], shown: Mapping[str, Joined | None]) -> Joined | None:
    if row["duplicate_kind"] is not None:
        return Joined(kind=row["duplicate_kind"], similarity_1e4=row["similarity_1e4"], neighbour=row["keeper"])
    for other, kind, value in links:
        if other in shown:
            return Joined(kind=kind, similarity_1e4=value, neighbour=other)
    return None


def _with_texts(store: Store, statistics: Statistics, chosen: list[_Chosen]) -> list[SampleGroup]:
    wanted: dict[str, dict[str, str | None]] = {}
    for group in chosen:
        for row, _ in group.shown:
            wanted.setdefault(row["unit"], {})[row["sample_id"]] = row["text_id"]
    scorer = statistics.scorer
    texts = read_shown_texts(store, wanted, scorer.scoring, scorer.aggregation)
    return [
        SampleGroup(
            kind=group.kind,
            group=group.group,
            size=group.rows[0]["size"],
            sources=_sources(group.rows),
            members=tuple(
                _member(
                    row, joined, texts[row["unit"]].get(row["sample_id"], []), _picture(store, row, scorer.frame_plan)
                )
                for row, joined in group.shown
            ),
        )
        for group in chosen
    ]


def _sources(rows: list[Row]) -> tuple[tuple[str, int], ...]:
    counts: dict[str, int] = {}
    for row in rows:
        counts[row["source"]] = counts.get(row["source"], 0) + 1
    return tuple(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _member(row: Row, joined: Joined | None, texts: list[ExampleText], picture: str | None) -> GroupMember:
    names = ("source", "sample_id", "media_sha256", "duration_us", "tier", "score_1e4", "rule", "keeper")
    return GroupMember(
        **{name: row[name] for name in names},
        sharded=row["shard_bucket"] is not None,
        joined=joined,
        picture=picture,
        texts=tuple(texts[:SHOWN_TEXTS]),
    )


def _picture(store: Store, row: Row, frame_plan: str) -> str | None:
    """Return a member's picture, where its score frames are still there and can be read."""
    path = frames_path(row["clip_id"], frame_plan)
    if not store.exists(path):
        return None
    try:
        picture = strip_picture(store.read(path))
    except ValueError:
        return None
    return base64.b64encode(picture).decode("ascii") if len(picture) <= MOST_PICTURE_BYTES else None
