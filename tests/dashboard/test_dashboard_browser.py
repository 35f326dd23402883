"""The page where it is used: in a browser, and its pure functions in a JavaScript engine. Both may be absent."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from dashboard_chromium import load, needs_chromium
from dashboard_sample import ledger, no_scores, one_score, source, statistics

from dashboard import PageFacts, render_page
from schemas.statistics import Statistics

NODE = shutil.which("node")
ASSETS = Path(__file__).parents[2] / "dashboard" / "assets"
FACTS = PageFacts(
    title="small", manifest_version=1, shards=2, shard_bytes=9, planted_duplicates={"exact": {"planted": 1, "found": 1}}
)
GRID = {"count": 2000, "low_1e4": -10000, "step_1e4": 10}

needs_node = pytest.mark.skipif(NODE is None, reason="needs node on the PATH (Debian: nodejs)")


def drawn(document: str) -> dict[str, int]:
    """Count what the script drew; its own text is left out."""
    body = re.sub(r"(?s)<script.*?</script>", "", document)
    return {
        "canvas": body.count("<canvas"),
        "rows": body.count('class="ridge-row"'),
        "areas": body.count('class="area '),
        "diamonds": body.count('class="published"'),
        "faults": body.count('class="fault"'),
        "alerts": body.count("<script"),
    }


SMALL = statistics()
THIN = statistics(source("none", histograms=(no_scores(),)), source("one", histograms=(one_score(),)))
LOST = statistics(source("lost", counts=ledger(samples_kept=9)))
HOSTILE = statistics(source("</script><script>alert(1)</script>", licence="<img src=x onerror=alert(1)>"))
NOTHING = statistics().model_copy(update={"sources": ()})


@needs_chromium
@pytest.mark.parametrize(
    ("told", "canvases", "rows", "areas", "faults"),
    [
        pytest.param(SMALL, 1, 2, 7, 0, id="two sources"),
        pytest.param(THIN, 1, 2, 3, 0, id="no score and one score"),
        pytest.param(LOST, 1, 1, 3, 1, id="a ledger that does not add up"),
        pytest.param(HOSTILE, 1, 1, 3, 0, id="hostile texts"),
        pytest.param(NOTHING, 0, 0, 0, 0, id="no source"),
    ],
)
def test_the_page_draws(tmp_path: Path, told: Statistics, canvases: int, rows: int, areas: int, faults: int) -> None:
    document, console = load(render_page(told, FACTS), tmp_path)
    assert console == []
    assert 'data-ready="yes"' in document
    assert drawn(document) == {
        "canvas": canvases,
        "rows": rows,
        "areas": areas,
        "diamonds": 7,
        "faults": faults,
        "alerts": 0,
    }


@needs_chromium
def test_a_changed_script_does_not_run(tmp_path: Path) -> None:
    page = render_page(SMALL, FACTS).replace('"data-ready", "yes"', '"data-ready", "no"')
    document, console = load(page, tmp_path)
    assert "data-ready=" not in document.split("<head>")[0]
    assert any("Content Security Policy" in line for line in console)


def run_script(script: str, names: tuple[str, ...]) -> object:
    code = "\n".join((ASSETS / name).read_text("utf-8") for name in names)
    command = [str(NODE), "-e", f"{code}\nprocess.stdout.write(JSON.stringify({script}));"]
    return json.loads(subprocess.run(command, capture_output=True, timeout=60, check=True).stdout)


@needs_node
@pytest.mark.parametrize(
    ("cell", "written"),
    [
        pytest.param("plain", "plain", id="plain"),
        pytest.param("=1+1", "'=1+1", id="equals"),
        pytest.param("+1", "'+1", id="plus"),
        pytest.param("-1", "'-1", id="minus as text"),
        pytest.param("@SUM(A1)", "'@SUM(A1)", id="at"),
        pytest.param("\tx", "'\tx", id="tab"),
        pytest.param("\rx", '"\'\rx"', id="carriage return"),
        pytest.param('=a,"b"', '"\'=a,""b"""', id="formula with comma and quotes"),
        pytest.param(-0.05, "-0.05", id="a number stays a number"),
        pytest.param(0, "0", id="zero"),
        pytest.param(None, "", id="none"),
    ],
)
def test_csv_cells(cell: str | float | None, written: str) -> None:
    assert run_script(f"csvCell({json.dumps(cell)})", ("csv.js",)) == written


@needs_node
def test_csv_text() -> None:
    found = run_script('csvText(["source", "n"], [["a,b", 1], ["=c", null]])', ("csv.js",))
    assert found == 'source,n\r\n"a,b",1\r\n\'=c,\r\n'


@needs_node
def test_bins_are_added_up_on_exact_edges() -> None:
    histogram = {"counts": [[1180, 3], [1189, 1], [1190, 5]], "underflow": 2, "overflow": 1, "count": 12}
    arguments = f"{json.dumps(histogram)}, {json.dumps(GRID)}, 10"
    assert run_script(f"rebin({arguments})", ("bins.js",)) == [
        {"low": 1800, "high": 1900, "count": 4},
        {"low": 1900, "high": 2000, "count": 5},
    ]
    assert run_script(f"spread({arguments}, 1900, 2100)", ("bins.js",)) == {
        "bins": [
            {"low": 1900, "high": 2000, "count": 5, "upTo": 11},
            {"low": 2000, "high": 2100, "count": 0, "upTo": 11},
        ],
        "below": 6,
        "above": 1,
        "total": 12,
    }


@needs_node
def test_the_shared_axis_holds_every_source_and_mark() -> None:
    histograms = json.dumps([{"counts": [[1180, 3]], "count": 3}, {"counts": [[1350, 2]], "count": 2}])
    found = run_script(f"sharedDomain({histograms}, [2000], {json.dumps(GRID)}, 500)", ("bins.js",))
    assert found == [1500, 4000]
