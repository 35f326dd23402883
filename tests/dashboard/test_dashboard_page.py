"""The page as a file: what it embeds, what it may load, and that hostile texts stay text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from dashboard_sample import histogram, no_scores, one_score, source, statistics
from feed_sample import feed

from dashboard import PageFacts, render_page
from dashboard.page import inert_json, served_policy
from schemas.statistics import Statistics

FACTS = PageFacts(title="small", manifest_version=1, shards=2, shard_bytes=38_000_000)
ASSETS = Path(__file__).parents[2] / "dashboard" / "assets"


class Page(HTMLParser):
    """Every element with its attributes, and the text inside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.blocks: dict[str, str] = {}
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.elements.append((tag, attributes))
        self._inside = attributes.get("type") or tag

    def handle_endtag(self, tag: str) -> None:
        self._inside = ""

    def handle_data(self, data: str) -> None:
        self.blocks[self._inside] = self.blocks.get(self._inside, "") + data

    def shape(self) -> list[tuple[str, list[str]]]:
        return [(tag, sorted(attributes)) for tag, attributes in self.elements]

    def policy(self) -> dict[str, str]:
        for tag, attributes in self.elements:
            if tag == "meta" and attributes.get("http-equiv") == "Content-Security-Policy":
                parts = (part.strip().partition(" ") for part in (attributes["content"] or "").split(";"))
                return {name: value for name, _, value in parts}
        raise AssertionError("the page has no policy")

    def data(self) -> dict:
        return json.loads(self.blocks["application/json"])


def digest(block: str) -> str:
    return "'sha256-" + base64.b64encode(hashlib.sha256(block.encode("utf-8")).digest()).decode() + "'"


def test_the_same_statistics_give_the_same_bytes() -> None:
    assert render_page(statistics(), FACTS) == render_page(statistics(), FACTS)


def test_the_feed_comes_back_unchanged() -> None:
    data = Page(render_page(statistics(), FACTS)).data()
    assert Statistics.model_validate(data["statistics"]) == statistics()
    assert data["facts"] == {"title": "small", "manifest_version": 1, "shards": 2, "shard_bytes": 38_000_000}


def test_the_policy_allows_the_inline_blocks_and_nothing_else() -> None:
    page = Page(render_page(statistics(), FACTS))
    assert page.policy() == {
        "default-src": "'none'",
        "script-src": digest(page.blocks["script"]),
        "style-src": digest(page.blocks["style"]),
        "img-src": "data:",
        "base-uri": "'none'",
        "form-action": "'none'",
        "require-trusted-types-for": "'script'",
        "trusted-types": "'none'",
    }


def test_a_served_page_holds_no_script() -> None:
    page = Page(render_page(statistics(), PageFacts(**{**vars(FACTS), "feed": feed(), "served": True})))
    scripts = [attributes for tag, attributes in page.elements if tag == "script"]
    assert scripts == [{"type": "application/json", "id": "data"}, {"src": "page.js"}]
    assert page.blocks.get("script", "").strip() == ""
    found = page.policy()
    assert (found["script-src"], found["media-src"], found["connect-src"]) == ("'self'", "'self'", "'self'")
    header = {name: value for name, _, value in (part.partition(" ") for part in served_policy().split("; "))}
    assert header == found | {"frame-ancestors": "'none'"}


def test_the_page_asks_no_host_for_anything() -> None:
    page = Page(render_page(statistics(), FACTS))
    for tag, attributes in page.elements:
        for name in ("src", "href", "srcset", "action", "data", "poster"):
            value = attributes.get(name)
            assert value is None or value.startswith("#") or value == "data:,", f"<{tag} {name}={value}>"
        assert "style" not in attributes, f"<{tag}> has an inline style, which the policy would refuse"
    assert not re.search(r"@import|url\(\s*['\"]?(https?:)?//", page.blocks["style"])
    assert not re.search(r"\bfetch\(|XMLHttpRequest|\bimport\(|sendBeacon|innerHTML|\beval\(", page.blocks["script"])


