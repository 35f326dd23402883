from __future__ import annotations

import json

from dashboard_sample import statistics
from feed_sample import HOSTILE, feed

from dashboard import PageFacts, render_page
from dashboard.feed import feed_data, feed_tables
from dashboard.page import served_script
from schemas.statistics import ScorerFacts

SCORER = ScorerFacts(name="m", digest="d", frame_plan="u8-64", aggregation="mean", prompt="{}")
FACTS = PageFacts(title="small", manifest_version=1, shards=2, shard_bytes=9)


def test_yields_come_by_source_in_the_order_of_their_bins() -> None:
    rows = feed_data(feed(), SCORER)["yields"]["stock"]
    assert rows[:2] == [[None, 10, 20_000_000, 1_000, 1, 2], [1_200, 10, 20_000_000, 1_000, 1, 2]]


def test_tables_of_the_feed() -> None:
    dimensions, shards, outliers, labels = feed_tables(feed())
    assert dimensions.rows[0][:8] == ("stock", "language", "en", 10, 9, 20_000_000 / 3.6e9, 1_000, 0.225)
    assert [len(table.rows) for table in (shards, outliers)] == [1, 1]
    assert labels.rows == (("stock", 0.25, 1, 1, 0, 0.5, 0.1, 0.9),)


def test_groups_come_with_their_members_and_why_they_are_in_it() -> None:
    first, second = feed_data(feed(), SCORER)["groups"]
    assert (first["kind"], first["size"], first["sources"]) == ("duplicate", 3, [["web_alt", 2], ["stock", 1]])
    assert first["members"][1]["joined"] == {"kind": "exact", "similarity_1e4": 10_000, "neighbour": "a" * 26}
    assert second["members"][0]["texts"] == [["alt", "a red circle", 2_500, 1]]


def test_a_page_without_a_feed_has_no_explorer() -> None:
    page = render_page(statistics(), FACTS)
    assert 'id="explore"' not in page and 'id="examples"' not in page


def test_a_hostile_caption_stays_data() -> None:
    page = render_page(statistics(), PageFacts(**{**vars(FACTS), "feed": feed(text=HOSTILE)}))
    assert "<script>alert(1)" not in page
    data = page.partition('<script type="application/json" id="data">')[2].partition("</script>")[0]
    assert json.loads(data)["feed"]["examples"][0]["texts"][0][1] == HOSTILE


def test_only_a_served_page_may_ask_its_server() -> None:
    pages = [
        render_page(statistics(), PageFacts(**{**vars(FACTS), "feed": feed(), "served": served}))
        for served in (False, True)
    ]
    assert ["connect-src 'self'" in page for page in pages] == [False, True]
    assert ["X-Clipstrata-Token" in script for script in (pages[0], served_script())] == [False, True]
