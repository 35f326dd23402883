"""Each view in a browser: the explorer, the clips, the other run; fast and harmless at fifty sources."""

from __future__ import annotations

import re
import time
from pathlib import Path

import pytest
import yaml
from browser import needs_chromium, opened
from dashboard_sample import source, statistics
from feed_sample import HOSTILE, example, feed, with_examples, yields
from playwright.sync_api import Locator

from dashboard import PageFacts, render_page
from dashboard.feed import Feed
from schemas.cuts_file import CutsFile
from schemas.statistics import Statistics

FACTS = PageFacts(title="small", manifest_version=1, shards=2, shard_bytes=9)
SMALL = statistics()
FIRST_VIEW_MS, SLIDER_MS = 1_000, 50
# A busy machine of two cores: `python -m benchmarks.page` measures the promise, this only catches the thousandfold.
SLACK = 4


def words_of(place: Locator) -> str:
    """Return a place's text, also while the browser has not drawn it yet."""
    return place.text_content() or ""


def written(folder: Path, told: Statistics, found: Feed) -> str:
    page = render_page(told, PageFacts(**{**vars(FACTS), "feed": found}))
    (folder / "index.html").write_text(page, "utf-8")
    return (folder / "index.html").as_uri()


@needs_chromium
def test_moving_a_cut_tells_its_yield_and_exports_it(tmp_path: Path) -> None:
    with opened(written(tmp_path, SMALL, feed())) as page:
        # A hundred bins of ten clips in each source: web_alt has 500 over its high cut of 0.25; stock, which is clean,
        # 600 over its clean cut of 0.24 and 400 under it.
        assert page.locator("#explore-totals td[data-tier=noisy_high]").inner_text() == "500"
        slider = page.get_by_label("web_alt: high cut", exact=True)
        slider.fill("2900")
        assert page.locator("#explore-totals td[data-tier=noisy_high]").inner_text() == "100"
        assert page.locator("#explore-totals td[data-tier=noisy_low]").inner_text() == "1,300"
        slider.press("ArrowRight")
        box = page.get_by_label("web_alt: high cut, as a number")
        assert box.input_value() == "0.291"
        box.fill("")
        box.blur()
        assert box.input_value() == "0.291", "an empty box asks for nothing"
        page.get_by_label("percent").fill("")
        page.get_by_role("button", name="Set for all").click()
        assert box.input_value() == "0.291"
        with page.expect_download() as download:
            page.get_by_role("button", name="Download cuts").click()
        found = CutsFile.model_validate(yaml.safe_load(Path(download.value.path()).read_text()))
        assert found.cuts["web_alt"].high == 0.291
        page.wait_for_url(re.compile("#explore/web_alt=,2910,2000$"))


@needs_chromium
def test_a_link_shows_what_its_sender_saw(tmp_path: Path) -> None:
    address = written(tmp_path, SMALL, feed())
    with opened(f"{address}#explore/web_alt=,2910,2100") as page:
        assert page.get_by_label("web_alt: high cut, as a number").input_value() == "0.291"
        assert page.get_by_label("web_alt: low cut, as a number").input_value() == "0.210"
    with opened(f"{address}#examples/web_alt/bin/25") as page:
        assert "0.25 to 0.26" in page.locator("#examples-controls select").nth(2).inner_text()
        assert page.locator("#examples .example").count() > 0
        page.evaluate("location.hash = '#examples/%/bin/%E0%A4'")
        page.evaluate("new Promise((done) => setTimeout(done, 50))")  # the console stays empty, as `opened` checks


@needs_chromium
def test_cuts_for_all_and_back(tmp_path: Path) -> None:
    with opened(written(tmp_path, SMALL, feed())) as page:
        page.get_by_label("percent").fill("10")
        page.get_by_role("button", name="Set for all").click()
        # A tenth of 1,010 clips is 101: eleven bins of ten, from 0.289 on.
        assert page.get_by_label("web_alt: high cut, as a number").input_value() == "0.289"
        page.get_by_role("button", name="As judged").click()
        assert page.get_by_label("web_alt: high cut, as a number").input_value() == "0.250"
        assert page.locator("#explore-totals td[data-tier=noisy_high]").inner_text() == "500"


@needs_chromium
def test_a_bin_leads_to_its_clips_by_pointer_and_by_key(tmp_path: Path) -> None:
    with opened(written(tmp_path, SMALL, feed())) as page:
        row = page.locator("#ridge .ridge-row").first
        row.focus()
        row.press("ArrowRight")
        row.press("Enter")
        assert page.evaluate("location.hash").startswith("#examples/stock/bin/")
        assert "chosen by id" in page.locator("#examples-note").inner_text()


