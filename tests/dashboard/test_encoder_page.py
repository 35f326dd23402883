"""The encoder's section in the file and in a browser."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from dashboard_chromium import load, needs_chromium, with_hands
from dashboard_encoder_sample import encoder, evaluation, stage_1, stage_2
from dashboard_sample import statistics

from dashboard import PageFacts, render_page
from schemas.training import CurvePoint

WICKED = "<script>alert(1)</script><img src=x onerror=alert(1)>"
DASH = "\u2013"
NAN = float("nan")


def page(manifest_version: int = 1, **facts: Any) -> str:
    return render_page(
        statistics(), PageFacts(title="small", manifest_version=manifest_version, shards=2, shard_bytes=9, **facts)
    )


def whole() -> str:
    return page(training=(stage_1(), stage_2()), evaluation=evaluation())


def markup(document: str) -> str:
    """Return a document without its style, its data and its script."""
    return re.sub(r"(?s)<(script|style).*?</\1>", "", document)


def section(document: str) -> str:
    """Return the encoder's section."""
    found = re.search(r'(?s)<section id="encoder".*?</section>', markup(document))
    assert found is not None
    return found[0]


def text_of(part: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", part)).split())


def rows_of(document: str, place: str) -> list[list[str]]:
    """Return the texts of a table's body, row by row."""
    found = re.search(rf'(?s)<div id="{place}">.*?<tbody>(.*?)</tbody>', markup(document))
    assert found is not None
    rows = re.findall(r"(?s)<tr.*?</tr>", found[1])
    return [[text_of(cell) for cell in re.findall(r"(?s)<t[hd].*?</t[hd]>", row)] for row in rows]


def data_of(rendered: str) -> dict[str, Any]:
    found = re.search(r'(?s)<script type="application/json" id="data">(.*?)</script>', rendered)
    assert found is not None
    return json.loads(found[1])


def test_a_run_without_an_encoder_has_no_section_and_no_link() -> None:
    plain = page()
    assert data_of(plain)["encoder"] is None
    assert 'id="encoder"' not in markup(plain)
    assert "#encoder" not in markup(plain)


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"training": (stage_1(),)}, id="training alone"),
        pytest.param({"evaluation": evaluation()}, id="evaluation alone"),
    ],
)
def test_the_link_stands_between_duplicates_and_the_score(facts: dict[str, Any]) -> None:
    shown = markup(page(**facts))
    links = re.findall(r'<a href="#(\w+)">', shown[shown.index("<nav") : shown.index("</nav>")])
    assert links == [
        "sources",
        "compare",
        "scores",
        "funnel",
        "tiers",
        "rejects",
        "duplicates",
        "encoder",
        "definition",
    ]
    assert re.findall(r'<section id="(\w+)"', shown) == links


def test_the_page_holds_what_was_told() -> None:
    told = data_of(whole())["encoder"]
    assert told["headline"]["encoder"] == "stage 2"
    assert told["evaluation"]["table"]["rows"][0] == ["chance", 0.2, 0.25, 0.125, 0.125, 0.01, None]
    assert told["evaluation"]["settings"] == [["probe_train_clips", 2048], ["probe_learning_rate", 0.001]]
    assert told["training"]["losses"][0]["table"]["rows"] == [[20, 2.25], [30, 1.75], [40, 1.5]]
    assert told["training"]["left_out"]["rows"] == [["video only", 12, None]]


def test_what_does_not_add_up_is_a_notice() -> None:
    told = page(manifest_version=2, training=(stage_1(samples_by_source={"stock": 399}),))
    assert [notice["text"] for notice in data_of(told)["notices"] if notice["source"] == "stage 1"] == [
        "samples off by +1 from samples by source",
        "trained on manifest v1, not on v2 that this page describes",
    ]


@pytest.mark.parametrize(
    "facts",
    [
        pytest.param({"training": (stage_1().model_copy(update={"final_loss": NAN}),)}, id="final loss"),
        pytest.param(
            {"training": (stage_1(curve=(CurvePoint(step=20, loss=1).model_copy(update={"loss": NAN}),)),)}, id="curve"
        ),
        pytest.param(
            {
                "evaluation": evaluation(
                    encoder("a", "0a", 0, 0, 0, 0, 0).model_copy(update={"values": {"motion": NAN}})
                )
            },
            id="value",
        ),
    ],
)
def test_nan_is_refused(facts: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="JSON"):
        page(**facts)


DASH = "\u2013"