def test_own_code_holds_no_address() -> None:
    found = [
        f"{path.name}: {address}"
        for path in sorted(ASSETS.glob("*"))
        if path.is_file()
        for address in re.findall(r"https?://[^\s\"')]+", path.read_text("utf-8"))
    ]
    assert found == ["base.js: http://www.w3.org/2000/svg"]  # a name of a kind of element, never asked for


HOSTILE = {
    "ends the script": "</script><script>alert(1)</script>",
    "comment": "<!--<script>",
    "attribute": '"><img src=x onerror=alert(1)>',
    "title": "</title><svg onload=alert(1)>",
    "line separators": "a\u2028b\u2029c",
    "entity": "&lt;script&gt;&#60;b&#62;",
    "formula": "=cmd|' /C calc'!A0",
    "placeholder": "{{SCRIPT}}{{DATA}}",
    "backslashes": "\\u003cscript\\u003e\\1",
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_texts_stay_text(text: str) -> None:
    calm = Page(render_page(statistics(source("calm")), FACTS))
    wicked = statistics(source(text, licence=text)).model_copy(update={"corpus": text})
    facts = PageFacts(title=text, manifest_version=1, shards=2, shard_bytes=3, planted_duplicates={text: text})
    rendered = render_page(wicked, facts)
    page = Page(rendered)
    assert page.shape() == calm.shape()
    assert page.policy()["script-src"] == digest(page.blocks["script"]) == calm.policy()["script-src"]
    assert Statistics.model_validate(page.data()["statistics"]) == wicked
    assert page.blocks["title"] == text
    assert "\u2028" not in page.blocks["application/json"]


def test_inert_json() -> None:
    assert inert_json({"a": "</&>\u2028\u2029é"}) == '{"a":"\\u003c/\\u0026\\u003e\\u2028\\u2029é"}'


def test_nan_is_refused() -> None:
    broken = histogram().model_copy(update={"bucket_shares": ((-1.0, 0.2, float("nan")),)})
    with pytest.raises(ValueError, match="JSON"):
        render_page(statistics(source(histograms=(broken,))), FACTS)


@pytest.mark.parametrize(
    ("histograms", "notice"),
    [
        pytest.param((), "no scores", id="no histogram"),
        pytest.param((no_scores(),), "no scores", id="no score"),
        pytest.param((one_score(),), "only 1 score: its shape and quantiles are rough", id="one score"),
    ],
)
def test_thin_sources_render(histograms: tuple, notice: str) -> None:
    data = Page(render_page(statistics(source(histograms=histograms)), FACTS)).data()
    assert [found["text"] for found in data["notices"]] == [notice]


def test_no_source_and_no_manifest_render() -> None:
    nothing = statistics().model_copy(update={"sources": ()})
    facts = PageFacts(title="empty", manifest_version=None, shards=0, shard_bytes=0)
    data = Page(render_page(nothing, facts)).data()
    assert data["headline"]["samples"] == 0
    assert data["facts"]["manifest_version"] is None


def test_seven_sources_stay_small() -> None:
    wide = tuple((bin_, bin_ % 97 + 1) for bin_ in range(950, 1450))
    full = histogram().model_copy(update={"counts": wide})
    kinds = ("best", "caption", "title", "asr")
    each = tuple(full.model_copy(update={"text_kind": k, "aggregation": a}) for k in kinds for a in ("mean", "max"))
    page = render_page(statistics(*(source(f"s{n}", histograms=each) for n in range(7))), FACTS)
    assert len(page.encode("utf-8")) < 500_000


def test_vendored_files_are_the_recorded_ones() -> None:
    folder = ASSETS / "vendor" / "uplot"
    recorded = dict(re.findall(r"`([\w.]+)` \| SHA-256 `([0-9a-f]{64})`", (folder / "VENDORED.md").read_text("utf-8")))
    found = {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.name != "VENDORED.md"
    }
    assert found == recorded


def test_the_chart_librarys_licence_travels_with_the_page() -> None:
    licence = (ASSETS / "vendor" / "uplot" / "LICENSE.txt").read_text("utf-8")
    assert licence.strip() in render_page(statistics(), FACTS)
