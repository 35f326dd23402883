from __future__ import annotations

from pathlib import Path

import pytest

from curation.labels import RunLabels, current_labels, precision_by_bin, selected_pairs, shown_pairs, wilson
from curation.store import LocalStore
from schemas.arrow import EXAMPLES, SELECTION, parquet_bytes
from schemas.config_file import ConfigError
from schemas.examples import Label, Pair
from schemas.run import EXAMPLES_PARQUET, LABELS_JSONL
from schemas.statistics import ScorerFacts

FACTS = ScorerFacts(name="tiny", digest="ab" * 32, frame_plan="u8-64", aggregation="mean", prompt="{}")
OTHER = FACTS.model_copy(update={"digest": "cd" * 32})


def label(name: str, verdict: str = "good", score: int = 2_510, source: str = "web", **changed: str) -> Label:
    document = {
        "sample_id": name * 26,
        "source": source,
        "text_id": "t" * 26,
        "scoring": FACTS.scoring,
        "aggregation": "mean",
        "score_1e4": score,
        "verdict": verdict,
    }
    return Label.model_validate(document | changed)


def test_the_last_label_of_a_pair_counts(tmp_path: Path) -> None:
    labels = RunLabels(LocalStore(tmp_path))
    assert labels.all() == ()
    for one in (label("a"), label("b"), label("a", text_id="u" * 26), label("a", "wrong_pair")):
        labels.add(one)
    assert RunLabels(LocalStore(tmp_path)).all() == (label("a", "wrong_pair"), label("a", text_id="u" * 26), label("b"))


def test_a_line_that_a_crash_cut_off_is_left_out_and_the_next_one_stands_alone(tmp_path: Path) -> None:
    labels = RunLabels(LocalStore(tmp_path))
    labels.add(label("a"))
    with (tmp_path / LABELS_JSONL).open("ab") as file:
        file.write(b'{"sample_id":"bbb')
    assert labels.all() == (label("a"),)
    labels.add(label("c"))
    labels.add(label("d"))
    assert labels.all() == (label("a"), label("c"), label("d"))


def test_a_whole_line_without_its_end_counts_before_and_after_the_next_one(tmp_path: Path) -> None:
    labels = RunLabels(LocalStore(tmp_path))
    labels.add(label("a"))
    path = tmp_path / LABELS_JSONL
    path.write_bytes(path.read_bytes().rstrip(b"\n"))
    assert labels.all() == (label("a"),)
    labels.add(label("b"))
    assert labels.all() == (label("a"), label("b"))


def test_a_whole_line_that_is_no_label_is_said(tmp_path: Path) -> None:
    labels = RunLabels(LocalStore(tmp_path))
    labels.add(label("a"))
    with (tmp_path / LABELS_JSONL).open("ab") as file:
        file.write(b'{"sample_id":"bbb"}\n')
    with pytest.raises(ConfigError, match=r"labels\.jsonl, line 2: is no label .* remove the line"):
        labels.all()


@pytest.mark.parametrize(
    ("changed", "counted"),
    [
        ({}, [2_700]),
        ({"text_id": "u" * 26}, []),
        ({"scoring": OTHER.scoring}, []),
        ({"sample_id": "b" * 26}, []),
        # What the label says of the score is of another aggregation: the run's own counts.
        ({"aggregation": "max"}, [2_700]),
    ],
)
def test_only_labels_of_the_run_as_it_is_count(changed: dict[str, str], counted: list[int]) -> None:
    now = {"a" * 26: Pair(**{**label("a").model_dump(exclude={"verdict"}), "score_1e4": 2_700})}
    found = current_labels([label("a", **changed)], now)
    assert [one.score_1e4 for one in found] == counted
    assert all((one.verdict, one.aggregation) == ("good", "mean") for one in found)


def test_what_a_run_says_of_pairs(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    rows = [("a", "t", 2_510, "web"), ("b", "u", -30, "web"), ("c", None, None, "web")]
    chosen = [
        {"sample_id": name * 26, "source": source, "text_id": text and text * 26, "score_1e4": score}
        for name, text, score, source in rows
    ]
    for path, schema, part in (
        ("selection/web-00000.parquet", SELECTION, chosen[:1]),
        ("selection/web-00001.parquet", SELECTION, chosen[1:]),
        ("selection/webs-00000.parquet", SELECTION, chosen[:1]),
        (EXAMPLES_PARQUET, EXAMPLES, [*chosen, *chosen]),
    ):
        store.write(path, parquet_bytes([dict.fromkeys(schema.names) | row for row in part], schema))
    told = {name: (pair.text_id[0], pair.score_1e4) for name, pair in shown_pairs(store, FACTS).items()}
    assert told == {"a" * 26: ("t", 2_510), "b" * 26: ("u", -30)}
    labels = [label("b"), label("c"), label("z"), label("a", source="gone")]
    assert selected_pairs(store, labels, FACTS) == {"b" * 26: shown_pairs(store, FACTS)["b" * 26]}


def test_precision_of_each_bin() -> None:
    told = [label("a"), label("b", "wrong_pair"), label("c", "unsure"), label("d", score=-1), label("e", source="alt")]
    found = [(one.source, one.low_1e4, one.good, one.wrong, one.unsure) for one in precision_by_bin(told)]
    assert found == [("alt", 2_500, 1, 0, 0), ("web", -500, 1, 0, 0), ("web", 2_500, 1, 1, 1)]


@pytest.mark.parametrize(
    ("good", "total", "low", "high"),
    # Wilson 1927; the values of Newcombe 1998, table I: 81 of 263 and 15 of 148, and 0 of 20.
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (0, 0, 0.0, 1.0)],
)
def test_bounds_of_a_share(good: int, total: int, low: float, high: float) -> None:
    assert wilson(good, total) == (pytest.approx(low, abs=5e-5), pytest.approx(high, abs=5e-5))
