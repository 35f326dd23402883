"""Subjects, and what is refused of them with their name."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from training.evaluation.subjects import (
    SUBJECT_BATCH,
    EncoderSubject,
    ScorerSubject,
    SubjectFault,
    all_embeddings,
    all_tokens,
)
from training.model import EncoderConfig, VideoEncoder

CLIPS = SUBJECT_BATCH + 3
TEXTS = [str(number) for number in range(CLIPS)]
FRAMES = np.zeros((CLIPS, 2, 4, 4, 3), np.uint8)
Given = Callable[[int], torch.Tensor | None]


def ignored(done: int) -> None:
    return None


def units(count: int) -> torch.Tensor:
    return torch.eye(3)[[0] * count]


class Giving:
    """Gives what it was made with, for as many items as there are."""

    name, digest, image_px, frames = "giving", "b" * 64, 4, 2

    def __init__(self, tokens: Given = units, video: Given = units, texts: Given = units) -> None:
        self._tokens, self._video, self._texts = tokens, video, texts

    def tokens(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        given = self._tokens(len(frames))
        assert given is not None
        return given

    def embed_video(self, frames: NDArray[np.uint8]) -> torch.Tensor | None:
        return self._video(len(frames))

    def embed_texts(self, texts: Sequence[str]) -> torch.Tensor | None:
        return self._texts(len(texts))


class PixelScorer:
    """Embeds a frame as the direction of its first pixel."""

    digest, image_size = "c" * 64, 4

    def __init__(self, name: str) -> None:
        self.name = name

    def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        first = frames[:, 0, 0].astype(np.float32)
        return first / np.linalg.norm(first, axis=1, keepdims=True)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        return np.stack([np.array([0, 0, 1], np.float32) for _ in texts])

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        return [0 for _ in texts]


def two_frame_clips() -> NDArray[np.uint8]:
    frames = np.zeros((2, 2, 4, 4, 3), np.uint8)
    frames[0, 0, 0, 0], frames[0, 1, 0, 0] = (9, 0, 0), (0, 9, 0)
    frames[1, 0, 0, 0], frames[1, 1, 0, 0] = (0, 0, 9), (0, 0, 9)
    return frames


def test_a_scorer_s_token_is_the_mean_over_frames() -> None:
    subject = ScorerSubject("mean", PixelScorer("fake"), frames=2)
    assert subject.tokens(two_frame_clips()).tolist() == [[[0.5, 0.5, 0.0]], [[0.0, 0.0, 1.0]]]
    half = 0.5**0.5
    assert subject.embed_video(two_frame_clips()).flatten().tolist() == pytest.approx([half, half, 0, 0, 0, 1])
    assert subject.embed_texts(["a"]).tolist() == [[0.0, 0.0, 1.0]]
    assert (subject.image_px, subject.frames, subject.digest) == (4, 2, "c" * 64)


@pytest.mark.parametrize(("scorer", "notes"), [("world_clip", 1), ("ViT-B-32", 0)])
def test_only_the_scorer_that_learnt_from_the_truth_says_so(scorer: str, notes: int) -> None:
    assert len(ScorerSubject("mean", PixelScorer(scorer)).notes) == notes


def test_an_encoder_sees_shares_of_white_and_has_no_text_side() -> None:
    torch.manual_seed(0)
    encoder = VideoEncoder(EncoderConfig.tiny())
    subject = EncoderSubject("random", "d" * 64, encoder)
    frames = np.random.default_rng(1).integers(0, 256, (2, 8, 32, 32, 3), np.uint8)
    with torch.no_grad():
        wanted = encoder(torch.from_numpy(frames) / 255).tokens
    assert torch.equal(subject.tokens(frames), wanted)
    assert (subject.image_px, subject.frames) == (32, 8)
    assert all_embeddings(subject, frames, ["a"], ignored) is None


def test_tokens_come_back_in_order_over_batches() -> None:
    class Counting(Giving):
        def tokens(self, frames: NDArray[np.uint8]) -> torch.Tensor:
            return torch.from_numpy(frames[:, :, 0, 0, :].astype(np.float32))

    frames = FRAMES.copy()
    frames[:, 1, 0, 0, 2] = range(CLIPS)
    done: list[int] = []
    assert all_tokens(Counting(), frames, done.append)[:, 1, 2].tolist() == list(range(CLIPS))
    assert done == [SUBJECT_BATCH, CLIPS]


def one_long(count: int) -> torch.Tensor:
    vectors = units(count)
    vectors[-1] *= 2
    return vectors


def spoilt(value: float, count: int) -> torch.Tensor:
    tokens = torch.ones(count, 2, 3)
    tokens[-1, -1, -1] = value
    return tokens


@pytest.mark.parametrize(
    ("name", "tokens", "said"),
    [
        ("not a number", lambda count: spoilt(float("nan"), count), "'giving' gives tokens with NaN or infinity"),
        ("infinity", lambda count: spoilt(float("inf"), count), "NaN or infinity"),
        ("no token axis", units, r"'giving' gives tokens of shape \[64, 3\]; allowed: \[64, M, D\]"),
        ("too few", lambda count: torch.ones(count - 1, 2, 3), r"shape \[63, 2, 3\]"),
        ("none", lambda count: torch.ones(count, 0, 3), r"shape \[64, 0, 3\]"),
        ("other counts", lambda count: torch.ones(count, count, 3), r"shape \[3, 3, 3\]; allowed: \[3, 64, 3\]"),
        ("halves", lambda count: torch.ones(count, 2, 3).half(), "tokens as torch.float16; allowed: float32"),
    ],
)
def test_tokens_are_refused_with_the_subject_s_name(name: str, tokens: Given, said: str) -> None:
    with pytest.raises(SubjectFault, match=said):
        all_tokens(Giving(tokens=tokens), FRAMES, ignored)


@pytest.mark.parametrize(
    ("name", "subject", "said"),
    [
        ("long", Giving(video=lambda count: 2 * units(count)), "'giving' gives video embeddings that are not of unit"),
        ("one long", Giving(video=one_long), "video embeddings that are not of unit length"),
        ("empty", Giving(texts=lambda count: 0 * units(count)), "text embeddings that are not of unit length"),
        ("not a number", Giving(texts=lambda count: units(count) * float("nan")), "text embeddings with NaN"),
        ("one side", Giving(texts=lambda count: None), "embeds only one side"),
        ("other side", Giving(video=lambda count: None), "embeds only one side"),
        ("widths", Giving(texts=lambda count: torch.eye(4)[[0] * count]), r"shape \[67, 4\]; allowed: \[67, 3\]"),
    ],
)
def test_embeddings_are_refused_with_the_subject_s_name(name: str, subject: Giving, said: str) -> None:
    with pytest.raises(SubjectFault, match=said):
        all_embeddings(subject, FRAMES, TEXTS, ignored)


def test_no_clip_is_refused() -> None:
    with pytest.raises(ValueError, match="there are no clips"):
        all_tokens(Giving(), FRAMES[:0], ignored)