@needs_chromium
def test_the_section_draws(tmp_path: Path) -> None:
    document, console = load(whole(), tmp_path)
    assert console == []
    assert 'data-ready="yes"' in document
    assert section(document).count("<canvas") == 2
    assert rows_of(document, "evaluation-table") == [
        ["chance", "20.0 %", "12.5 %", "1.0 %", DASH],
        ["random encoder", "30.0 %", "15.0 %", "1.0 %", "0c0c0c0c"],
        ["stage 1", "70.0 %", "50.0 %", "25.0 %", "1a1a1a1a"],
        ["stage 2", "65.0 %", "★ 80.0 %", DASH, "2b2b2b2b"],
        ["scorer, mean of frames", "★ 90.0 %", "12.0 %", "★ 40.0 %", "3d3d3d3d"],
    ]
    assert rows_of(document, "training-table")[1] == [
        "stage 2",
        "20",
        "10",
        "200",
        "5.0",
        "0.0 %",
        "3,600 s",
        "2,000,000",
        "0.5000",
        "7",
        "1",
        "2b2b2b2b",
        "1a1a1a1a",
    ]
    assert rows_of(document, "training-samples") == [
        ["stock", "300", "120"],
        ["web_alt", "100", DASH],
        ["silent", DASH, "80"],
    ]
    assert rows_of(document, "training-left-out") == [["video only", "12", DASH]]
    words = text_of(section(document))
    assert "suite shapes seed 11 probe train clips 2,048 probe learning rate 0.001" in words
    assert "Clips are made up. Stage 2 has no text side." in words
    assert "The last of 3 points. Steps 31 to 40: mean loss 1.500" in words
    assert "Encoder: stage 2 80.0 % motion; chance 12.5 % 65.0 % appearance; chance 20.0 %" in text_of(markup(document))


@needs_chromium
def test_every_factor_is_shown_when_asked_for(tmp_path: Path) -> None:
    hands = 'document.querySelector("#encoder-controls button").click();'
    document, console = load(with_hands(whole(), hands), tmp_path)
    assert console == []
    assert 'aria-pressed="true"' in section(document)
    assert rows_of(document, "evaluation-table")[3] == [
        "stage 2",
        "65.0 %",
        "75.0 %",
        "★ 80.0 %",
        "★ 87.5 %",
        DASH,
        "2b2b2b2b",
    ]


@needs_chromium
def test_chance_stays_first_when_a_column_is_sorted(tmp_path: Path) -> None:
    hands = """document.querySelector('#evaluation-table th[data-column="2"] button').click();"""
    document, _ = load(with_hands(whole(), hands), tmp_path)
    assert [row[0] for row in rows_of(document, "evaluation-table")] == [
        "chance",
        "stage 2",
        "stage 1",
        "random encoder",
        "scorer, mean of frames",
    ]


@needs_chromium
@pytest.mark.parametrize(
    ("keys", "told"),
    [
        pytest.param(("ArrowLeft",), "Steps 21 to 30: mean loss 1.750", id="left from the end"),
        pytest.param(("Home",), "Steps 1 to 20: mean loss 2.250", id="home"),
        pytest.param(("Home", "ArrowRight", "End"), "Steps 31 to 40: mean loss 1.500", id="end"),
        pytest.param(("Home", "PageUp"), "Steps 1 to 20: mean loss 2.250", id="not before the first"),
    ],
)
def test_a_curve_is_read_with_the_keyboard(tmp_path: Path, keys: tuple[str, ...], told: str) -> None:
    hands = f"""const chart = document.querySelector("#losses .chart");
    for (const key of {json.dumps(keys)}) chart.dispatchEvent(new KeyboardEvent("keydown", {{ key }}));"""
    document, console = load(with_hands(whole(), hands), tmp_path)
    assert console == []
    found = re.search(r'(?s)<p class="readout sub".*?</p>', section(document))
    assert found is not None and text_of(found[0]) == told


@needs_chromium
@pytest.mark.parametrize(
    ("facts", "canvases", "words"),
    [
        pytest.param({"training": (stage_2(),)}, 1, "Nothing was left out.", id="one point"),
        pytest.param({"training": (stage_1(curve=()),)}, 0, "No curve was kept.", id="no point"),
        pytest.param({"evaluation": evaluation()}, 0, "What frozen encoders can do", id="no training"),
    ],
)
def test_thin_runs_draw(tmp_path: Path, facts: dict[str, Any], canvases: int, words: str) -> None:
    document, console = load(page(**facts), tmp_path)
    assert console == []
    assert 'data-ready="yes"' in document
    assert section(document).count("<canvas") == canvases
    assert words in text_of(section(document))


@needs_chromium
def test_hostile_names_stay_text(tmp_path: Path) -> None:
    rows = (encoder(WICKED, "0a", 0.1, 0.1, 0.1, 0.1, 0.1), encoder("b", "0b", 0.2, 0.2, 0.2, 0.2, 0.2))
    wicked = page(
        training=(stage_1(samples_by_source={WICKED: 400}, left_out={WICKED: 3}),),
        evaluation=evaluation(*rows, notes=(WICKED,), settings={WICKED: 1}),
    )
    document, console = load(wicked, tmp_path)
    assert console == []
    assert rows_of(document, "training-samples") == [[WICKED, "400"]]
    assert rows_of(document, "training-left-out") == [[WICKED, "3"]]
    assert text_of(section(document)).count(WICKED) == 5
    assert "<script" not in section(document)
    assert "<img" not in section(document)
