"""The plan of the built-in world: counts, rates, independence, determinism."""

from __future__ import annotations

import hashlib
import itertools
import json
import os
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from curation.world import (
    FACTORS,
    MOTION,
    SOURCE_ORIGIN,
    SOURCE_TEXT_KINDS,
    SOURCES,
    PlannedText,
    World,
    WorldOptions,
    plan_world,
    truth_rows,
    write_truth,
)
from curation.world.factors import agree, draw_factors, seeded
from curation.world.texts import STYLES


@pytest.fixture(scope="module")
def demo() -> World:
    return plan_world(WorldOptions(seed=1, clips=3000))


def planned_texts(world: World, source: str | None = None) -> list[PlannedText]:
    return [
        planned
        for video in world.videos
        if source in (None, video.source)
        for clip in video.clips
        for planned in clip.texts
    ]


def test_sizes_of_the_demo(demo: World) -> None:
    readable = [video for video in demo.videos if video.broken is None]
    clips = Counter[str]()
    for video in readable:
        clips[SOURCE_ORIGIN[video.source]] += len(video.clips)
    assert clips == {"clean": 176, "noisy": 2824}
    assert 400 <= len(readable) <= 600
    assert SOURCES[0] == "stock"
    assert len(SOURCES) == 8
    assert {video.broken for video in demo.videos} == {None, "empty", "text", "truncated", "playlist", "garbage"}
    assert len({video.file_name for video in demo.videos}) == len(demo.videos)


