"""A run as the server shows it, by call and by command: labels count while they speak of the run as it is."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import polars as pl
import pytest

from curation.labels import RunLabels
from pipelines.results import served_run, write_page
from pipelines.run_folder import Run
from schemas.examples import Label
from schemas.run import LABELS_JSONL, media_path
from tests.builders import built_with_fakes
from tests.dashboard.browser import needs_chromium, opened

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return built_with_fakes(tmp_path_factory.mktemp("served"))


def page_of(run: Run, *, served: bool) -> str:
    return served_run(run.root).page() if served else write_page(run.root, run.root / "page.html").read_text()


@pytest.mark.parametrize("served", [True, False])
def test_only_current_labels_are_on_the_page(run: Run, served: bool) -> None:
    shown = served_run(run.root)
    selected = [label for label in map(shown.pair, samples_of(run)) if label is not None]
    first, second, third = selected[:3]
    labels = RunLabels(run.store)
    run.store.delete(LABELS_JSONL)
    labels.add(Label(**first.model_dump(), verdict="good"))
    labels.add(Label(**{**second.model_dump(), "text_id": "z" * 26}, verdict="good"))
    labels.add(Label(**{**third.model_dump(), "scoring": "0" * 16}, verdict="wrong_pair"))
    page = page_of(run, served=served)
    rows = page.split('"name":"labels",')[1].split('"rows":')[1].split("]]")[0]
    low = first.score_1e4 // 500 * 500 / 10_000
    assert rows.startswith(f'[["{first.source}",{low:g},1,0,0,1.0')
    assert rows.count("],[") == 0
    if served:
        assert f'"verdicts":[["{first.sample_id}","good"]]' in page


def samples_of(run: Run) -> list[str]:
    parts = sorted((run.root / "selection").glob("*.parquet"))
    return sorted(pl.read_parquet(parts)["sample_id"].to_list())


def test_what_the_page_does_not_show_has_no_pair(run: Run) -> None:
    assert served_run(run.root).pair("z" * 26) is None


def test_clips_are_found_by_their_content(run: Run) -> None:
    (some, *_) = sorted((run.root / "media").rglob("*.mp4"))
    assert run.store.kept(media_path(some.stem)) == some
    assert served_run(run.root).media(some.stem) == some
    assert run.store.kept(media_path("0" * 64)) is None


def test_each_start_has_a_token_of_its_own(run: Run) -> None:
    assert served_run(run.root).token != served_run(run.root).token


@pytest.fixture
def link(run: Run) -> Iterator[str]:
    """The link that `clipstrata dashboard RUN --serve` prints."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "beam_runner", "dashboard", str(run.root), "--serve", "--port", str(port)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().removeprefix("page: ").strip()
        server.send_signal(signal.SIGINT)
        server.wait(timeout=20)


@needs_chromium
def test_a_label_given_in_a_browser_is_kept_with_the_text_it_speaks_of(run: Run, link: str) -> None:
    labels = RunLabels(run.store)
    run.store.delete(LABELS_JSONL)
    with opened(link, says=["403"]) as page:
        assert "token" not in page.url
        card = page.locator("#examples .example").first
        sample = card.locator("code").inner_text()
        clip = page.request.get(f"{page.url}{card.locator('video').get_attribute('src')}")
        assert (clip.status, clip.headers["content-type"]) == (200, "video/mp4")
        assert page.locator("#labels-table tbody tr").count() == 0
        card.get_by_role("button", name="wrong pair").click()
        card.get_by_text("kept", exact=True).wait_for()
        precision = page.locator("#labels-table tbody tr").first.locator("th, td").all_inner_texts()
        assert precision[2:6] == ["0", "1", "0", "0.0 %"], "the table follows without a reload"
        member = page.locator("#groups .example video").first
        assert (member.get_attribute("poster") or "").startswith("data:image/jpeg;base64,")
        page.evaluate("sessionStorage.clear()")
        card.get_by_role("button", name="good").click()
        card.get_by_text("not kept: 403; open the page by the link that was printed").wait_for()
    pair = served_run(run.root).pair(sample)
    assert pair is not None
    assert labels.all() == (Label(**pair.model_dump(), verdict="wrong_pair"),)
