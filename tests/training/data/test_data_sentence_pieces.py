"""SentencePiece models: canonical texts, the likeliest pieces, cut and padded as the published code does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.training.data.small_spm import spm_file
from training.data.sentence_pieces import canonical_text, read_sentencepiece
from training.data.tokens import load_tokenizer


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Hello, World!", "hello world."),
        ("Hello,World..", "hello world."),
        ("  Hello \t  WORLD\n", "hello world."),
        ("don't_stop #1", "don t stop 1."),
        ("ΣΑΣ “quoted”", "σας “quoted”."),  # only ASCII punctuation goes
        ("?!", "."),
        ("", "."),
    ],
)
def test_texts_are_made_canonical_as_published(text: str, wanted: str) -> None:
    assert canonical_text(text) == wanted


def test_texts_become_the_likeliest_pieces(tmp_path: Path) -> None:
    tokenizer = read_sentencepiece(spm_file(tmp_path), 8)
    ids, paddings = tokenizer(["Red DOGS!", "red, red", "", "zz dog"])
    assert ids.tolist() == [[5, 8, 9, 4], [5, 5, 4, 0], [3, 4, 0, 0], [3, 2, 8, 4]]
    assert paddings.long().tolist() == [[0, 0, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1], [0, 0, 0, 0]]
    assert tokenizer.vocabulary == 11


def test_texts_are_cut_and_a_start_token_counts(tmp_path: Path) -> None:
    def with_start(proto: Any) -> None:
        proto.trainer_spec.bos_id = 1

    without, starting = read_sentencepiece(spm_file(tmp_path), 3), read_sentencepiece(spm_file(tmp_path, with_start), 3)
    assert without(["red dogs red dogs"])[0].tolist() == [[5, 8, 9]]
    assert starting(["red dogs red dogs"])[0].tolist() == [[1, 5, 8]]


def test_a_checkpoint_keeps_the_whole_model(tmp_path: Path) -> None:
    def with_start(proto: Any) -> None:
        proto.trainer_spec.bos_id = 1

    tokenizer = read_sentencepiece(spm_file(tmp_path, with_start), 8)
    (tmp_path / "tokenizer.json").write_bytes(tokenizer.to_bytes())
    (tmp_path / "words.model").unlink()
    again = load_tokenizer(tmp_path / "tokenizer.json", 8)
    assert again.to_bytes() == tokenizer.to_bytes()
    assert (
        again(["red dogs", "r"])[0].tolist()
        == tokenizer(["red dogs", "r"])[0].tolist()
        == [[1, 5, 8, 9, 4], [1, 6, 4, 0, 0]]
    )


def bpe(proto: Any) -> None:
    proto.trainer_spec.model_type = 2


def own_symbol(proto: Any) -> None:
    proto.pieces.add(piece="<own>", score=0.0, type=4)


def suffixes(proto: Any) -> None:
    proto.trainer_spec.treat_whitespace_as_suffix = True


def nothing(proto: Any) -> None:
    del proto.pieces[:]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (bpe, "model_type is 2; allowed: 1"),
        (own_symbol, "'<own>' is user-defined"),
        (suffixes, "treat_whitespace_as_suffix"),
        (nothing, "holds no pieces"),
    ],
)
def test_models_whose_pieces_would_differ_are_refused(tmp_path: Path, change: Callable[[Any], None], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        read_sentencepiece(spm_file(tmp_path, change), 8)


def test_what_is_no_model_is_refused(tmp_path: Path) -> None:
    (tmp_path / "words.model").write_bytes(b"\xff\xff not a model")
    for name in ("words.model", "absent.model"):
        with pytest.raises(ValueError, match="cannot be read"):
            read_sentencepiece(tmp_path / name, 8)
