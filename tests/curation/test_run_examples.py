from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from curation.run_examples import SHOWN_CHARS, read_examples, share_out, shown_order
from pipelines.run_folder import Run
from schemas.arrow import EXAMPLES, read_rows
from schemas.examples import ExampleText
from schemas.run import EXAMPLES_PARQUET
from tests.builders import FAKE_SCORER, built_with_fakes


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return built_with_fakes(tmp_path)


def test_examples_come_with_their_texts_the_chosen_one_first(run: Run) -> None:
    found = read_examples(run.store, FAKE_SCORER.scoring, "mean", 100)
    told = {example.sample_id: [text.text for text in example.texts] for example in found if example.source == "stock"}
    assert sorted(sorted(texts) for texts in told.values()) == [
        [],
        ["a blue square"],
        ["a circle that is red", "a red circle"],
    ]
    for example in found:
        assert [text.chosen for text in example.texts] == [True] * bool(example.texts) + [False] * (
            len(example.texts) - 1
        )
        if example.score_1e4 is not None:
            assert example.texts[0].score_1e4 == example.score_1e4
        assert all(len(text.text) <= SHOWN_CHARS for text in example.texts)


def rows_of(source: str, places: int, each: int) -> list[dict[str, object]]:
    return [
        {"source": source, "place": "bin", "bin": place, "sample_id": f"{source}{place}-{rank}"}
        for place in range(places)
        for rank in range(each)
    ]


def test_sources_share_what_a_page_holds() -> None:
    # Fifty sources of seventy places, three examples each; one of them small.
    rows = [row for number in range(49) for row in rows_of(f"s{number:02d}", 70, 3)] + rows_of("z", 5, 2)
    found = share_out(rows, 3_000)
    counts = Counter(str(row["source"]) for row in found)
    assert counts["z"] == 10
    assert {counts[f"s{number:02d}"] for number in range(49)} == {61, 62}  # 2,990 of 49 sources
    assert sum(counts.values()) == 3_000
    assert found == [row for row in rows if row in found], "in their order"
    bins = sorted(int(str(row["bin"])) for row in found if row["source"] == "s00")
    assert (bins[0], bins[-1] >= 68, len(set(bins))) == (0, True, 61), "spread over the source, not its first ones"


@pytest.mark.parametrize(
    ("most", "expected"),
    [
        (0, []),
        (1, ["a0-0"]),
        (2, ["a0-0", "a2-0"]),
        (4, ["a0-0", "a1-0", "a2-0", "a3-0"]),
        (6, ["a0-0", "a0-1", "a1-0", "a2-0", "a2-1", "a3-0"]),
        (8, ["a0-0", "a0-1", "a1-0", "a1-1", "a2-0", "a2-1", "a3-0", "a3-1"]),
        (99, ["a0-0", "a0-1", "a1-0", "a1-1", "a2-0", "a2-1", "a3-0", "a3-1"]),
    ],
)
def test_every_place_of_a_source_comes_before_a_second_one(most: int, expected: list[str]) -> None:
    assert [row["sample_id"] for row in share_out(rows_of("a", 4, 2), most)] == expected


def test_texts_stand_by_score_and_those_without_one_last() -> None:
    scores = [-5_000, None, 0, -10_000, 300]
    texts = [ExampleText(kind="alt", text="t", score_1e4=score, chosen=score == -10_000) for score in scores]
    assert [text.score_1e4 for text in sorted(texts, key=shown_order)] == [-10_000, 300, 0, -5_000, None]


def test_fewer_of_each_place_rather_than_fewer_places(run: Run) -> None:
    rows = read_rows(run.store.read(EXAMPLES_PARQUET), EXAMPLES)
    places = {(row["source"], row["place"], row["bin"]) for row in rows}
    found = read_examples(run.store, FAKE_SCORER.scoring, "mean", len(places))
    assert {(one.source, one.place, one.bin) for one in found} == places
    assert len(read_examples(run.store, FAKE_SCORER.scoring, "mean", 1)) == 1
