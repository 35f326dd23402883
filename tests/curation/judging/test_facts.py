from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.judging.facts import best_offsets, judge_facts
from schemas.judging import Rules
from tests.curation.judging.frames import group_rows, text, told
from tests.curation.judging.reference import Told, best_text, first_rule

# name -> (rules, texts, the text that is chosen)
CHOICES = {
    "the best score": ({}, [text("x", 10), text("y", 30)], "y"),
    "of equals the smaller id": ({}, [text("y", 30), text("x", 30)], "x"),
    "a language that is not wanted": (
        {"text": {"languages": ["de"]}},
        [text("x", 10, language="de"), text("y", 30)],
        "x",
    ),
    "too short to tell is no language": ({"text": {"languages": ["de"]}}, [text("x", 10, language=None)], None),
    "und admits it": ({"text": {"languages": ["de", "und"]}}, [text("x", 10, language=None)], "x"),
    "too few words": ({"text": {"min_words": 4}}, [text("x", 10, words=4), text("y", 30, words=3)], "x"),
    "too many words": ({"text": {"max_words": 4}}, [text("x", 10, words=4), text("y", 30, words=5)], "x"),
    "the first kind that is there": (
        {"choice": {"by": "kind", "kinds": ["title", "asr"]}},
        [text("x", 10, kind="asr"), text("y", 90, kind="alt"), text("z", 20, kind="asr")],
        "z",
    ),
    "kinds that are not named come last, by name": (
        {"choice": {"by": "kind", "kinds": ["title"]}},
        [text("x", 10, kind="asr"), text("y", 5, kind="alt")],
        "y",
    ),
    "no text": ({}, [], None),
}


@pytest.mark.parametrize("case", CHOICES)
def test_which_text_stands_for_a_sample(case: str) -> None:
    rules, texts, chosen = CHOICES[case]
    facts = judge_facts(group_rows([told("a", *texts)]), Rules.model_validate(rules), "mean")
    assert facts["text_id"].to_list() == [chosen]


def asr(offset: int, score: int, kind: str = "asr", **more: object):
    return text(f"t{offset}", score, offset_us=offset, kind=kind, **more)


# name -> (texts, best offset)
BEST = {
    "the highest": ([asr(-2, 100), asr(0, 90), asr(3, 120)], [3]),
    "of equals the nearest": ([asr(-2, 100), asr(1, 100), asr(9, 99)], [1]),
    "of equals at one distance the earlier": ([asr(2, 100), asr(-2, 100)], [-2]),
    "other kinds do not count": ([asr(4, 10), asr(0, 900, kind="caption")], [4]),
    "nothing said": ([asr(0, 900, kind="caption")], []),
}


@pytest.mark.parametrize("case", BEST)
def test_the_best_offset_of_speech(case: str) -> None:
    texts, expected = BEST[case]
    for own in (texts, texts[::-1]):
        assert best_offsets(group_rows([told("a", *own)]).pairs, "mean")["offset_us"].to_list() == expected


# name -> (rules, texts, the text that is chosen, the offset that goes with it)
OFFSETS = {
    "speech that wins": ({}, [asr(-2, 100), asr(3, 120)], "t3", 3),
    "speech that wins over an equal one": ({}, [asr(-2, 100), asr(1, 100)], "t-2", -2),
    "another kind that wins": ({}, [asr(-2, 100), asr(3, 90), text("x", 900)], "x", -2),
    "speech that may not win": ({"text": {"min_words": 4}}, [asr(5, 100, words=3), text("x", 10, words=4)], "x", 5),
    "no speech": ({}, [text("x", 900, offset_us=7)], "x", None),
    "no text": ({}, [], None, None),
}


@pytest.mark.parametrize("case", OFFSETS)
def test_the_offset_beside_the_chosen_text(case: str) -> None:
    rules, texts, chosen, offset = OFFSETS[case]
    found = judge_facts(group_rows([told("a", *texts)]), Rules.model_validate(rules), "mean")
    assert found.select("text_id", "offset_us").rows() == [(chosen, offset)]


# name -> (rules of the video, what the clip is, the rule that it breaks)
BROKEN = {
    "none asked for": ({}, {"duration_us": 1}, None),
    "at the least length": ({"min_duration_s": 2}, {"duration_us": 2_000_000}, None),
    "under it": ({"min_duration_s": 2}, {"duration_us": 1_999_999}, "min_duration"),
    "at the longest": ({"max_duration_s": 2}, {"duration_us": 2_000_000}, None),
    "over it": ({"max_duration_s": 2}, {"duration_us": 2_000_001}, "max_duration"),
    "enough motion": ({"min_flow": 0.01}, {"flow": 100}, None),
    "too little": ({"min_flow": 0.01}, {"flow": 99}, "min_flow"),
    "static": ({"max_static_share": 0.5}, {"static": 5_001}, "max_static_share"),
    "black": ({"max_black_share": 0.5}, {"black": 5_001}, "max_black_share"),
    "as much text as allowed": ({"max_text_area": 0.05}, {"text_area": 500}, None),
    "too much of it": ({"max_text_area": 0.05}, {"text_area": 501}, "max_text_area"),
    "nobody looked for text": ({"max_text_area": 1.0}, {"text_area": None}, "max_text_area"),
    "nobody looked, and nobody asks": ({"max_black_share": 0.5}, {"text_area": None}, None),
    "the first of two": ({"min_flow": 0.01, "max_black_share": 0.0}, {"flow": 1, "black": 9_999}, "min_flow"),
}


@pytest.mark.parametrize("case", BROKEN)
def test_the_first_rule_that_a_clip_breaks(case: str) -> None:
    rules, clip, broken = BROKEN[case]
    facts = judge_facts(group_rows([told("a", **clip)]), Rules.model_validate({"video": rules}), "mean")
    assert facts["rule"].to_list() == [broken]


KINDS = ["asr", "alt", "title"]
TEXTS = st.builds(
    text,
    st.text("abc", min_size=1, max_size=3),
    st.integers(-3, 3),
    kind=st.sampled_from(KINDS),
    words=st.integers(1, 5),
    language=st.sampled_from(["en", "de", None]),
)
SAMPLES = st.lists(
    st.builds(
        lambda texts, duration_us, flow: told("a", *texts, duration_us=duration_us, flow=flow),
        st.lists(TEXTS, max_size=5, unique_by=lambda own: own.text_id),
        st.integers(0, 3_000_000),
        st.integers(0, 200),
    ),
    max_size=6,
)
RULES = st.sampled_from(
    [
        {},
        {"video": {"min_duration_s": 1.5, "min_flow": 0.01}, "text": {"min_words": 2, "languages": ["en", "und"]}},
        {"choice": {"by": "kind", "kinds": ["title"]}, "text": {"max_words": 3}},
    ]
)


@given(samples=SAMPLES, rules=RULES)
def test_columns_choose_as_rows_do(samples: list[Told], rules: dict) -> None:
    named = [Told(**{**vars(one), "sample_id": letter * 26}) for letter, one in zip("abcdef", samples, strict=False)]
    wanted = Rules.model_validate(rules)
    facts = judge_facts(group_rows(named), wanted, "mean")
    best = [best_text(one, wanted, "mean") for one in named]
    assert facts["text_id"].to_list() == [None if own is None else own.text_id for own in best]
    assert facts["score_1e4"].to_list() == [None if own is None else own.scores["mean"] for own in best]
    assert facts["rule"].to_list() == [first_rule(one, wanted) for one in named]
