"""The page: one HTML file that holds its data, its look and its code, and asks nobody for anything.

The policy in its head names the digest of the one style and the one script, so that nothing else can run even if a
text of the corpus found a way into the markup; the data is inert JSON, and the script writes it as text only. A served
page has its script beside it, and holds none.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.resources import files
from typing import Any

from dashboard import encoder_tables, tables
from dashboard.duplicate_tables import duplicate_tables
from dashboard.feed import Feed, feed_data, feed_tables, table_documents
from schemas.evaluation import Evaluation
from schemas.published import VIDEOPRISM_BUCKETS, VIDEOPRISM_SOURCES
from schemas.statistics import (
    BEST_TEXT,
    HISTOGRAM_BINS,
    HISTOGRAM_LOW_1E4,
    HISTOGRAM_STEP_1E4,
    Statistics,
)
from schemas.training import TrainingSummary

STYLES = ("vendor/uplot/uPlot.min.css", "page.css")
SCRIPTS = (
    "base.js",
    "csv.js",
    "address.js",
    "reading.js",
    "bins.js",
    "cuts.js",
    "table.js",
    "ridge.js",
    "overlay.js",
    "bars.js",
    "losses.js",
    "encoder.js",
    "explore.js",
    "examples.js",
    "groups.js",
    "against.js",
    "feed.js",
    "page.js",
)
CHART_LIBRARY = "vendor/uplot/uPlot.iife.min.js"
CHART_LICENCE = "vendor/uplot/LICENSE.txt"
FEED_LINKS = (
    '<a href="#explore">Cuts</a>\n<a href="#examples">Clips</a>\n<a href="#dimensions">By text and motion</a>\n'
    '<a href="#shards">Shards</a>\n'
)
SERVED_SCRIPT = "labels.js"
# Where a served page finds its script, beside itself.
SCRIPT_NAME = "page.js"
ENCODER_LINK = '<a href="#encoder">Encoder</a>'

_ESCAPES = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


class AssetError(ValueError):
    """An asset of the page holds what may not stand inside its element."""


@dataclass(frozen=True, kw_only=True)
class PageFacts:
    """What the caller knows beside the statistics and their tables.

    Attributes:
        manifest_version: the version of the manifest that the shards belong to; None before there is one.
        planted_duplicates: for a made-up world, what it planted: kind -> {"planted": n, "found": n}, or kind -> value.
        training: the finished stages of the encoder, first stage first.
        evaluation: what the frozen encoders can do. With neither, the page has no section about an encoder.
        feed: the run's tables and examples; without them the page has no explorer and no clips.
        served: whether a server stands behind the page, so that clips play and labels are kept.
    """

    title: str
    manifest_version: int | None
    shards: int
    shard_bytes: int
    planted_duplicates: dict[str, Any] | None = None
    training: tuple[TrainingSummary, ...] = ()
    evaluation: Evaluation | None = None
    feed: Feed | None = None
    served: bool = False


def _asset(name: str) -> str:
    # A parser turns CRLF into LF before a browser digests an inline block: the bytes must already be so.
    return (
        files("dashboard").joinpath("assets", *name.split("/")).read_text("utf-8").replace("\r\n", "\n").strip() + "\n"
    )


def inert_json(value: Any) -> str:
    """Return JSON that may stand inside a script element: it cannot end the element, and NaN is refused."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return re.sub("[<>&\u2028\u2029]", lambda match: _ESCAPES[match[0]], text)


def _style() -> str:
    return "\n" + "".join(_asset(name) for name in STYLES)


def _script(*, served: bool) -> str:
    licence = f"/*! uPlot is under the following licence.\n{_asset(CHART_LICENCE)}*/\n"
    names = (*SCRIPTS[:-1], SERVED_SCRIPT, SCRIPTS[-1]) if served else SCRIPTS
    own = "".join(_asset(name) for name in names)
    return f'\n{licence}{_asset(CHART_LIBRARY)}(function () {{\n"use strict";\n{own}}})();\n'


def _source_of(block: str) -> str:
    digest = base64.b64encode(hashlib.sha256(block.encode("utf-8")).digest()).decode("ascii")
    return f"'sha256-{digest}'"


