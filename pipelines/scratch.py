"""A stage's scratch folder: what workers leave for the step after them, under names that a repeat writes again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import polars as pl

from curation.judging.sums import pack, unpack
from curation.stores import open_store
from schemas.canonical import canonical_json


def write_scratch(root: str, folder: str, name: str, value: Any) -> str:
    """Write one JSON file and return its name; done twice, it is the same file."""
    open_store(root).write(f"{folder}/{name}.json", canonical_json(value))
    return name


def write_table(root: str, folder: str, table: str, key: str, data: bytes) -> None:
    """Write the part of a packed table that stands under a key, which may hold any character."""
    name = hashlib.sha256(key.encode("utf-8")).hexdigest()[:32]
    open_store(root).write(f"{folder}/tables/{table}/{name}.arrow", data)


def read_tables(root: str, folder: str) -> dict[str, list[pl.DataFrame]]:
    """Return table -> its parts."""
    store = open_store(root)
    found: dict[str, list[pl.DataFrame]] = {}
    for path in store.list(f"{folder}/tables"):
        found.setdefault(path.split("/")[-2], []).append(unpack(store.read(path)))
    return found


def write_group(root: str, folder: str, group: str, frame: pl.DataFrame) -> None:
    """Write what is known of the samples of a group of units."""
    open_store(root).write(f"{folder}/groups/{group}.arrow", pack(frame))


def read_group(root: str, folder: str, group: str) -> pl.DataFrame:
    """Return what `write_group` wrote."""
    return unpack(open_store(root).read(f"{folder}/groups/{group}.arrow"))


def write_spool(root: str, folder: str, key: str, name: str, frame: pl.DataFrame) -> None:
    """Write rows that the task of `key` reads together with those of all other names."""
    open_store(root).write(f"{folder}/spool/{key}/{name}.arrow", pack(frame))


def read_spooled(root: str, folder: str, key: str, name: str) -> pl.DataFrame:
    """Return what was written under a key and a name."""
    return unpack(open_store(root).read(f"{folder}/spool/{key}/{name}.arrow"))


def read_spool(root: str, folder: str, key: str) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield (name, rows) of everything that was written for a key, by name."""
    store = open_store(root)
    for path in store.list(f"{folder}/spool/{key}"):
        yield path.rsplit("/", 1)[1].removesuffix(".arrow"), unpack(store.read(path))
