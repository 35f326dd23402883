from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from curation.score_cache import PairScore, ScoreCache, cache_group, pair_key
from curation.store import LocalStore

SCORER = "5c" * 32
CLIP = ("a" * 64, "u2-4")
OTHER = ("b" * 64, "u2-4")
PAIR = PairScore(scores_1e4=(("max", 3), ("mean", -2), ("top_k", 1)), tokens_cut=7)


class CountingStore(LocalStore):
    """Counts what is read."""

    reads = 0

    def read(self, path: str) -> bytes:
        self.reads += 1
        return super().read(path)


def vectors(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(2, 5)).astype(np.float32)


def test_what_is_added_is_known_to_the_bit(tmp_path: Path) -> None:
    frames = {CLIP: vectors(1), OTHER: vectors(2)}
    written = ScoreCache(LocalStore(tmp_path), SCORER).add("unit-a", frames, {"p1": PAIR})
    known = ScoreCache(LocalStore(tmp_path), SCORER).load(["unit-a"])
    assert [path.rsplit("/", 1)[0] for path in written] == [f"scores/{'5c' * 8}/cache/unit-a"] * 2
    assert {key: value.tobytes() for key, value in known.frames.items()} == {
        key: value.tobytes() for key, value in frames.items()
    }
    assert dict(known.pairs) == {"p1": PAIR}
    assert known.damaged == ()


def test_segments_of_one_group_add_up_and_other_groups_and_scorers_are_apart(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    ScoreCache(store, SCORER).add("unit-a", {CLIP: vectors(1)}, {})
    ScoreCache(store, SCORER).add("unit-a", {OTHER: vectors(2)}, {"p1": PAIR})
    ScoreCache(store, SCORER).add("unit-b", {}, {"p2": PAIR})
    cache = ScoreCache(store, SCORER)
    assert set(cache.load(["unit-a"]).frames) == {CLIP, OTHER}
    assert set(cache.load(["unit-a"]).pairs) == {"p1"}
    assert set(cache.load(["unit-a", "unit-b"]).pairs) == {"p1", "p2"}
    assert dict(cache.load(["unit-c"]).frames) == {}
    assert dict(ScoreCache(store, "6d" * 32).load(["unit-a", "unit-b"]).pairs) == {}


def test_equal_contents_are_one_file_whatever_their_order(tmp_path: Path) -> None:
    cache = ScoreCache(LocalStore(tmp_path), SCORER)
    first = cache.add("g", {CLIP: vectors(1), OTHER: vectors(2)}, {"p1": PAIR, "p2": PAIR})
    second = cache.add("g", {OTHER: vectors(2), CLIP: vectors(1)}, {"p2": PAIR, "p1": PAIR})
    assert first == second
    assert len(list((tmp_path / "scores").rglob("*.parquet"))) == 2
    assert list((tmp_path / "tmp" / "write").iterdir()) == []


def test_nothing_new_writes_nothing(tmp_path: Path) -> None:
    assert ScoreCache(LocalStore(tmp_path), SCORER).add("g", {}, {}) == []
    assert not (tmp_path / "scores").exists()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_an_embedding_that_is_not_finite_is_not_kept(value: float, tmp_path: Path) -> None:
    cache = ScoreCache(LocalStore(tmp_path), SCORER)
    cache.add("g", {CLIP: np.full((2, 5), value, np.float32), OTHER: vectors(2)}, {})
    assert set(cache.load(["g"]).frames) == {OTHER}


@pytest.mark.parametrize("damage", ["flipped", "torn", "empty", "strange name"])
def test_a_damaged_segment_is_told_of_and_holds_nothing(damage: str, tmp_path: Path) -> None:
    (path,) = ScoreCache(LocalStore(tmp_path), SCORER).add("g", {CLIP: vectors(1)}, {})
    file = tmp_path / path
    data = file.read_bytes()
    if damage == "strange name":
        file.rename(file.with_name("notes.txt"))
        path = f"{path.rsplit('/', 1)[0]}/notes.txt"
    else:
        flipped = bytes([*data[:50], data[50] ^ 1, *data[51:]])
        file.write_bytes({"flipped": flipped, "torn": data[:-9], "empty": b""}[damage])
    known = ScoreCache(LocalStore(tmp_path), SCORER).load(["g"])
    assert (dict(known.frames), dict(known.pairs), known.damaged) == ({}, {}, (path,))
    if damage != "strange name":
        ScoreCache(LocalStore(tmp_path), SCORER).add("g", {CLIP: vectors(1)}, {})
        assert ScoreCache(LocalStore(tmp_path), SCORER).load(["g"]).damaged == (), "written again, it is whole"


def test_a_segment_is_read_once_as_long_as_its_group_is_held(tmp_path: Path) -> None:
    store = CountingStore(tmp_path)
    cache = ScoreCache(store, SCORER, held=2)
    for number in range(3):
        cache.add(f"g{number}", {(f"{number}" * 64, "u2-4"): vectors(number)}, {})
    cache.load(["g0"])
    cache.load(["g0"])
    assert store.reads == 1
    cache.add("g0", {CLIP: vectors(9)}, {})
    assert set(cache.load(["g0"]).frames) == {("0" * 64, "u2-4"), CLIP}, "what others add is seen"
    assert store.reads == 2
    cache.load(["g1"])
    cache.load(["g2"])
    cache.load(["g0"])
    assert store.reads == 6, "two groups are held, and this one was let go"


def test_a_pair_is_known_by_all_that_its_score_depends_on() -> None:
    keys = {
        pair_key(CLIP, "a photo of a cat", 3),
        pair_key(OTHER, "a photo of a cat", 3),
        pair_key(("a" * 64, "u4-4"), "a photo of a cat", 3),
        pair_key(CLIP, "a cat", 3),
        pair_key(CLIP, "a photo of a cat", 2),
    }
    assert len(keys) == 5
    assert pair_key(CLIP, "a cat", 3) == pair_key(("a" * 64, "u2-4"), "a cat", 3)


def test_segments_are_told_from_the_parts_of_units() -> None:
    assert (
        cache_group("scores/5c5c5c5c5c5c5c5c/cache/stock-00000of00001-ab/clips-00.parquet") == "stock-00000of00001-ab"
    )
    assert cache_group("scores/5c5c5c5c5c5c5c5c/stock-00000of00001-ab.parquet") is None
    assert cache_group("rejects/5c5c5c5c5c5c5c5c/cache/a/b") is None
