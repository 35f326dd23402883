"""`clipstrata plan` as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from beam_runner import main
from tests.builders import built_with_fakes, write_corpus


def planned(capsys: pytest.CaptureFixture[str], *words: str) -> dict:
    assert main(["plan", *words, "--json"]) == 0
    found: dict = json.loads(capsys.readouterr().out)
    return found


def test_more_clips_cost_more_and_more_machines_take_less_time(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus = str(write_corpus(tmp_path / "in"))
    small = planned(capsys, corpus, "--clips", "1000000")
    large = planned(capsys, corpus, "--clips", "2000000", "--machines", "4", "--simulate")
    ingest, more = small["stages"][0], large["stages"][0]
    assert more["core_hours"] == pytest.approx(2 * ingest["core_hours"], rel=0.01)
    assert more["wall_hours"] == pytest.approx(ingest["wall_hours"] / 2, rel=0.01)
    assert [row["workers"] for row in large["fleets"]] == [10, 100, 1_000, 10_000]
    assert large["fleets"][0]["wall_hours"] > large["fleets"][1]["wall_hours"]
    assert main(["plan", corpus, "--clips", "1000000", "--simulate", "--core-price", "0.04"]) == 0
    told = capsys.readouterr().out
    assert "core hours" in told and "Limits:" in told and "predicted over measured" in told and "(simulated)" in told


def test_a_pilot_run_is_taken_as_it_is_or_times_the_clips(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = built_with_fakes(tmp_path / "built")
    corpus = str(write_corpus(tmp_path / "in"))
    same = planned(capsys, corpus, "--pilot", str(run.root))
    clips = same["workload"]["clips"]
    tenfold = planned(capsys, corpus, "--pilot", str(run.root), "--clips", str(int(10 * clips)))
    assert tenfold["workload"]["media_mb"] == pytest.approx(10 * same["workload"]["media_mb"])
    assert tenfold["basis"] == f"the pilot run {run.root}, {clips:,.0f} clips"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "--clips: missing"),
        (["--clips", "0"], "--clips is 0; allowed: 1 or more"),
        (["--clips", "5", "--machines", "0"], "--machines is 0"),
        (["--clips", "5", "--source-size", "720p"], "--source-size is '720p'; allowed: WxH"),
        (["--clips", "5", "--gpu-tflops", "0"], "--gpu-tflops is 0.0; allowed: a number above 0"),
        (["--clips", "5", "--fps", "nan"], "--fps is nan"),
        (["--clips", "5", "--core-price", "-1"], "--core-price is -1.0"),
        (["--pilot", "nowhere"], "it holds no run.json"),
    ],
)
def test_what_is_missing_or_wrong_is_told(
    words: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["plan", str(write_corpus(tmp_path / "in")), *words]) == 2
    assert told in capsys.readouterr().err
