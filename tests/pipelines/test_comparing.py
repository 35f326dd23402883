"""Comparing, checking and merging runs by command, and the documented queries on a real run."""

from __future__ import annotations

import contextlib
import io
import json
import re
from collections.abc import Iterable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as plain_families
from prometheus_client.samples import Sample

from beam_runner import main
from curation.labels import RunLabels, shown_pairs
from dashboard.openmetrics import openmetrics
from pipelines.run_folder import Run, open_run, read_statistics
from pipelines.stages import judge
from pipelines.watching import Watcher
from schemas.examples import Label
from schemas.judging import Cuts
from schemas.run import STATISTICS_JSON
from tests.builders import FAKE_SCORER, IN_PROCESS, built_with_fakes

ROOT = Path(__file__).parents[2]
GUIDE = (ROOT / "docs" / "statistics.md").read_text()


def labelled(run: Run) -> Run:
    """Return a run with a label of each sample that has a text, as by command."""
    labels = RunLabels(run.store)
    for pair in shown_pairs(run.store, FAKE_SCORER).values():
        labels.add(Label(**pair.model_dump(), verdict="good"))
    assert main(["labels", str(run.root), "--out", str(run.root / "labels" / "labels.parquet")]) == 0
    return run


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Run]:
    """Return a run, and the same one with other cuts."""
    one = built_with_fakes(tmp_path_factory.mktemp("one"))
    other = built_with_fakes(tmp_path_factory.mktemp("other"))
    changed = open_run(other.config.model_copy(update={"cuts": Cuts(clean=1.0, high=1.0, low=0.99)}), other.root)
    judge(changed, IN_PROCESS, Watcher(quiet=True))
    return labelled(one), other


def told(capsys: pytest.CaptureFixture[str], *command: object) -> tuple[int, dict]:
    code = main([str(word) for word in command])
    return code, json.loads(capsys.readouterr().out)


def test_compare_tells_what_moved(runs: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    code, drift = told(capsys, "compare", runs[1].root, runs[0].root, "--json")
    moved = {source["source"]: (source["js"], source["trusted"]) for source in drift["sources"]}
    assert (code, moved) == (0, {"mined": (0.0, -0.5), "stock": (0.0, -0.666667)})
    assert main(["compare", str(runs[1].root), str(runs[0].root)]) == 0
    assert "Shift of quantiles" in capsys.readouterr().out


@pytest.mark.parametrize(("allowed", "code"), [(0.7, 0), (0.6, 1)])
def test_check_fails_on_drift(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], allowed: float, code: int
) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text(f"all_sources: {{max_trusted_drop: {allowed}}}\nmin_samples: 1\n")
    found, drift = told(capsys, "check", runs[1].root, "--against", runs[0].root, "--limits", limits, "--json")
    assert found == code
    assert [limit["source"] for limit in drift["broken"]] == ["stock"] * code


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("all_sources: {max_psy: 1}\n", "max_psy: unknown key"),
        ("sources: {nobody: {max_psi: 1}}\n", "names sources ['nobody']"),
    ],
)
def test_wrong_limits_are_refused(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, message: str
) -> None:
    limits = tmp_path / "limits.yaml"
    limits.write_text(text)
    assert main(["check", str(runs[0].root), "--against", str(runs[1].root), "--limits", str(limits)]) == 2
    assert message in capsys.readouterr().err


def test_the_documented_limits_are_limits(runs: tuple[Run, Run], tmp_path: Path) -> None:
    (document,) = re.findall(r"```yaml\n(.*?)```", GUIDE, re.DOTALL)
    (tmp_path / "limits.yaml").write_text(document.replace("crawl", "mined"))
    command = ["check", str(runs[0].root), "--against", str(runs[0].root), "--limits", str(tmp_path / "limits.yaml")]
    assert main(command) == 0


