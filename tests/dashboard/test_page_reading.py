"""What readers do with the page: links and reloads, bins by pointer and keys, files, paper and a dark room."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from browser import needs_chromium, opened
from dashboard_sample import source, statistics
from feed_sample import feed
from playwright.sync_api import Page

from dashboard import PageFacts, render_page
from dashboard.feed import Feed
from pipelines.pages import drift_from
from schemas.statistics import Statistics

NAMES = ("stock", "web_alt", "third", "fourth", "fifth")
FIVE = statistics(*(source(name, origin="clean" if name == "stock" else "noisy") for name in NAMES))


def written(folder: Path, told: Statistics, found: Feed) -> str:
    facts = PageFacts(title="small", manifest_version=1, shards=2, shard_bytes=9, feed=found)
    (folder / "index.html").write_text(render_page(told, facts), "utf-8")
    return (folder / "index.html").as_uri()


def tip(page: Page) -> list[str]:
    return page.locator("#tip > div").all_inner_texts()


def downloaded(page: Page, name: str, within: str = "body") -> list[list[str]]:
    with page.expect_download() as download:
        page.locator(within).get_by_role("button", name=name, exact=True).click()
    with Path(download.value.path()).open(encoding="utf-8-sig", newline="") as file:
        return list(csv.reader(file))


def chosen(page: Page) -> dict[str, object]:
    """Return what the controls of every view say."""
    return {
        "order": page.locator("#ridge-controls select").nth(2).input_value(),
        "sources": page.locator("#overlay-sources input:checked").evaluate_all("found => found.map(own => own.value)"),
        "view": page.locator("input[name=overlay-view]:checked").input_value(),
        "log": page.get_by_label("log", exact=True).is_checked(),
        "text": page.locator("#overlay-controls select").first.input_value(),
        "dimension": page.locator("input[name=dimension]:checked").input_value(),
        "measure": page.locator("input[name=tier-measure]:checked").input_value(),
        "groups": page.locator("input[name=groups-kind]:checked").input_value(),
        "cut": page.get_by_label("web_alt: high cut, as a number").input_value(),
        "bin": page.locator("#examples-controls select").nth(2).input_value(),
    }


@needs_chromium
def test_a_reload_shows_every_view_as_it_was(tmp_path: Path) -> None:
    with opened(written(tmp_path, FIVE, feed(NAMES))) as page:
        boxes = page.locator("#overlay-sources")
        assert page.locator("#overlay canvas").count() == 1
        boxes.get_by_label("fourth").check()
        assert boxes.get_by_label("fifth").is_disabled(), "four are the most"
        boxes.get_by_label("stock").uncheck()
        boxes.get_by_label("fifth").check()
        assert boxes.get_by_label("stock").is_disabled()
        page.locator("input[name=overlay-view][value=count]").check(force=True)
        page.get_by_label("log", exact=True).check()
        page.locator("#overlay-controls select").first.select_option("alt")
        page.locator("#ridge-controls select").nth(2).select_option("median")
        page.locator("input[name=dimension][value=flow]").check(force=True)
        page.locator("input[name=tier-measure][value=media_bytes]").check(force=True)
        page.locator("input[name=groups-kind][value=near]").check(force=True)
        page.locator("#examples-controls select").nth(2).select_option("27")
        page.get_by_label("web_alt: high cut", exact=True).fill("2900")
        page.wait_for_url(re.compile("#explore/web_alt=,2900,2000&"))
        wanted = {
            "order": "median",
            "sources": ["web_alt", "third", "fourth", "fifth"],
            "view": "count",
            "log": True,
            "text": "alt",
            "dimension": "flow",
            "measure": "media_bytes",
            "groups": "near",
            "cut": "0.290",
            "bin": "27",
        }
        assert chosen(page) == wanted
        page.reload()
        page.wait_for_selector("html[data-ready=yes]")
        assert chosen(page) == wanted
        page.locator("nav").get_by_text("Funnel").click()
        page.wait_for_url(re.compile("#funnel&"))
        page.reload()
        page.wait_for_selector("html[data-ready=yes]")
        assert chosen(page) == wanted, "a link to a section keeps the views"
        page.goto("about:blank")
        page.goto(
            f"{(tmp_path / 'index.html').as_uri()}#compare/none/mean/share/linear&tiers/x&sources/1/2/3&toString/a"
        )
        page.wait_for_selector("html[data-ready=yes]")
        assert chosen(page)["view"] == "share" and chosen(page)["measure"] == "samples", (
            "what means nothing is passed over"
        )
        assert page.url.endswith("#compare")


def other_run() -> Statistics:
    """The run before: one source is gone since, one is new, and the second moved."""
    moved = source("web_alt").histograms[0].model_copy(update={"counts": ((1180, 3), (1260, 5), (1360, 2))})
    return statistics(source("stock", origin="clean"), source("web_alt", histograms=(moved,)), source("lost"))


@needs_chromium
def test_every_bin_tells_its_number_and_every_view_gives_a_file(tmp_path: Path) -> None:
    told, other = statistics(), other_run()
    found = Feed(**{**vars(feed()), "other": other, "drift": drift_from(told, other)})
    with opened(written(tmp_path, told, found)) as page:
        page.locator("#overlay").focus()
        page.keyboard.press("ArrowRight")
        cells = page.locator("#overlay-readout tbody tr").first.locator("td").all_inner_texts()
        assert len(cells) == 4 and cells[3] == "⚠ fewer than 200: rough"

        chart = page.locator("#explore .explore-chart").nth(1)
        chart.focus()
        page.keyboard.press("ArrowRight")
        assert tip(page)[2:] == [
            "100 clips to cut among",
            "30 held by a rule or as duplicates",
            "⚠ fewer than 200: rough",
        ]
        first = tip(page)[1]
        page.keyboard.press("ArrowRight")
        assert tip(page)[0] == "web_alt" and tip(page)[1] != first
        page.keyboard.press("Escape")
        assert page.locator("#tip").is_hidden()

        mirror = page.locator("#against svg.mirror").nth(1)
        mirror.focus()
        page.keyboard.press("ArrowRight")
        assert tip(page) == ["web_alt", "0.250 to 0.260", "now 5, 50.00 %", "then 0, 0.00 %", "⚠ fewer than 200: rough"]
        mirror.hover(position={"x": 2, "y": 20})
        assert tip(page)[2:4] == ["now 0, 0.00 %", "then 0, 0.00 %"]
        words = page.locator("#against").inner_text()
        assert "only in the other run: 10 scores" in words
        assert [row[0] for row in downloaded(page, "Download CSV: How far each source moved")[1:]] == [
            "stock",
            "web_alt",
            "lost",
        ]
        moved = page.locator("#against-table tbody tr").nth(1).locator("td").all_inner_texts()
        assert moved[:5] == ["10", "10", "0.5000", "0.0000", "0.5000"]

        yields = downloaded(page, "Download CSV", "#explore-controls")
        assert yields[5] == ["web_alt", "", "0.25", "0.2", "clean", "0", "0", "0"]
        assert yields[6][4:6] == ["noisy_high", "500"]
        clips = downloaded(page, "Download CSV: Clips")
        assert clips[0][-4:] == ["text_kind", "text", "text_score", "chosen"]
        assert clips[1][-4:] == ["alt", "a red circle", clips[1][7], "1"] and clips[2][-4:] == [
            "alt",
            "another",
            "",
            "0",
        ]
        bins = downloaded(page, "Download CSV: Bins of both runs")
        assert ["web_alt", "0.25", "0.251", "5", "0"] in bins and ["web_alt", "0.26", "0.261", "0", "5"] in bins
        exact = downloaded(page, "Download CSV", "#overlay-controls")
        assert exact[1] == ["stock", "best", "mean", "0.18", "0.181", "3"]
        assert downloaded(page, "Download CSV: Tier yields")[1][:4] == ["stock", "noisy_high", "7", "0.7"]


@needs_chromium
def test_tables_sections_paper_and_a_dark_room(tmp_path: Path) -> None:
    found = feed()
    found = Feed(**{**vars(found), "shard_states": {"p": "missing"}})
    with opened(written(tmp_path, statistics(), found)) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
        for kind, value in (("language", "en"), ("duration_s", "2-5"), ("flow", "none")):
            page.locator(f"input[name=dimension][value={kind}]").check(force=True)
            cells = page.locator("#dimensions-table tbody tr").first.locator("th, td").all_inner_texts()
            assert cells[:5] == ["stock", kind, value, "10", "9"]
        heading = page.locator("#dimensions-table th[data-column='0'] button")
        heading.focus()
        heading.press("Enter")
        heading.press("Enter")
        assert page.locator("#dimensions-table tbody th").first.inner_text() == "web_alt", "sorted by keys"

        assert "2 missing" in page.locator("#shards-table").inner_text()
        assert page.locator("#shards-outliers tbody tr").first.locator("td").last.inner_text() == "✗ missing"
        assert page.locator("#funnel .bar-row").count() == 2
        assert page.locator("#funnel").get_by_text("✓ adds up").count() == 2
        assert page.locator("#tiers .bar-row").first.locator(".amount").inner_text() == "10"
        page.locator("input[name=tier-measure][value=media_bytes]").check(force=True)
        assert page.locator("#tiers .bar-row").first.locator(".amount").inner_text() == "20.0 MB"
        box = page.locator("#definition-list").inner_text()
        assert all(words in box for words in ("tiny", "ab" * 32, "4 frames, evenly spaced", "mean", "{text}"))

        ground = "getComputedStyle(document.body).backgroundColor"
        assert page.evaluate(ground) == "rgb(246, 247, 249)"
        page.emulate_media(color_scheme="dark")
        assert page.evaluate(ground) == "rgb(15, 20, 26)"
        page.emulate_media(color_scheme="dark", media="print")
        page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
        assert (
            page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--panel').trim()") == "#ffffff"
        )
        assert not page.locator("nav.bar").is_visible() and not page.locator("#ridge-controls").is_visible()
        assert page.locator("#ridge .ridge-row").first.is_visible()
