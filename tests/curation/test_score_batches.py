from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.media.strips import write_strip
from curation.score_batches import (
    MAX_CLIPS,
    MAX_FRAMES,
    MAX_PAIRS,
    ClipToScore,
    ScoreBatch,
    ScoredClip,
    TextToScore,
    cut_batches,
    score_batch,
    score_batches,
)
from curation.score_cache import ScoreCache
from curation.scorers import load_open_clip
from curation.scoring import AGGREGATIONS, score_pairs
from curation.store import LocalStore
from tests.scoring_fakes import PLAN, CountingScorer, clip, tools


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


def batch(*clips: ClipToScore, groups: tuple[str, ...] = ("media-1",)) -> ScoreBatch:
    return ScoreBatch(unit="unit-1", number=0, of=1, groups=groups, clips=clips)


def files(store: LocalStore) -> dict[str, bytes]:
    return {path: store.read(path) for path in store.list("scores")}


def test_every_text_of_every_clip_is_scored_against_its_own_frames(store: LocalStore) -> None:
    clips = (clip(store, "a", ["red", "blue"]), clip(store, "b", ["red"]))
    scorer = CountingScorer()
    scored = score_batch(batch(*clips), tools(store, scorer, cached=False, prompt="a photo of {}"))
    assert (scored.unit, scored.number, scored.of) == ("unit-1", 0, 1)
    shades = {"a": 2 * ord(clips[0].media_sha256[0]), "b": 2 * ord(clips[1].media_sha256[0])}
    for found, told in zip(scored.clips, clips, strict=True):
        assert found.sample_id == told.sample_id
        assert [text.text_id for text in found.texts] == [text.text_id for text in told.texts]
        shade = shades[told.strip_path[7]]
        seen = CountingScorer().embed_frames(
            np.stack([np.full((8, 8, 3), value, np.uint8) for value in (shade, shade - 9)])
        )
        said = CountingScorer().embed_texts([f"a photo of {text.text}" for text in told.texts])
        expected = score_pairs(seen, said)
        assert [dict(text.scores_1e4) for text in found.texts] == [
            {name: int(expected[name][place]) for name in AGGREGATIONS} for place in range(len(told.texts))
        ]
    assert scorer.texts_seen == ["a photo of blue", "a photo of red"], "each text once"
    assert dict(scored.counts) == {
        "frames_embedded": 4,
        "texts_embedded": 2,
        "clips_known": 0,
        "pairs_known": 0,
        "pairs_scored": 3,
        "samples_not_finite": 0,
        "segments_damaged": 0,
    }


def test_tokens_that_are_cut_off_are_counted(store: LocalStore) -> None:
    told = clip(store, "a", ["one", "w " * 13])
    for cached in (False, True, True):
        scored = score_batch(batch(told), tools(store, CountingScorer(), cached=cached))
        assert [text.tokens_cut for text in scored.clips[0].texts] == [0, 3]


def test_another_text_column_scores_the_new_text_and_embeds_no_frame(store: LocalStore) -> None:
    old = clip(store, "a", ["red", "blue"])
    new = replace(old, texts=(*old.texts, TextToScore(text_id="a-2", text="green")))
    score_batch(batch(old), tools(store, CountingScorer()))
    scorer = CountingScorer()
    scored = score_batch(batch(new), tools(store, scorer))
    assert (scorer.frames_seen, scorer.texts_seen) == (0, ["green"])
    assert dict(scored.counts) | {"segments_damaged": 0} == {
        "frames_embedded": 0,
        "texts_embedded": 1,
        "clips_known": 1,
        "pairs_known": 2,
        "pairs_scored": 1,
        "samples_not_finite": 0,
        "segments_damaged": 0,
    }
    fresh = score_batch(batch(new), tools(store, CountingScorer(), cached=False))
    assert scored.clips == fresh.clips