def test_merged_statistics_are_sums(runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one = runs[0]
    assert main(["merge-stats", str(one.root), str(one.root), "--out", str(tmp_path / "sum")]) == 0
    single, double = read_statistics(one.root), read_statistics(tmp_path / "sum")
    for mine, twice in zip(single.sources, double.sources, strict=True):
        assert (2 * mine.samples, 2 * mine.ledger.records_read) == (twice.samples, twice.ledger.records_read)
        assert [2 * tier.samples for tier in mine.tiers] == [tier.samples for tier in twice.tiers]
        assert [2 * histogram.count for histogram in mine.histograms] == [own.count for own in twice.histograms]
        assert [own.quantiles_1e4 for own in mine.histograms] == [own.quantiles_1e4 for own in twice.histograms]
    for name in ("yields", "joint", "distributions", "histograms"):
        before, after = (pl.read_parquet(root / "stats" / f"{name}.parquet") for root in (one.root, tmp_path / "sum"))
        number = "clips" if "clips" in before.columns else "count"
        assert after.columns == before.columns
        assert after[number].to_list() == [2 * count for count in before[number]]
    capsys.readouterr()
    assert told(capsys, "compare", tmp_path / "sum", one.root, "--json")[1]["sources"][0]["js"] == 0.0


def test_what_does_not_add_up_is_refused(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changed = json.loads((runs[0].root / STATISTICS_JSON).read_bytes())
    changed["sources"][0]["licence"] = "another"
    (tmp_path / "stats").mkdir()
    (tmp_path / STATISTICS_JSON).write_text(json.dumps(changed))
    assert main(["merge-stats", str(runs[0].root), str(tmp_path), "--out", str(tmp_path / "sum")]) == 2
    assert "licence is CC0-1.0 in one run and another in another" in capsys.readouterr().err
    assert main(["merge-stats", str(runs[0].root), "--out", str(runs[1].root)]) == 2
    assert main(["compare", str(tmp_path / "nothing"), str(runs[0].root)]) == 2


def test_runs_with_other_cuts_are_added_up_without_tiers(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    one, total = runs[0].root, tmp_path / "sum"
    assert main(["merge-stats", *(str(run.root) for run in runs), str(one), "--out", str(total)]) == 0
    assert "stock: its cuts differ between the runs, so it has no tiers here" in capsys.readouterr().out
    single, triple = read_statistics(one), read_statistics(total)
    for mine, thrice in zip(single.sources, triple.sources, strict=True):
        assert (thrice.cuts, thrice.tiers) == (None, ())
        assert (3 * mine.samples, 3 * mine.left_out_as_duplicate) == (thrice.samples, thrice.left_out_as_duplicate)
        assert [3 * histogram.count for histogram in mine.histograms] == [own.count for own in thrice.histograms]
    for name in ("yields", "distributions", "histograms"):
        before, after = (pl.read_parquet(root / "stats" / f"{name}.parquet") for root in (one, total))
        number = "clips" if "clips" in before.columns else "count"
        assert after[number].to_list() == [3 * count for count in before[number]]
    before, after = (pl.read_parquet(root / "stats" / "joint.parquet") for root in (one, total))
    assert after["tier"].null_count() == after.height
    assert after["clips"].sum() == 3 * before["clips"].sum()
    # Equal cuts among them bring the tiers back in neither order.
    assert main(["merge-stats", str(total), str(one), "--out", str(tmp_path / "more")]) == 0
    assert read_statistics(tmp_path / "more").sources[0].tiers == ()
    capsys.readouterr()
    drift = told(capsys, "compare", total, one, "--json")[1]
    assert {source["source"]: source["trusted"] for source in drift["sources"]} == {"stock": None, "mined": None}
    assert "clipstrata_cut{" not in openmetrics(triple)


def test_a_limit_on_tiers_that_are_not_there_is_refused(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["merge-stats", *(str(run.root) for run in runs), "--out", str(tmp_path / "sum")]) == 0
    (tmp_path / "limits.yaml").write_text("all_sources: {max_trusted_drop: 0.5}\nmin_samples: 1\n")
    check = ["check", tmp_path / "sum", "--against", runs[0].root, "--limits", tmp_path / "limits.yaml"]
    assert main([str(word) for word in check]) == 2
    assert "a sum of runs with different cuts, which has no tiers" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"schema_name": "clipstrata.statistics/9"}, "allowed: clipstrata.statistics/3; judge the run again"),
        ({"edges": {"low_1e4": -10_000, "step_1e4": 20, "bins": 1_000}}, "1000 bins of 20 from -10000"),
    ],
)
def test_documents_of_another_form_are_refused(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict, message: str
) -> None:
    document = json.loads((runs[0].root / STATISTICS_JSON).read_bytes())
    (tmp_path / "stats").mkdir()
    (tmp_path / STATISTICS_JSON).write_text(json.dumps(document | change))
    for command in (["compare", tmp_path, runs[0].root], ["compare", runs[0].root, tmp_path]):
        assert main([str(word) for word in command]) == 2
        assert message in capsys.readouterr().err
    merge = ["merge-stats", str(runs[0].root), str(tmp_path), "--out", str(tmp_path / "sum")]
    assert main(merge) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "sum").exists()


