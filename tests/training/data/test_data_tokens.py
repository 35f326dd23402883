"""Texts to ids: learnt from the corpus, the same in every process, whole for any text."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from training.data.tokens import learn_tokenizer, load_tokenizer

TEXTS = ["A red circle, moving LEFT!", "the blue ring (fast)", "red ring; red circle"]
PROGRAM = f"""
import hashlib
from training.data.tokens import learn_tokenizer
print(hashlib.sha256(learn_tokenizer({TEXTS!r}, 300, 8).to_bytes()).hexdigest())
"""


def test_case_and_punctuation_do_not_matter() -> None:
    tokenizer = learn_tokenizer(TEXTS, 300, 8)
    ids, _ = tokenizer(["Red, circle!", "red circle"])
    assert ids[0].tolist() == ids[1].tolist()


def test_texts_are_cut_and_padded_to_the_longest() -> None:
    tokenizer = learn_tokenizer(TEXTS, 300, 4)
    ids, paddings = tokenizer(["red circle", "", "zürich 東京"])
    assert ids.shape == (3, 4)
    assert paddings.sum(dim=1).tolist() == [2, 4, 0]
    assert ids[paddings].unique().tolist() == [0]
    assert (ids[~paddings] > 0).all()


def test_empty_texts_alone_are_padding() -> None:
    ids, paddings = learn_tokenizer(TEXTS, 300, 4)(["", "?!"])
    assert ids.tolist() == [[0], [0]] and paddings.tolist() == [[True], [True]]


def test_two_processes_learn_the_same_file() -> None:
    runs = [subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True) for _ in "ab"]
    assert runs[0].stdout == runs[1].stdout and len(runs[0].stdout) == 65


def test_a_file_comes_back_and_a_broken_one_is_said(tmp_path: Path) -> None:
    tokenizer = learn_tokenizer(TEXTS, 300, 8)
    path = tmp_path / "tokenizer.json"
    path.write_bytes(tokenizer.to_bytes())
    assert load_tokenizer(path, 8)(TEXTS)[0].tolist() == tokenizer(TEXTS)[0].tolist()
    path.write_text("{")
    with pytest.raises(ValueError, match=r"tokenizer.json: cannot be read"):
        load_tokenizer(path, 8)


def test_a_vocabulary_without_room_for_bytes_is_refused() -> None:
    with pytest.raises(ValueError, match="vocabulary is 100; allowed: from 257"):
        learn_tokenizer(TEXTS, 100, 8)
