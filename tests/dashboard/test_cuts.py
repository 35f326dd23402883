"""What cuts yield, in the page's script and in judging: one table of cases for both."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import polars as pl
import pytest
import yaml
from cut_cases import EDGE_CASES, TIER_CASES, Rows

from curation.judging.counting import count_tiers
from curation.judging.selection import give_tiers
from curation.tiers import YieldBins, highest_cut_1e4, resolve_cuts
from schemas.cuts_file import CutsFile
from schemas.judging import Cuts
from schemas.records import Origin
from schemas.statistics import ResolvedCuts

NODE = shutil.which("node")
CUTS_JS = Path(__file__).parents[2] / "dashboard" / "assets" / "cuts.js"
GRID = {"count": 2_000, "low_1e4": -10_000, "step_1e4": 10}

needs_node = pytest.mark.skipif(NODE is None, reason="needs node on the PATH (Debian: nodejs)")


# Percent, clips, how many that asks for: 0.07 * 100 is more than 7 in binary.
SHARE_CASES = [(7, 100, 7), (50, 101, 51), (0.1, 1_000, 1), (12.5, 80, 10), (100, 30, 30), (28, 25, 7), (55, 20, 11)]


def in_script(call: str) -> object:
    code = f"{CUTS_JS.read_text('utf-8')}\nprocess.stdout.write(JSON.stringify({call}));"
    done = subprocess.run([str(NODE), "-e", code], capture_output=True, timeout=60, check=True)
    return json.loads(done.stdout)


def samples(rows: Rows) -> pl.DataFrame:
    """Return one sample per clip of the rows, with what judging reads of it."""
    told = []
    for index, clips, duration, size, by_rule, twins in rows:
        score = None if index is None else -10_000 + 10 * index
        free = clips or 0
        told += [("web", score, None, False, duration // free, size // free) for _ in range(free)]
        told += [("web", score, "min_flow", False, 1, 1) for _ in range(by_rule or 0)]
        told += [("web", score, None, True, 1, 1) for _ in range(twins or 0)]
    schema = {
        "source": pl.String,
        "score_1e4": pl.Int32,
        "rule": pl.String,
        "twin": pl.Boolean,
        "duration_us": pl.Int64,
        "media_bytes": pl.Int64,
    }
    return pl.DataFrame(told, schema=schema, orient="row")


@pytest.mark.parametrize("case", TIER_CASES)
def test_judging_comes_to_the_table(case: str) -> None:
    rows, cuts, expected = TIER_CASES[case]
    resolved = ResolvedCuts(**{f"{name}_1e4": cut for name, cut in cuts.items()})
    counted = count_tiers(give_tiers(samples(rows), resolved, leave_out=True))
    found = {
        row["tier"]: [row["samples_sharded"], row["duration_us"], row["media_bytes"]]
        for row in counted.rows(named=True)
    }
    assert {tier: found.get(tier, [0, 0, 0]) for tier in expected} == expected


@needs_node
@pytest.mark.parametrize("case", TIER_CASES)
def test_the_page_comes_to_the_table(case: str) -> None:
    rows, cuts, expected = TIER_CASES[case]
    found = in_script(f"tierYields({json.dumps(rows)}, {json.dumps(cuts)}, {json.dumps(GRID)})")
    assert isinstance(found, dict)
    assert {tier: [own["clips"], own["duration_us"], own["media_bytes"]] for tier, own in found.items()} == expected


@pytest.mark.parametrize("case", EDGE_CASES)
def test_judging_finds_the_edge(case: str) -> None:
    rows, wanted, edge = EDGE_CASES[case]
    free = {row[0]: row[1] or 0 for row in rows if row[0] is not None}
    assert highest_cut_1e4(free, wanted) == edge


@needs_node
@pytest.mark.parametrize("case", EDGE_CASES)
def test_the_page_finds_the_edge(case: str) -> None:
    rows, wanted, edge = EDGE_CASES[case]
    assert in_script(f"highestCut({json.dumps(rows)}, {wanted}, {json.dumps(GRID)})") == edge


@needs_node
@pytest.mark.parametrize(
    ("value", "edge"), [(2_800, 2_800), (2_801, 2_810), (-10_000, -10_000), (10_000, 10_000), (-9_999, -9_990)]
)
def test_a_cut_off_the_edges_means_the_next_one(value: int, edge: int) -> None:
    assert in_script(f"onEdge({value}, {json.dumps(GRID)})") == edge


@needs_node
@pytest.mark.parametrize(
    ("cuts", "ordered"),
    [
        ({"clean": None, "high": 3, "low": 5}, {"low": 3, "high": 3, "clean": None}),
        ({"clean": 1, "high": 5, "low": 3}, {"low": 3, "high": 5, "clean": 3}),
    ],
)
def test_a_stricter_cut_never_lies_below_a_looser_one(cuts: dict, ordered: dict) -> None:
    assert in_script(f"ordered({json.dumps(cuts)})") == ordered


@pytest.mark.parametrize(("percent", "whole", "wanted"), SHARE_CASES)
def test_judging_counts_a_share(percent: float, whole: int, wanted: int) -> None:
    # One clip in each of as many bins: the cut that so many reach names how many were wanted.
    bins = dict.fromkeys(range(1_000, 1_000 + whole), 1)
    cuts = Cuts.model_validate({"high": {"share": percent / 100}, "low": -1.0})
    found = resolve_cuts(cuts, Origin.NOISY, YieldBins(scored=bins, free=bins, free_total=whole))
    assert found.high_1e4 == 10 * (whole - wanted)


@needs_node
@pytest.mark.parametrize(("percent", "whole", "wanted"), SHARE_CASES)
def test_the_page_counts_a_share(percent: float, whole: int, wanted: int) -> None:
    assert in_script(f"clipsOfShare({percent}, {whole})") == wanted


@needs_node
@pytest.mark.parametrize("name", ["no", "on", "1e3", "~", "null", "0x1f", "web_alt"])
def test_a_name_that_yaml_reads_as_something_else_stays_a_name(name: str) -> None:
    facts = {"corpus": name, "scoring": "1" * 16, "aggregation": "mean"}
    text = in_script(f"cutsFile({json.dumps(facts)}, {json.dumps({name: {'clean': None, 'high': 3, 'low': 2}})})")
    found = CutsFile.model_validate(yaml.safe_load(str(text)))
    assert (found.corpus, list(found.cuts)) == (name, [name])


@needs_node
def test_the_file_of_cuts_is_one_that_judge_reads() -> None:
    facts = {"corpus": "world", "scoring": "1234567890123456", "aggregation": "mean"}
    cuts = {"stock": {"clean": 2_840, "high": 3_000, "low": -10_000}, "web": {"clean": None, "high": 10_000, "low": 5}}
    text = in_script(f"cutsFile({json.dumps(facts)}, {json.dumps(cuts)})")
    found = CutsFile.model_validate(yaml.safe_load(str(text)))
    assert (found.corpus, found.scoring, found.aggregation) == ("world", "1234567890123456", "mean")
    assert found.cuts == {
        "stock": Cuts(clean=0.284, high=0.3, low=-1.0),
        "web": Cuts(high=1.0, low=0.0005),
    }