def test_metrics_are_openmetrics_and_grafana_asks_for_nothing_else(runs: tuple[Run, Run]) -> None:
    statistics = read_statistics(runs[0].root)
    families = {family.name: family for family in text_string_to_metric_families(openmetrics(statistics))}
    scores = [sample for sample in families["clipstrata_score"].samples if sample.labels["source"] == "stock"]
    buckets = {sample.labels["le"]: sample.value for sample in scores if sample.name.endswith("_bucket")}
    # Chosen texts of stock: 0.3128 and 0.6560.
    assert [buckets[edge] for edge in ("0.3", "0.35", "0.6", "1.0", "+Inf")] == [0, 1, 1, 2, 2]
    exported = {sample.name for family in families.values() for sample in family.samples}
    dashboard = (ROOT / "deploy" / "grafana" / "clipstrata.json").read_text()
    asked = set(re.findall(r"\bclipstrata_[a-z_]+", dashboard))
    assert asked and asked <= exported
    kept = {(s.labels["source"], s.labels["tier"]): s.value for s in families["clipstrata_samples"].samples}
    assert kept["stock", "clean"] == 2


def test_metrics_are_text_that_node_exporter_reads_too(runs: tuple[Run, Run]) -> None:
    text = openmetrics(read_statistics(runs[0].root))
    # The types of Prometheus' own text format; its parser refuses a file with any other one, `info` among them.
    types = {line.split()[3] for line in text.splitlines() if line.startswith("# TYPE")}
    assert types == {"gauge", "histogram"}
    plain = {(sample.name, *sorted(sample.labels.items())): sample.value for sample in samples_of(plain_families(text))}
    strict = {
        (sample.name, *sorted(sample.labels.items())): sample.value
        for sample in samples_of(text_string_to_metric_families(text))
    }
    assert plain == strict
    (run,) = [sample for sample in samples_of(plain_families(text)) if sample.name == "clipstrata_run_info"]
    assert (run.value, run.labels["corpus"], run.labels["model"]) == (1, "tiny", "fake")


def samples_of(families: Iterable[Metric]) -> list[Sample]:
    return [sample for family in families for sample in family.samples]


def test_each_table_of_the_report_is_a_file(
    runs: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["stats", str(runs[0].root), "--csv", str(tmp_path / "tables"), "--json"]) == 0
    found = {path.stem: pd.read_csv(path) for path in (tmp_path / "tables").iterdir()}
    names = {
        "scores",
        "funnel",
        "tiers",
        "rejects",
        "duplicates",
        "duplicate_sizes",
        "duplicate_kinds",
        "duplicate_thresholds",
        "benchmarks",
        "dimensions",
        "labels",
        "shards",
        "shard_outliers",
    }
    assert found.keys() == names
    assert set(found["shards"]["state"]) == {"as written"}
    told = read_statistics(runs[0].root)
    assert found["tiers"]["samples"].sum() == sum(source.samples for source in told.sources)
    assert found["labels"]["good"].sum() == len(RunLabels(runs[0].store).all()) > 0
    (tmp_path / "file").write_text("x")
    assert main(["stats", str(runs[0].root), "--csv", str(tmp_path / "file")]) == 2
    assert "is a file; allowed: a folder" in capsys.readouterr().err


def queries(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


@pytest.mark.parametrize("query", queries("sql"))
def test_documented_queries_run(runs: tuple[Run, Run], query: str) -> None:
    rows = duckdb.sql(query.replace("RUN", str(runs[0].root))).fetchall()
    assert rows


@pytest.mark.parametrize("script", queries("python"))
def test_documented_scripts_run(runs: tuple[Run, Run], script: str) -> None:
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(script.replace("RUN", str(runs[0].root)), {})
    assert "stock" in said.getvalue()