def test_what_is_known_altogether_needs_no_frames_on_disk(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    first = score_batch(batch(told), tools(store, CountingScorer()))
    store.delete(told.strip_path)
    written = files(store)
    scorer = CountingScorer()
    again = score_batch(batch(told), tools(store, scorer))
    assert (again.clips, scorer.frames_seen, scorer.texts_seen) == (first.clips, 0, [])
    assert files(store) == written, "nothing new, nothing written"
    with pytest.raises(FileNotFoundError):
        score_batch(batch(told), tools(store, scorer, cached=False))


def test_another_prompt_or_k_is_another_score_over_the_same_frames(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    score_batch(batch(told), tools(store, CountingScorer()))
    for changed in ({"prompt": "a photo of {}"}, {"top_k": 1}):
        scorer = CountingScorer()
        score_batch(batch(told), replace(tools(store, scorer), **changed))
        assert (scorer.frames_seen, len(scorer.texts_seen)) == (0, 1)


def test_another_frame_plan_is_another_embedding(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    score_batch(batch(told), tools(store, CountingScorer()))
    four = replace(told, strip_path="frames/four.jpg")
    store.write(four.strip_path, write_strip([np.full((8, 8, 3), 40 * place, np.uint8) for place in range(4)]))
    scorer = CountingScorer()
    changed = replace(tools(store, scorer), plan=replace(PLAN, count=4))
    scored = score_batch(batch(four), changed)
    assert (scorer.frames_seen, len(scorer.texts_seen)) == (4, 1)
    assert scored.clips == score_batch(batch(four), replace(changed, cache=None)).clips


def test_clips_of_another_group_are_found_where_it_is_named(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    score_batch(batch(told, groups=("media-1",)), tools(store, CountingScorer()))
    scorer = CountingScorer()
    score_batch(batch(told, groups=("media-2",)), tools(store, scorer))
    assert scorer.frames_seen == 2
    scorer = CountingScorer()
    score_batch(batch(told, groups=("media-3", "media-1")), tools(store, scorer))
    assert scorer.frames_seen == 0


def test_two_samples_of_one_clip_embed_it_once(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    scorer = CountingScorer()
    scored = score_batch(batch(told, replace(told, sample_id="other")), tools(store, scorer))
    assert scorer.frames_seen == 2
    assert scored.clips[0].texts == scored.clips[1].texts


def test_the_cache_holds_the_same_files_whichever_batch_is_done_first(tmp_path: Path) -> None:
    found = []
    for order in [(0, 1, 2), (2, 1, 0), (1, 2, 0)]:
        store = LocalStore(tmp_path / str(order))
        told = clip(store, "a", ["red", "blue"])
        again = replace(told, sample_id="again", texts=(told.texts[0], TextToScore(text_id="g", text="green")))
        # One clip to a batch; the first and the last have the same bytes.
        batches = cut_batches("unit-1", ["media-1"], [told, clip(store, "b", ["red"]), again], MAX_FRAMES)
        assert [len(batch.repeated) for batch in batches] == [0, 0, 1]
        results = {number: score_batch(batches[number], tools(store, CountingScorer())) for number in order}
        found.append((files(store), [results[number].clips for number in range(3)]))
    assert found[0] == found[1] == found[2]


# name -> (texts, colour of the frames, texts that fail)
NOT_FINITE = {"a text": (["red", "nan"], None, 1), "the frames": (["red", "blue"], 255, 2)}


@pytest.mark.parametrize("case", NOT_FINITE)
@pytest.mark.parametrize("before", [(), ("red",)])
def test_a_cosine_that_is_not_finite_takes_its_sample_and_no_other(
    case: str, before: tuple[str, ...], store: LocalStore
) -> None:
    texts, colour, failed = NOT_FINITE[case]
    bad, good = clip(store, "bad", texts), clip(store, "good", ["red"])
    if colour is not None:
        store.write(bad.strip_path, write_strip([np.full((8, 8, 3), colour, np.uint8)] * 2))
    if before:
        score_batch(batch(replace(bad, texts=bad.texts[:1])), tools(store, CountingScorer()))
    for _ in range(2):
        scored = score_batch(batch(bad, good), tools(store, CountingScorer()))
        assert scored.clips[0] == ScoredClip(
            sample_id="sample-bad", texts=(), failure=f"{failed} of 2 texts have a cosine that is not finite"
        )
        assert scored.clips[1].failure is None
        assert dict(scored.counts)["samples_not_finite"] == 1


def test_a_damaged_segment_costs_time_and_changes_no_score(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    first = score_batch(batch(told), tools(store, CountingScorer()))
    for path in list(store.list("scores")):
        (store.root / path).write_bytes(b"not parquet")
    scorer = CountingScorer()
    again = score_batch(batch(told), tools(store, scorer))
    assert again.clips == first.clips
    assert dict(again.counts)["segments_damaged"] == 2
    assert scorer.frames_seen == 2


def test_a_strip_of_another_plan_is_refused(store: LocalStore) -> None:
    told = clip(store, "a", ["red"])
    store.write(told.strip_path, write_strip([np.zeros((4, 4, 3), np.uint8)] * 2))
    with pytest.raises(ValueError, match="u2-8 wants 8 px squares"):
        score_batch(batch(told), tools(store, CountingScorer(), cached=False))


def test_the_shipped_scorer_gives_equal_bits_with_and_without_its_cache(store: LocalStore) -> None:
    plan = replace(PLAN, size_px=64)
    scorer = load_open_clip("world_clip")
    clips = []
    rng = np.random.default_rng(5)
    for number in range(3):
        path = f"frames/{number}.jpg"
        store.write(path, write_strip(list(rng.integers(0, 256, (2, 64, 64, 3), np.uint8))))
        texts = tuple(TextToScore(text_id=f"{number}{text}", text=text) for text in ("a red ring", "a star"))
        clips.append(ClipToScore(sample_id=f"{number}", media_sha256=f"{number}" * 64, strip_path=path, texts=texts))
    bare = replace(tools(store, CountingScorer(), cached=False), scorer=scorer, plan=plan)
    cached = replace(bare, cache=ScoreCache(store, scorer.digest))
    expected = score_batch(batch(*clips), bare).clips
    assert len({dict(text.scores_1e4)["mean"] for found in expected for text in found.texts}) > 1
    assert [score_batch(batch(told), bare).clips[0] for told in clips] == list(expected), "company does not matter"
    halves = [replace(told, texts=told.texts[:1]) for told in clips]
    score_batch(batch(*halves), cached)
    assert score_batch(batch(*clips), cached).clips == expected
    assert score_batch(batch(*clips), cached).clips == expected


def test_batches_are_scored_in_their_order(store: LocalStore) -> None:
    clips = [clip(store, name, ["red"]) for name in "ab"]
    found = score_batches((batch(told) for told in clips), tools(store, CountingScorer()))
    assert [scored.clips[0].sample_id for scored in found] == ["sample-a", "sample-b"]


def big_clip(number: int, texts: int, text_bytes: int) -> ClipToScore:
    return ClipToScore(
        sample_id=f"{number:026d}",
        media_sha256=f"{number:064d}",
        strip_path=f"frames/ab/{number:026d}-u8-224.jpg",
        texts=tuple(
            TextToScore(text_id=f"{number:013d}{place:013d}", text=f"{place:03d}" + "x" * (text_bytes - 3))
            for place in range(texts)
        ),
    )


@settings(max_examples=30)
@given(
    st.lists(st.tuples(st.integers(1, 64), st.integers(3, 384)), max_size=80),
    st.integers(1, 64),
)
def test_batches_hold_every_clip_once_in_order_and_are_small(shapes: list[tuple[int, int]], frames: int) -> None:
    clips = [big_clip(number, *shape) for number, shape in enumerate(shapes)]
    cut = cut_batches("unit-1", ["g" * 60] * 20, clips, frames)
    assert [told for found in cut for told in found.clips] == clips
    assert [(found.number, found.of) for found in cut] == [(number, len(cut)) for number in range(len(cut))]
    for found in cut:
        assert len(found) <= MAX_CLIPS
        assert len(found) * frames <= max(MAX_FRAMES, frames)
        assert sum(len(told.texts) for told in found.clips) <= MAX_PAIRS
        assert len(pickle.dumps(found)) < 64_000
    assert len(cut) == 1 or all(len(found) > 0 for found in cut)


def test_the_largest_results_are_small(store: LocalStore) -> None:
    texts = [f"{place:03d} " + "w " * 40 for place in range(4)]
    clips = [clip(store, f"clip {number}", texts) for number in range(MAX_CLIPS)]
    (one,) = cut_batches("u" * 60, ["g" * 60], clips, 2)
    for _ in range(2):
        scored = score_batch(one, tools(store, CountingScorer()))
        assert sum(len(found.texts) for found in scored.clips) == MAX_PAIRS
        assert len(pickle.dumps(scored)) < 64_000


def test_a_unit_without_texts_is_one_empty_batch(store: LocalStore) -> None:
    (empty,) = cut_batches("unit-1", ["media-1"], [], 8)
    assert (empty.number, empty.of, len(empty)) == (0, 1, 0)
    assert score_batch(empty, tools(store, CountingScorer())).clips == ()
    assert files(store) == {}