@pytest.mark.parametrize(
    ("seed", "clips"), [(1, 60), (2, 61), (3, 64), (4, 75), (5, 100), (6, 117), (7, 200), (0, 333)]
)
def test_a_tiny_world_has_everything(seed: int, clips: int) -> None:
    world = plan_world(WorldOptions(seed=seed, clips=clips))
    readable = [video for video in world.videos if video.broken is None]
    videos = Counter(video.source for video in readable)
    assert sum(len(video.clips) for video in readable) == clips
    assert min(videos[source] for source in SOURCES) >= 2
    assert sum(video.copy_of is not None for video in readable) >= 1
    assert sum(video.broken is not None for video in world.videos) >= 2


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"clips": 59}, "clips is 59; allowed are 60 to 200000; give at least 60"),
        ({"clips": 200_001}, "clips is 200001"),
        ({"seed": -1}, "seed is -1; allowed are integers from 0"),
    ],
)
def test_options_out_of_range_say_how_to_mend(options: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        WorldOptions(**options)


def test_spans_follow_each_other_in_whole_frames(demo: World) -> None:
    for video in demo.videos:
        assert video.clips[0].start_us == 0
        for clip in video.clips:
            assert clip.end_us - clip.start_us == clip.frames * 100_000
            assert 16 <= clip.frames <= 28
        for before, after in itertools.pairwise(video.clips):
            assert after.start_us == before.end_us


@pytest.mark.parametrize(
    ("source", "wrong", "nothing"),
    [
        ("stock", 0.01, 0.0),
        ("asr_vlog", 0.3, 0.35),
        ("asr_howto", 0.5, 0.2),
        ("alt_mined", 0.6, 0.0),
        ("tags", 0.25, 0.0),
        ("machine", 0.06, 0.0),
        ("web_pages", 0.4, 0.0),
    ],
)
def test_each_source_has_its_own_rates(demo: World, source: str, wrong: float, nothing: float) -> None:
    texts = planned_texts(demo, source)
    assert sum(planned.wrong_pair for planned in texts) / len(texts) == pytest.approx(wrong, abs=0.07)
    assert sum(planned.about == "nothing" for planned in texts) / len(texts) == pytest.approx(nothing, abs=0.05)


def test_a_source_has_only_its_kinds_of_text(demo: World) -> None:
    for source in SOURCES:
        kinds = {text.kind for row in demo.rows(source) for text in row.texts}
        assert kinds == set(SOURCE_TEXT_KINDS[source])
    assert {text.kind for source in SOURCES for row in demo.rows(source) for text in row.texts} == {
        "caption",
        "asr",
        "alt",
        "title",
        "tags",
        "generated",
        "description",
    }


def test_motion_is_named_in_at_most_a_fifth_of_all_texts(demo: World) -> None:
    texts = planned_texts(demo)
    moving = sum(any(name in MOTION for name in planned.names) for planned in texts)
    assert 0.03 < moving / len(texts) <= 0.2


def test_the_truth_about_a_text_is_true(demo: World) -> None:
    for video in demo.videos:
        for clip in video.clips:
            for planned in clip.texts:
                assert (planned.about == "nothing") == (planned.names == ())
                assert planned.wrong_pair == (planned.about == "other")


def test_only_speech_has_spans_of_its_own(demo: World) -> None:
    shifted = 0
    rows = [row for source in SOURCES for row in demo.rows(source)]
    for row, text in ((one, text) for one in rows for text in one.texts):
        assert (text.start_us is not None) == (text.kind == "asr")
        if text.start_us is not None and text.end_us is not None:
            assert 0 <= text.start_us < text.end_us
            shifted += not row.start_us <= text.start_us < row.end_us
    assert shifted > 100


def test_captions_of_one_clip_come_as_rows_of_one_span(demo: World) -> None:
    spans = Counter((row.locator, row.start_us) for row in demo.rows("stock"))
    assert set(spans.values()) == {1, 2, 3}
    assert len(set(demo.rows("stock"))) == len(demo.rows("stock"))


def test_copies_carry_the_same_spans_and_their_own_texts(demo: World) -> None:
    by_name = {video.file_name: video for video in demo.videos}
    pairs = [(video, by_name[video.copy_of]) for video in demo.videos if video.copy_of is not None]
    assert {copy.source == original.source for copy, original in pairs} == {True, False}
    for copy, original in pairs:
        assert [replace(clip, texts=()) for clip in copy.clips] == [replace(clip, texts=()) for clip in original.clips]
        assert original.copy_of is None
        assert original.broken is None
        kinds = {planned.text.kind for clip in copy.clips for planned in clip.texts}
        assert kinds <= set(SOURCE_TEXT_KINDS[copy.source])


def chi_square(first: list[str], second: list[str]) -> float:
    """Pearson's statistic per degree of freedom."""
    rows, columns, cells = Counter(first), Counter(second), Counter(zip(first, second, strict=True))
    total = sum(
        (cells[row, column] - rows[row] * columns[column] / len(first)) ** 2
        / (rows[row] * columns[column] / len(first))
        for row in rows
        for column in columns
    )
    return total / ((len(rows) - 1) * (len(columns) - 1))


def test_factors_are_uniform_and_independent(demo: World) -> None:
    clips = [clip for video in demo.videos if video.copy_of is None for clip in video.clips]
    sources = [video.source for video in demo.videos if video.copy_of is None for _ in video.clips]
    drawn = {name: [clip.factors.value(name) for clip in clips] for name in FACTORS}
    for name, values in FACTORS.items():
        counts = Counter(drawn[name])
        assert set(counts) == set(values)
        assert max(counts.values()) < 1.3 * min(counts.values())
        assert chi_square(drawn[name], sources) < 2.6
    for first, second in itertools.combinations(FACTORS, 2):
        assert chi_square(drawn[first], drawn[second]) < 4.0, (first, second)


@pytest.mark.parametrize("style", list(STYLES))
def test_one_changed_factor_changes_a_text_only_where_it_is_named(style: str) -> None:
    for number in range(200):
        rng = seeded("wording", style, number)
        factors = draw_factors(rng)
        told = STYLES[style](seeded("draws", number), factors, True)
        for name in FACTORS:
            other = replace(factors, **{name: next(v for v in FACTORS[name] if v != factors.value(name))})
            again = STYLES[style](seeded("draws", number), other, True)
            assert again.names == told.names
            assert agree(factors, other, told.names) == (name not in told.names)
            if name not in told.names:
                assert again.text == told.text, name


HASH_OF_A_PLAN = (
    "import hashlib; from curation.world import *; "
    "print(hashlib.sha256(repr(plan_world(WorldOptions(seed=5, clips=90))).encode()).hexdigest())"
)


def test_a_plan_is_equal_in_every_process() -> None:
    here = hashlib.sha256(repr(plan_world(WorldOptions(seed=5, clips=90))).encode()).hexdigest()
    for seed in ("0", "1", "12345"):
        done = subprocess.run(
            [sys.executable, "-c", HASH_OF_A_PLAN],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.strip() == here
    assert plan_world(WorldOptions(seed=6, clips=90)) != plan_world(WorldOptions(seed=5, clips=90))


def test_the_truth_lies_in_a_file_of_its_own(tmp_path: Path) -> None:
    world = plan_world(WorldOptions(clips=60))
    write_truth(world, tmp_path / "truth.jsonl")
    lines = [json.loads(line) for line in (tmp_path / "truth.jsonl").read_text(encoding="utf-8").splitlines()]
    assert lines == truth_rows(world)
    assert [path.name for path in tmp_path.iterdir()] == ["truth.jsonl"]
    assert set(lines[0]) == {"source", "locator", "start_us", "end_us", "factors", "texts", "copy_of", "broken"}
    assert set(lines[0]["factors"]) == set(FACTORS)
    assert {(row["source"], row["locator"]) for row in lines} == {(v.source, v.file_name) for v in world.videos}