def _policy(style: str, script: str, *, served: bool) -> str:
    live = ("media-src 'self'", "connect-src 'self'") if served else ()
    own_script = "'self'" if served else _source_of(script)
    return "; ".join(
        (
            "default-src 'none'",
            f"script-src {own_script}",
            f"style-src {_source_of(style)}",
            "img-src data:",  # pictures of clips; the empty icon, so that no browser asks a host for one
            *live,
            "base-uri 'none'",
            "form-action 'none'",
            "require-trusted-types-for 'script'",
            "trusted-types 'none'",
        )
    )


def served_script() -> str:
    """Return the script of a served page."""
    return _script(served=True)


def served_policy() -> str:
    """Return the policy that a server sends with a page: its own, and that nobody may frame it."""
    return f"{_policy(_style(), served_script(), served=True)}; frame-ancestors 'none'"


def page_data(statistics: Statistics, facts: PageFacts) -> dict[str, Any]:
    """Return everything the page embeds; `statistics` in it is the feed itself, unchanged."""
    shown = [
        tables.score_table(statistics),
        tables.published_table(),
        tables.funnel_table(statistics),
        tables.tier_table(statistics),
        tables.reject_table(statistics),
        *duplicate_tables(statistics),
    ]
    if facts.planted_duplicates is not None:
        shown.append(tables.planted_table(facts.planted_duplicates))
    if facts.feed is not None:
        shown += feed_tables(facts.feed)
    found = (*tables.notices(statistics), *encoder_tables.encoder_notices(facts.training, facts.manifest_version))
    return {
        "facts": {name: getattr(facts, name) for name in ("title", "manifest_version", "shards", "shard_bytes")},
        "headline": tables.headline(statistics),
        "notices": [asdict(notice) for notice in found],
        "tables": table_documents(shown),
        "feed": None if facts.feed is None else feed_data(facts.feed, statistics.scorer),
        "served": facts.served,
        "encoder": encoder_tables.encoder_data(facts.training, facts.evaluation),
        "tiers": list(tables.tier_totals(statistics)),
        "published": {
            "sources": [asdict(source) for source in VIDEOPRISM_SOURCES],
            "buckets": VIDEOPRISM_BUCKETS,
        },
        "bins": {"count": HISTOGRAM_BINS, "low_1e4": HISTOGRAM_LOW_1E4, "step_1e4": HISTOGRAM_STEP_1E4},
        "best_text": BEST_TEXT,
        "few_scores": tables.FEW_SCORES,
        "statistics": statistics.model_dump(mode="json"),
    }


def _fill(template: str, parts: Mapping[str, str]) -> str:
    # One pass: a part that happens to hold another part's placeholder is left as it is.
    return re.sub(r"\{\{([A-Z]+)\}\}", lambda match: parts[match[1]], template)


def render_page(statistics: Statistics, facts: PageFacts) -> str:
    """Return the whole page. The same arguments give the same text: it holds no clock.

    Raises:
        ValueError: the statistics hold NaN or an infinity; a failure is never a number.
        AssetError: an asset would end its own element.
    """
    style, script = _style(), _script(served=facts.served)
    if "</style" in style.lower() or "</script" in script.lower() or "<!--" in script:
        raise AssetError("an asset of the page would end its element; write the sequence in two parts")
    has_encoder = bool(facts.training) or facts.evaluation is not None
    parts = {
        "TITLE": html.escape(facts.title),
        "POLICY": html.escape(_policy(style, script, served=facts.served), quote=False),
        "STYLE": style,
        "LINK": ENCODER_LINK if has_encoder else "",
        "ENCODER": _asset("encoder.html") if has_encoder else "",
        "FEEDLINKS": FEED_LINKS if facts.feed is not None else "",
        "FEED": _asset("feed.html") if facts.feed is not None else "",
        "AGAINST": _asset("against.html") if facts.feed is not None and facts.feed.other is not None else "",
        "DATA": inert_json(page_data(statistics, facts)),
        "SCRIPT": f'<script src="{SCRIPT_NAME}"></script>' if facts.served else f"<script>{script}</script>",
    }
    return _fill(_asset("page.html"), parts)
