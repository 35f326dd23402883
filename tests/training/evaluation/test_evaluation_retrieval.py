"""Recall with ties against the subject, captions that differ, and how well an ideal matcher can do."""

from __future__ import annotations

import pytest
import torch

from curation.world.factors import APPEARANCE, FACTORS, Factors
from curation.world.phrases import WORDS, names_motion
from curation.world.texts import Phrase
from training.evaluation.clips import HeldOutClip, draw_clips
from training.evaluation.retrieval import draw_captions, expected_recall, ideal_scores, recall

FIRST = Factors(**{name: values[0] for name, values in FACTORS.items()})


@pytest.mark.parametrize(
    ("name", "similarity", "k", "expected"),
    [
        ("all right", [[0.9, 0.1, 0.2], [0.0, 0.8, 0.3], [0.1, 0.2, 0.7]], 1, 1.0),
        ("all wrong", [[0.1, 0.9, 0.2], [0.8, 0.0, 0.3], [0.7, 0.2, 0.1]], 1, 0.0),
        ("one of three", [[0.9, 0.1, 0.2], [0.8, 0.0, 0.3], [0.7, 0.2, 0.1]], 1, 1 / 3),
        ("second counts at two", [[0.5, 0.9, 0.2], [0.8, 0.5, 0.3], [0.7, 0.2, 0.1]], 2, 2 / 3),
        ("all equal", [[0.5, 0.5, 0.5]] * 3, 1, 0.0),
        ("all equal, two of three", [[0.5, 0.5, 0.5]] * 3, 2, 0.0),
        ("equal but for rounding", [[0.5000001, 0.5, 0.5], [0.5, 0.5000001, 0.5], [0.5, 0.5, 0.5000001]], 1, 0.0),
        ("a tie below does not matter", [[0.9, 0.5, 0.5], [0.5, 0.9, 0.5], [0.5, 0.5, 0.9]], 1, 1.0),
    ],
)
def test_recall_by_hand(name: str, similarity: list[list[float]], k: int, expected: float) -> None:
    assert recall(torch.tensor(similarity), k) == pytest.approx(expected), name


@pytest.mark.parametrize(
    ("name", "scores", "k", "expected"),
    [
        ("own alone", [[1.0, 0.0], [0.0, 1.0]], 1, 1.0),
        ("two equal", [[1.0, 1.0], [0.0, 1.0]], 1, 0.75),
        ("one above", [[1.0, 2.0], [0.0, 1.0]], 1, 0.5),
        ("one above, two of three equal", [[1.0, 2.0, 1.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]], 2, (0.5 + 1 + 1) / 3),
    ],
)
def test_expected_recall_by_hand(name: str, scores: list[list[float]], k: int, expected: float) -> None:
    assert expected_recall(torch.tensor(scores, dtype=torch.float64), k) == pytest.approx(expected), name


def clip(**factors: str) -> HeldOutClip:
    return HeldOutClip(Factors(**{**FIRST.as_dict(), **factors}), 0, 16)


def told(*names: str) -> Phrase:
    return Phrase(" ".join(names), names)


def test_the_ideal_matcher_by_hand() -> None:
    """Clips 0 and 1 differ in direction alone, clip 2 in shape; caption 1 says more than caption 0."""
    clips = [clip(), clip(direction="right"), clip(shape="star")]
    captions = [told("shape"), told("shape", "direction"), told("shape", "colour")]
    scores = ideal_scores(clips, captions, FACTORS)
    eight, four = 2.0794415417, 1.3862943611  # ln 8, ln 4
    assert scores.tolist() == [
        pytest.approx([eight, eight, -1.0]),
        pytest.approx([-1.0, eight + four, -1.0]),
        pytest.approx([-1.0, -1.0, 2 * eight]),
    ]
    assert expected_recall(scores, 1) == pytest.approx((0.5 + 1 + 1) / 3)
    assert expected_recall(scores.T, 1) == pytest.approx(1.0)
    unseen = ideal_scores(clips, captions, APPEARANCE)
    assert expected_recall(unseen, 1) == pytest.approx((0.5 + 0.5 + 1) / 3)
    assert expected_recall(unseen.T, 1) == pytest.approx((0.5 + 0.5 + 1) / 3)


def test_each_caption_tells_of_the_clip_at_its_place() -> None:
    clips = draw_clips("retrieval", 1, 100)
    for one, told_of_it in zip(clips, draw_captions(clips, 1), strict=True):
        for factor in ("shape", "colour"):
            words = WORDS[factor][one.factors.value(factor)]
            assert any(word in told_of_it.text.lower() for word in words), (told_of_it.text, words)


def test_captions_differ_repeat_and_speak_of_motion_now_and_then() -> None:
    clips = draw_clips("retrieval", 1, 1500)
    captions = draw_captions(clips, 1)
    assert len({one.text for one in captions}) == 1500
    assert draw_captions(clips[:50], 1) == captions[:50]
    assert draw_captions(clips[:50], 2) != captions[:50]
    assert sum(names_motion(one.names) for one in captions) / 1500 == pytest.approx(0.2, abs=0.03)


def test_clips_of_one_look_get_captions_that_differ() -> None:
    captions = draw_captions([clip()] * 60, 1)
    assert len({one.text for one in captions}) == 60
