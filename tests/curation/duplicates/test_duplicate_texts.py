from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from curation.duplicates.texts import MAX_CANDIDATES, near_texts, plain, shingles

CASES: dict[str, tuple[list[str], list[set[int]]]] = {
    "equal but for case and punctuation": (["Subscribe NOW!", "subscribe, now", "a dog"], [{0, 1}]),
    "one word of many differs": (
        ["my day at the sea with all of my friends part one", "my day at the sea with all of my friends part two"],
        [{0, 1}],
    ),
    "half of it differs": (["a red car drives by", "a red bird flies off"], []),
    "one word each": (["hello", "Hello!", "world"], [{0, 1}]),
    "no words at all": (["!!!", "...", ""], []),
    "nothing": ([], []),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_nearly_the_same(name: str) -> None:
    texts, expected = CASES[name]
    assert groups(texts) == expected


def groups(texts: list[str]) -> list[set[int]]:
    found: dict[str, set[int]] = {}
    for text_id, group, copies in near_texts([(str(i), text) for i, text in enumerate(texts)], 0.8).iter_rows():
        found.setdefault(group, set()).add(int(text_id))
        assert copies >= 2
    return sorted(found.values(), key=min)


def test_a_template_of_thousands_is_one_group() -> None:
    texts = [f"welcome back to my channel today we play the great game episode {number}" for number in range(1_000)]
    assert len(texts) > 10 * MAX_CANDIDATES
    ((_, _, copies),) = near_texts(enumerate_texts(texts), 0.8).head(1).iter_rows()
    assert copies == 1_000


def enumerate_texts(texts: list[str]) -> list[tuple[str, str]]:
    return [(f"{place:04d}", text) for place, text in enumerate(texts)]


@settings(max_examples=25)
@given(st.lists(st.sampled_from(["a b c d e f", "a b c d e g", "A b, c d e f", "x y", "x", "z z z"]), max_size=12))
def test_the_order_leaves_no_trace(texts: list[str]) -> None:
    told = enumerate_texts(texts)
    assert near_texts(told, 0.6).equals(near_texts(reversed(told), 0.6))


def test_words_and_their_pairs() -> None:
    assert plain("Ein  Café, bitte_2!") == "ein café bitte_2"
    assert shingles("a b c") == {"a b", "b c"}
    assert shingles("a") == {"a"}
