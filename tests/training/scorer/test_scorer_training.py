"""The making and measuring of the small scorer, in parts small enough to check by hand."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
import torch

from curation.scorers import load_open_clip
from curation.world.factors import APPEARANCE, FACTORS, Factors, draw_factors, seeded
from curation.world.texts import STYLES
from training.scorer.__main__ import main
from training.scorer.data import Texts, codes, draw_pool, mismatches, spoil, write_texts
from training.scorer.fit import encode_texts, fit, loss_of
from training.scorer.measure import auc
from training.scorer.recipe import Recipe
from training.scorer.tokens import batch_encoder, learn_tokenizer

FIRST = Factors(**{name: values[0] for name, values in FACTORS.items()})
SECOND = Factors(**{name: values[1] for name, values in FACTORS.items()})


@pytest.mark.parametrize(
    ("right", "wrong", "expected"),
    [
        ([1.0, 2.0], [0.0, 0.5], 1.0),
        ([0.0, 0.5], [1.0, 2.0], 0.0),
        ([1.0], [1.0], 0.5),
        ([1.0, 3.0], [2.0], 0.5),
        ([1.0, 2.0, 3.0], [2.0, 0.0], 0.75),
    ],
)
def test_auc_by_hand(right: list[float], wrong: list[float], expected: float) -> None:
    assert auc(right, wrong) == pytest.approx(expected)


def test_auc_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="1 right and 0 wrong scores"):
        auc([1.0], [])


def test_codes_are_positions_among_the_appearance_values() -> None:
    assert codes([FIRST, SECOND]).tolist() == [[0, 0, 0, 0, 0], [1, 1, 1, 1, 1]]


def test_mismatches_count_only_named_factors() -> None:
    named = np.array([[1, 1, 0, 0, 0], [1, 0, 0, 0, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], np.bool_)
    texts = Texts(["a", "b", "c", "d"], codes([FIRST, SECOND, FIRST, SECOND]), named)
    assert mismatches(codes([FIRST, SECOND]), texts).tolist() == [[0, 1, 9, 5], [2, 0, 9, 0]]


def test_a_changed_text_is_wrong_about_its_own_clip() -> None:
    factors = [draw_factors(seeded("pairs", number)) for number in range(300)]
    texts = write_texts(factors, random.Random(4), 0.1)
    missed = mismatches(codes(factors), texts)
    own, other = missed.diagonal(), missed[:, 300:].diagonal()
    assert set(own.tolist()) == {0, 9}
    assert 10 <= (own == 9).sum() <= 55
    assert (other[own == 0] == 1).all()
    assert (other >= 1).all()


@pytest.mark.parametrize(("logit", "expected"), [(0.0, 0.6931), (8.0, 4.0003)])
def test_the_loss_of_constant_logits(logit: float, expected: float) -> None:
    missed = torch.tensor([[0, 2, 1, 9], [1, 0, 2, 1]])
    assert float(loss_of(torch.full((2, 4), logit), missed)) == pytest.approx(expected, abs=1e-3)


def test_a_spoilt_frame_keeps_its_size_and_its_look() -> None:
    frame = np.full((96, 96, 3), (200, 40, 40), np.uint8)
    for number in range(20):
        spoilt = spoil(frame, random.Random(number))
        assert spoilt.shape == (64, 64, 3)
        assert np.abs(spoilt.astype(int) - (200, 40, 40)).max() <= 4


def test_the_tokenizer_knows_the_words_of_the_world() -> None:
    tokenizer = batch_encoder(learn_tokenizer(1))
    assert tokenizer.encode("A Red STAR").tokens[:5] == ["<start>", "\u0120a", "\u0120red", "\u0120star", "<end>"]
    assert tokenizer.encode("a red star").ids[:1] + tokenizer.encode("a red star").ids[4:6] == [1, 2, 0]
    unknown = tokenizer.encode("zyx \u00fc")
    assert len(unknown.ids) == 48
    assert tokenizer.decode(unknown.ids).strip() == "zyx \u00fc"
    for style in STYLES.values():
        text = style(random.Random(1), FIRST, False).text
        assert tokenizer.decode(tokenizer.encode(text).ids).strip() in text.lower()


def test_the_training_path_encodes_texts_as_open_clip_does() -> None:
    from open_clip import CLIP

    from training.scorer.recipe import model_config

    torch.manual_seed(0)
    tokenizer = batch_encoder(learn_tokenizer(1))
    model = CLIP(**model_config(tokenizer.get_vocab_size())).eval()
    texts = ["a red star", "a large striped ring on the grass " * 5, "word " * 100, ""]
    tokens = torch.tensor([found.ids for found in tokenizer.encode_batch(texts)])
    with torch.inference_mode():
        assert torch.allclose(encode_texts(model, tokens), model.encode_text(tokens, normalize=True), atol=1e-5)


def test_training_moves_the_loss_and_repeats() -> None:
    recipe = Recipe(clips=40, factor_steps=15, steps=20, batch=24, warmup_steps=5)
    pool = draw_pool(recipe)
    tokenizer = batch_encoder(learn_tokenizer(recipe.seed))
    losses: list[float] = []
    first = fit(recipe, pool, tokenizer, lambda step, loss: losses.append(loss))
    again: list[float] = []
    second = fit(recipe, pool, tokenizer, lambda step, loss: again.append(loss))
    assert len(losses) == 35
    assert np.mean(losses[11:15]) < np.mean(losses[:4])
    assert np.mean(losses[-5:]) < np.mean(losses[15:20])
    assert losses == again
    assert all(torch.equal(one, two) for one, two in zip(first.parameters(), second.parameters(), strict=True))


def test_train_writes_a_folder_that_loads(tmp_path: Path) -> None:
    out = tmp_path / "tiny"
    options = [
        "--out",
        str(out),
        "--clips",
        "30",
        "--factor-steps",
        "2",
        "--steps",
        "2",
        "--batch",
        "8",
        "--held-out-clips",
        "60",
    ]
    assert main(["train", *options]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "open_clip_config.json",
        "open_clip_model.safetensors",
        "quality.json",
        "recipe.json",
        "tokenizer.json",
        "tokenizer_config.json",
    ]
    recipe = json.loads((out / "recipe.json").read_text(encoding="utf-8"))
    assert recipe["digest"] == load_open_clip(str(out)).digest
    assert recipe["recipe"]["steps"] == 2


def test_evaluate_measures_pairs_and_sources(tmp_path: Path) -> None:
    written = tmp_path / "quality.json"
    assert main(["evaluate", "--clips", "60", "--seed", "77", "--write", str(written)]) == 0
    quality = json.loads(written.read_text(encoding="utf-8"))
    assert quality["clean_captions"]["pairs"] == 60
    assert set(quality["clean_captions"]["auc_by_changed_factor"]) >= set(APPEARANCE) - {"size"}
    assert set(quality["sources"]) == {"stock", "asr_vlog", "asr_howto", "alt_mined", "tags", "machine", "web_pages"}
    assert quality["held_out"] == {"seed": 77, "clips": 60, "frames_per_clip": 4}


def test_a_wrong_model_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--model", "no_such_model"]) == 2
    assert "Give 'world_clip'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("numbers", "words"),
    [({"steps": 0}, "steps is 0; allowed are integers from 1"), ({"seed": 9001}, "they must differ")],
)
def test_a_recipe_out_of_range_says_how_to_mend(numbers: dict[str, int], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Recipe(**numbers)
