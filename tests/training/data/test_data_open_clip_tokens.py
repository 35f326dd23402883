"""open_clip's tokenizers: the ids are open_clip's, the padding is seen, the file names what it needs."""

from __future__ import annotations

import json

import open_clip
import pytest

from curation.scorers.open_clip_scorer import WORLD_CLIP_FOLDER
from training.data.open_clip_tokens import OpenClipTokenizer
from training.data.tokens import tokenizer_of

TEXTS = ["a red dog !!", "a dog"]
WORLD = f"local-dir:{WORLD_CLIP_FOLDER}"


def test_clips_own_ids_with_their_padding() -> None:
    tokenizer = OpenClipTokenizer("ViT-B-32", 16)
    ids, paddings = tokenizer(TEXTS)
    assert ids.tolist() == [[49406, 320, 736, 1929, 748, 49407], [49406, 320, 1929, 49407, 0, 0]]
    assert paddings.long().tolist() == [[0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 1, 1]]
    assert tokenizer.vocabulary == 49408


@pytest.mark.parametrize("name", ["ViT-B-32", WORLD])
def test_ids_are_those_of_open_clip(name: str) -> None:
    ids, paddings = OpenClipTokenizer(name, 12)(TEXTS)
    wanted = open_clip.get_tokenizer(name, context_length=12)(TEXTS)
    assert ids.tolist() == wanted[:, : ids.shape[1]].tolist()
    assert not wanted[:, ids.shape[1] :].any()
    assert not ids[paddings].any()


@pytest.mark.parametrize("name", ["ViT-B-32", WORLD])
def test_a_file_names_the_tokenizer(name: str) -> None:
    tokenizer = OpenClipTokenizer(name, 12)
    again = tokenizer_of(tokenizer.to_bytes(), 5)
    assert again.vocabulary == tokenizer.vocabulary
    assert again(TEXTS)[0].shape[1] <= 5
    assert again.to_bytes() == tokenizer.to_bytes()


def test_another_tokenizer_under_the_name_is_refused() -> None:
    document = json.loads(OpenClipTokenizer("ViT-B-32", 12).to_bytes()) | {"name": WORLD}
    with pytest.raises(ValueError, match="gives other ids"):
        tokenizer_of(json.dumps(document).encode(), 12)


def test_what_open_clip_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot be loaded"):
        OpenClipTokenizer("local-dir:/nowhere", 12)