@needs_chromium
def test_hostile_captions_are_text_everywhere(tmp_path: Path) -> None:
    with opened(written(tmp_path, SMALL, feed(text=HOSTILE))) as page:
        assert HOSTILE in page.locator("#examples .example").first.inner_text()
        rejects = page.locator("#reject-examples")
        assert HOSTILE in rejects.inner_text()
        hints = rejects.locator("tbody td:last-child").all_inner_texts()
        assert [hint.rpartition(": ")[2] for hint in hints] == [
            "clipstrata build CORPUS.yaml --out RUN",
            "the same row stands there twice",
            "clipstrata replay RUN --reason file_missing",
        ]
        assert page.locator("script").count() == 2
        with page.expect_download() as download:
            page.get_by_role("button", name="Download CSV: Examples of rejects").click()
        assert "\"'=cmd" in Path(download.value.path()).read_text("utf-8-sig")


@needs_chromium
def test_the_other_run_stands_beside_this_one(tmp_path: Path) -> None:
    found = Feed(**{**vars(feed()), "other": SMALL})
    with opened(written(tmp_path, SMALL, found)) as page:
        assert page.locator("#against svg.mirror").count() == 2
        assert "median +0.000" in page.locator("#against").inner_text()
    other = SMALL.model_copy(update={"scorer": SMALL.scorer.model_copy(update={"digest": "f" * 64})})
    with opened(written(tmp_path, SMALL, Feed(**{**vars(feed()), "other": other}))) as page:
        assert "scored by another model" in page.locator("#against").inner_text()


@needs_chromium
def test_the_largest_groups_stand_side_by_side_with_why(tmp_path: Path) -> None:
    with opened(written(tmp_path, SMALL, feed(text=HOSTILE))) as page:
        first, second = page.locator("#groups .example").all()
        first.scroll_into_view_if_needed()
        assert page.locator("#groups .group-head").text_content() == "3 samplesweb_alt 2, stock 1; 2 of them hereg1"
        assert "1 · stock · ★ kept" in words_of(first) and "the others are compared with it" in words_of(first)
        assert "2 · web_alt · left out" in words_of(second)
        assert "exact, 1.0000, with no. 1 (stock)" in words_of(second)
        assert HOSTILE in words_of(second)
        assert first.locator("img").evaluate("async (image) => (await image.decode(), image.naturalWidth)") == 1
        page.get_by_label("nearly the same in meaning").check(force=True)
        last = words_of(page.locator("#groups .example").last)
        assert f"semantic, 0.9731, with {'z' * 26} (not shown)" in last and "in the shards" in last
        with page.expect_download() as download:
            page.get_by_label("Download CSV: Largest groups").click()
        rows = Path(download.value.path()).read_text("utf-8-sig").splitlines()
        assert rows[2].startswith(
            f"duplicate,g1,3,2,web_alt,{'b' * 26},0.25,noisy_high,{'a' * 26},0,exact,1,{'a' * 26},"
        )
        assert len(rows) == 5 and "'=cmd" in rows[2]


def large() -> tuple[Statistics, Feed]:
    names = [f"s{number:02d}" for number in range(50)]
    told = statistics(*(source(name, origin="noisy") for name in names))
    examples = [example(name, place * 400 + number) for place, name in enumerate(names) for number in range(400)]
    found = Feed(**{**vars(feed(names, examples=0)), "yields": yields(names, range(2_000))})
    return told, with_examples(found, examples)


@needs_chromium
def test_fifty_sources_two_thousand_bins_and_twenty_thousand_clips(tmp_path: Path) -> None:
    told, found = large()
    address = written(tmp_path, told, found)
    with opened(address) as page:
        started = time.monotonic()
        page.reload()
        page.wait_for_selector("html[data-ready=yes]")
        first_ms = (time.monotonic() - started) * 1_000
        slider_ms = page.evaluate(
            """() => {
              const slider = document.querySelector('#explore input[type=range]');
              const times = [];
              for (let step = 0; step < 20; step += 1) {
                slider.value = String(step * 100);
                const started = performance.now();
                slider.dispatchEvent(new Event('input'));
                document.body.getBoundingClientRect();
                times.push(performance.now() - started);
              }
              return times.sort((a, b) => a - b)[10];
            }"""
        )
    assert first_ms < FIRST_VIEW_MS * SLACK, first_ms
    assert slider_ms < SLIDER_MS * SLACK, slider_ms
    assert len(found.examples) == 20_000


@needs_chromium
@pytest.mark.parametrize("width_px", [360, 1300])
def test_nothing_is_wider_than_the_window(tmp_path: Path, width_px: int) -> None:
    with opened(written(tmp_path, SMALL, feed()), width_px=width_px) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= width_px
