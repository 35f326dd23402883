"""The planted set: spans of a video, what a change keeps, and the same set again."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest

from benchmarks.copies.changes import CHANGES, KINDS, PROMISED
from benchmarks.copies.originals import SIZES, Original, all_originals, spans_of
from benchmarks.copies.plant import content, plan_bases, same_picture, strangers, trimmed
from benchmarks.copies.records import Base, read_records, write_records
from benchmarks.copies.scenes import Scene
from benchmarks.copies.truth import HARD_KINDS, MAIN
from curation.world.factors import seeded

S = 1_000_000


@pytest.mark.parametrize(
    ("duration_us", "most", "count"),
    [(4 * S, 6, 1), (5 * S, 6, 1), (9 * S, 6, 1), (10 * S, 6, 2), (30 * S, 6, 6), (30 * S, 3, 3), (122 * S, 4, 4)],
)
def test_spans_lie_in_the_video_and_apart(duration_us: int, most: int, count: int) -> None:
    spans = spans_of(duration_us, most, seeded("a test"))
    assert len(spans) == count
    assert all(4 * S - 1 <= end - start <= 8 * S + 1 for start, end in spans)
    assert all(later[0] - earlier[1] >= S - 1 for earlier, later in itertools.pairwise(spans))
    assert spans[0][0] >= 0
    assert spans[-1][1] <= duration_us


def film() -> tuple[Base, Original]:
    base = Base(base_id="f@2000", video="f", group="f", role=MAIN, split="tune", start_us=2 * S, end_us=8 * S)
    return base, Original(name="f", group="f", role=MAIN, spans_us=((2 * S, 8 * S),), content_us=3 * S)


def test_content_starts_after_the_title_card() -> None:
    base, original = film()
    shown = content(base, original, 0, 6 * S)
    assert (shown.start_us, shown.end_us) == (3 * S, 8 * S)
    shown = content(base, original, 2 * S, 6 * S)
    assert (shown.start_us, shown.end_us) == (4 * S, 8 * S)


def test_trims_are_uneven_and_others_keep_all() -> None:
    base, _ = film()
    for kind, change in CHANGES.items():
        from_us, to_us = trimmed(base, kind, change)
        if not kind.startswith("trim"):
            assert (from_us, to_us) == (0, 6 * S)
            continue
        assert 0.1 * 6 * S <= from_us + 6 * S - to_us <= 0.3 * 6 * S
        assert (from_us + to_us) % 10_000


def test_promised_kinds() -> None:
    assert len(KINDS) == len(set(KINDS)) == 33
    assert set(PROMISED) == {
        *(f"crf_{crf}" for crf in (18, 23, 28, 34, 40)),
        *("scale_half", "scale_quarter", "pad_2", "pad_5", "fps_15", "fps_24", "fps_60"),
        *("trim_head", "trim_tail", "trim_both"),
    }


def test_a_plan_is_the_same_again_and_strangers_are_of_the_same_split() -> None:
    originals = all_originals(SIZES["small"])
    planned = plan_bases(originals, Path("work"))
    assert [own.base for own in planned] == [own.base for own in plan_bases(originals, Path("work"))]
    assert len({own.base.base_id for own in planned}) == len(planned)
    assert {own.base.role for own in planned} == {MAIN, *HARD_KINDS[1:]}
    partners = strangers(planned)
    by_id = {own.base.base_id: own.base for own in planned}
    assert len(partners) == sum(own.original.copied for own in planned)
    for base_id, partner in partners.items():
        assert partner.base.split == by_id[base_id].split
        assert partner.base.group != by_id[base_id].group


def test_the_splits_have_nothing_in_common() -> None:
    planned = plan_bases(all_originals(SIZES["small"]), Path("work"))
    for name in ("video", "group"):
        seen = [{getattr(own.base, name) for own in planned if own.base.split == split} for split in ("tune", "test")]
        assert all(seen)
        assert not seen[0] & seen[1]
    shots = [{str(own.original.shots) for own in planned if own.base.split == split} for split in ("tune", "test")]
    # pictures of one colour are the same in both
    assert all("Flat" in shot for shot in shots[0] & shots[1] - {"()"})


def test_records_are_read_back(tmp_path: Path) -> None:
    planned = plan_bases(all_originals(SIZES["small"]), Path("work"))
    bases, clips = [own.base for own in planned], [own.clip for own in planned]
    write_records(tmp_path, bases, clips)
    assert read_records(tmp_path) == (bases, clips)
    with pytest.raises(FileNotFoundError, match=r"benchmarks\.copies\.plant"):
        read_records(tmp_path / "nothing")


def test_the_same_picture_is_less_than_one_level_apart() -> None:
    slide = np.full((4, 9, 16), 100, np.uint8)
    assert same_picture(slide, slide[:3])
    other = slide.copy()
    other[:, :1] += 8
    assert same_picture(slide, other)
    other[:, :2] += 8
    assert not same_picture(slide, other)


def test_a_drawn_scene_is_the_same_again_and_differs_with_its_parts() -> None:
    scene = Scene(place=1, person=2, action=3)
    frame = scene.frame(1.0)
    assert frame.shape == (288, 512, 3)
    assert np.array_equal(frame, Scene(place=1, person=2, action=3).frame(1.0))
    for other in (Scene(place=1, person=4, action=3), Scene(place=1, person=2, action=5), Scene(place=1, thing=2)):
        difference = np.abs(frame.astype(int) - other.frame(1.0)).max(axis=2)
        assert 0.02 < (difference > 20).mean() < 0.4
