"""Cuts moved on the page, downloaded, and judged: the numbers are those that the page told."""

from __future__ import annotations

from pathlib import Path

import pytest

from beam_runner import main
from curation.verify import verify_run
from pipelines.results import read_results, write_page
from tests.builders import built_with_fakes
from tests.dashboard.browser import needs_chromium, opened

TOTALS = """() => Object.fromEntries([...document.querySelectorAll('#explore-totals td[data-tier]')].map(
  (cell) => [cell.dataset.tier, Number(cell.textContent)]))"""


def sharded(folder: Path) -> dict[str, int]:
    totals: dict[str, int] = {}
    for source in read_results(folder).statistics.sources:
        for tier in source.tiers:
            totals[tier.tier] = totals.get(tier.tier, 0) + tier.samples_sharded
    return totals


@needs_chromium
@pytest.mark.parametrize(("high", "low"), [(3_130, 3_130), (9_000, -10_000), (-10_000, -10_000)])
def test_what_the_page_told_is_what_judging_does(tmp_path: Path, high: int, low: int) -> None:
    run = built_with_fakes(tmp_path)
    page_file = write_page(run.root, None)
    wanted = {"high": high, "low": low, "clean": high}
    with opened(page_file.as_uri()) as page:
        assert page.evaluate(TOTALS) == sharded(run.root), "as judged"
        for box in page.locator("#explore input[type=number][data-cut]").all():
            box.fill(f"{wanted[str(box.get_attribute('data-cut'))] / 10_000:.3f}")
            box.press("Enter")
        told = page.evaluate(TOTALS)
        with page.expect_download() as download:
            page.get_by_role("button", name="Download cuts").click()
        download.value.save_as(tmp_path / "cuts.yaml")
    command = [str(tmp_path / "in" / "corpus.yaml"), "--out", str(run.root), "--cuts", str(tmp_path / "cuts.yaml")]
    assert main(["judge", *command]) == 0
    assert sharded(run.root) == told
    assert main(["shard", *command]) == 0
    assert verify_run(run.store, run.config).problems == []


def test_cuts_of_another_run_are_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = built_with_fakes(tmp_path)
    cuts = tmp_path / "cuts.yaml"
    cuts.write_text('corpus: tiny\nscoring: "0000000000000000"\naggregation: mean\ncuts: {stock: {high: 0.3}}\n')
    command = ["judge", str(tmp_path / "in" / "corpus.yaml"), "--out", str(run.root), "--cuts", str(cuts)]
    assert main(command) == 2
    assert "set the cuts anew on this run's page" in capsys.readouterr().err
