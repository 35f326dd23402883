"""Scorers through open_clip: the shipped one, others, and what is said when weights are missing."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from curation.scorers import OpenClipScorer, Scorer, ScorerUnavailable, load_open_clip
from curation.scorers.open_clip_scorer import WORLD_CLIP_FOLDER
from curation.world.draw import draw_frames
from curation.world.factors import APPEARANCE, Factors, changed, draw_factors, seeded
from curation.world.texts import caption
from training.scorer.data import spoil
from training.scorer.measure import auc


@pytest.fixture(scope="module")
def scorer() -> OpenClipScorer:
    return load_open_clip("world_clip")


def frame(factors: Factors, number: int) -> np.ndarray:
    return spoil(draw_frames(factors, number, [0.5])[0], seeded("spoil", number))


def frames(count: int) -> np.ndarray:
    return np.stack([frame(draw_factors(seeded("frames", number)), number) for number in range(count)])


def test_the_shipped_scorer_is_a_scorer(scorer: OpenClipScorer) -> None:
    typed: Scorer = scorer
    assert typed.name == "world_clip"
    assert typed.image_size == 64
    assert len(typed.digest) == 64
    assert set(typed.digest) <= set("0123456789abcdef")


def test_embeddings_are_unit_vectors(scorer: OpenClipScorer) -> None:
    images, texts = scorer.embed_frames(frames(3)), scorer.embed_texts(["a red star", "a ring"])
    assert images.dtype == texts.dtype == np.float32
    assert images.shape == (3, 96)
    assert texts.shape == (2, 96)
    assert np.allclose(np.linalg.norm(images, axis=1), 1, atol=1e-5)
    assert np.allclose(np.linalg.norm(texts, axis=1), 1, atol=1e-5)


def test_nothing_in_nothing_out(scorer: OpenClipScorer) -> None:
    assert scorer.embed_frames(np.zeros((0, 64, 64, 3), np.uint8)).shape == (0, 96)
    assert scorer.embed_texts([]).shape == (0, 96)
    assert scorer.tokens_cut([]) == []


def test_an_embedding_does_not_depend_on_its_company(scorer: OpenClipScorer) -> None:
    many = frames(70)
    together = scorer.embed_frames(many)
    assert np.array_equal(scorer.embed_frames(many[:1]), together[:1])
    assert np.array_equal(scorer.embed_frames(many[5:40]), together[5:40])
    assert np.array_equal(scorer.embed_frames(many[::-1])[::-1], together)
    texts = [caption(random.Random(n), draw_factors(seeded("texts", n)), False).text for n in range(70)]
    said = scorer.embed_texts(texts)
    assert np.array_equal(scorer.embed_texts(texts[66:67]), said[66:67])
    assert np.array_equal(scorer.embed_texts(texts[::-1])[::-1], said)


@pytest.mark.parametrize(
    ("shape", "dtype"),
    [((2, 32, 32, 3), np.uint8), ((64, 64, 3), np.uint8), ((2, 64, 64, 4), np.uint8), ((2, 64, 64, 3), np.float32)],
)
def test_frames_of_another_kind_are_refused(
    scorer: OpenClipScorer, shape: tuple[int, ...], dtype: type[np.generic]
) -> None:
    with pytest.raises(ValueError, match=r"allowed is uint8 \[N, 64, 64, 3\]"):
        scorer.embed_frames(np.zeros(shape, dtype))


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("a red star", False),
        ("", False),
        (" ".join(["star"] * 46), False),
        (" ".join(["star"] * 47), True),
        ("red star " * 60, True),
    ],
)
def test_texts_longer_than_the_context_are_told(scorer: OpenClipScorer, text: str, cut: bool) -> None:
    assert [count > 0 for count in scorer.tokens_cut([text, "a ring"])] == [cut, False]


def test_tokens_that_are_cut_off_are_counted(scorer: OpenClipScorer) -> None:
    # A context of 48 holds a start, an end and 46 words.
    texts = [" ".join(["star"] * words) for words in (0, 46, 47, 60)]
    assert scorer.tokens_cut(texts) == [0, 0, 1, 14]


def test_bfloat16_is_another_scorer_that_says_nearly_the_same(scorer: OpenClipScorer) -> None:
    low = load_open_clip("world_clip", dtype="bfloat16")
    assert str(low.numerics) == "cpu bfloat16"
    assert low.digest != scorer.digest
    seen, said = frames(5), ["a red star", "a blue ring on the grass"]
    exact, near = scorer.embed_frames(seen), low.embed_frames(seen)
    assert near.dtype == np.float32
    assert np.allclose(np.linalg.norm(near, axis=1), 1, atol=1e-5)
    assert 0 < np.abs(exact - near).max() < 0.05
    assert 0 < np.abs(scorer.embed_texts(said) - low.embed_texts(said)).max() < 0.05
    assert np.array_equal(low.embed_frames(seen[3:4]), near[3:4]), "company does not matter here either"
    assert np.array_equal(low.embed_texts(said[1:]), low.embed_texts(said)[1:])


def test_what_is_cut_does_not_count(scorer: OpenClipScorer) -> None:
    kept = " ".join(["star"] * 46)
    assert np.array_equal(scorer.embed_texts([kept]), scorer.embed_texts([kept + " ring on the grass"]))


def test_the_digest_is_that_of_the_content(scorer: OpenClipScorer, tmp_path: Path) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(WORLD_CLIP_FOLDER, copy)
    assert load_open_clip(str(copy)).digest == scorer.digest
    assert load_open_clip(f"local-dir:{copy}").digest == scorer.digest
    config = json.loads((copy / "open_clip_config.json").read_text(encoding="utf-8"))
    config["preprocess_cfg"]["mean"] = [0.4, 0.5, 0.5]
    (copy / "open_clip_config.json").write_text(json.dumps(config), encoding="utf-8")
    assert load_open_clip(str(copy)).digest != scorer.digest


def test_right_captions_score_above_changed_ones(scorer: OpenClipScorer) -> None:
    images, right, wrong = [], [], []
    for number in range(200):
        rng = seeded("quick quality", number)
        factors = draw_factors(rng)
        told = caption(random.Random(number), factors, False)
        other = changed(factors, rng.choice([name for name in told.names if name in APPEARANCE]), rng)
        images.append(frame(factors, 1000 + number))
        right.append(told.text)
        wrong.append(caption(random.Random(number), other, False).text)
    seen = scorer.embed_frames(np.stack(images))
    high = (seen * scorer.embed_texts(right)).sum(axis=1)
    low = (seen * scorer.embed_texts(wrong)).sum(axis=1)
    assert auc(high.tolist(), low.tolist()) >= 0.9


def test_the_shipped_quality_is_that_of_the_shipped_weights(scorer: OpenClipScorer) -> None:
    quality = json.loads((WORLD_CLIP_FOLDER / "quality.json").read_text(encoding="utf-8"))
    recipe = json.loads((WORLD_CLIP_FOLDER / "recipe.json").read_text(encoding="utf-8"))
    assert quality["digest"] == scorer.digest
    assert recipe["digest"] == scorer.digest
    assert quality["clean_captions"]["auc"] >= 0.95
    assert recipe["command"].startswith("python -m training.scorer train --seed ")
    assert recipe["recipe"]["seed"] != quality["held_out"]["seed"]
    assert (WORLD_CLIP_FOLDER / "open_clip_model.safetensors").stat().st_size <= 6_000_000


@pytest.mark.parametrize(
    ("model", "pretrained", "words"),
    [
        ("ViT-B-32", None, "no weights are named.*Give as pretrained the path of a weight file"),
        ("ViT-B-32", "no_such_file.safetensors", "not a known tag or valid file path.*or one of open_clip's tags"),
        ("no_such_model", None, "Give 'world_clip', an architecture that open_clip lists, or a folder"),
        (
            "local-dir:no_such_folder",
            None,
            "Put open_clip_config.json, open_clip_model.safetensors and the tokenizer's",
        ),
        ("world_clip", "openai", "leave pretrained out"),
    ],
)
def test_missing_weights_say_what_to_put_where(model: str, pretrained: str | None, words: str) -> None:
    with pytest.raises(ScorerUnavailable, match=words):
        load_open_clip(model, pretrained)


@pytest.mark.parametrize("damage", ["removed", "garbage"])
def test_a_folder_without_good_weights_is_refused(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "model"
    shutil.copytree(WORLD_CLIP_FOLDER, folder)
    weights = folder / "open_clip_model.safetensors"
    weights.unlink()
    if damage == "garbage":
        weights.write_bytes(b"not weights at all")
    with pytest.raises(ScorerUnavailable, match=r"Put open_clip_config\.json, open_clip_model"):
        load_open_clip(str(folder))


def test_importing_scorers_loads_no_model_library() -> None:
    code = "import sys, curation.scorers; print(sorted({'torch', 'open_clip', 'transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
