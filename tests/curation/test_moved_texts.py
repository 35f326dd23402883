from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from curation.moved_texts import MAX_BYTES, MAX_TEXTS, MovedText, take_over, texts_to_move
from curation.unit_reading import WholeSample


def text(name: str, words: str = "a dog", score: int = 1_000, kind: str = "alt") -> dict[str, Any]:
    return {"text_id": name, "kind": kind, "text": words, "scores_1e4": {"mean": score}}


def moved(name: str, *arguments: Any) -> MovedText:
    return MovedText(text=text(name, *arguments), sample_id=f"of {name}", source="crawl")


def test_the_best_scored_come_first_and_what_is_there_is_not_taken() -> None:
    taken, left = take_over([text("own", "a dog")], [moved("a", "a cat", 5), moved("b"), moved("c", "a cow", 9)])
    assert [(own["text"], own["from_sample"], own["from_source"]) for own in taken] == [
        ("a cow", "of c", "crawl"),
        ("a cat", "of a", "crawl"),
    ]
    assert left == 0


def test_one_text_of_two_samples_is_taken_once() -> None:
    taken, left = take_over([], [moved("b", "a cat"), moved("a", "a cat"), moved("c", "a cat", 1_000, "title")])
    assert [(own["text_id"], own["kind"]) for own in taken] == [("a", "alt"), ("c", "title")]
    assert left == 0


def test_a_text_without_a_score_comes_last() -> None:
    silent = MovedText(text={**text("z", "no score"), "scores_1e4": {}}, sample_id="s", source="crawl")
    assert [own["text_id"] for own in take_over([], [silent, moved("a", "x", -9_999)])[0]] == ["a", "z"]


def test_what_is_too_much_is_counted() -> None:
    taken, left = take_over([], [moved(f"{place:03d}", f"words {place}") for place in range(MAX_TEXTS + 5)])
    assert (len(taken), left) == (MAX_TEXTS, 5)
    taken, left = take_over([], [moved(name, name * (MAX_BYTES // 2)) for name in "abc"])
    assert (len(taken), left) == (2, 1)


@given(
    st.permutations(
        [moved(name, f"text {name}", score) for name, score in zip("abcdef", (5, 5, 1, 9, 9, 0), strict=True)]
    )
)
def test_the_order_of_arrival_leaves_no_trace(texts: list[MovedText]) -> None:
    assert [own["text_id"] for own in take_over([], texts)[0]] == ["d", "e", "a", "b", "c", "f"]


def test_texts_of_all_units_that_tell_of_a_sample_are_moved() -> None:
    row = {"sample_id": "s", "source": "crawl", "record_ids": []}
    tellings = [WholeSample(unit=unit, row=row, texts=(text(unit), text("both"))) for unit in ("u1", "u2")]
    assert {(own.text["text_id"], own.sample_id, own.source) for own in texts_to_move(tellings)} == {
        ("u1", "s", "crawl"),
        ("u2", "s", "crawl"),
        ("both", "s", "crawl"),
    }
