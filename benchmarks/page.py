"""How fast the page is, in Chromium: the first view, and one step of a slider, at fifty sources.

    python -m benchmarks.page [--sources 50] [--samples 4000] [--run RUN]

Judges a made-up run (`benchmarks.judge_world`), writes its page with up to 20,000 clips and 2,000 bins, and opens it
eleven times. With `--run`, also prints the size of that run's page. Targets: first view under 1 s, a step under 50 ms,
the demo's page under 5 MB. The first view ends when the script has drawn everything and the browser has painted.
"""

from __future__ import annotations

import argparse
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from benchmarks.judge_world import WorldSize, make_run, world_config
from curation.run_examples import read_examples
from dashboard import PageFacts, render_page
from dashboard.feed import Feed
from pipelines.engine import EngineOptions
from pipelines.pages import MOST_EXAMPLES
from pipelines.stages import judge
from pipelines.watching import Watcher
from schemas.run import JOINT_PARQUET, REJECT_EXAMPLES_PARQUET, YIELDS_PARQUET

RUNS = 11
FIRST_VIEW = """() => new Promise((done) => requestAnimationFrame(() => setTimeout(
  () => done(performance.now()), 0)))"""
SLIDER = """() => {
  const times = [];
  for (const slider of [...document.querySelectorAll('#explore input[type=range]')].slice(0, 60)) {
    slider.value = String(Number(slider.value) + 500);
    const started = performance.now();
    slider.dispatchEvent(new Event('input'));
    document.body.getBoundingClientRect();
    times.push(performance.now() - started);
  }
  return times;
}"""


def made_page(sources: int, samples: int, folder: Path) -> tuple[Path, int]:
    """Judge a made-up run and write its page; returns where it lies, and how many clips it holds."""
    size = WorldSize(sources=sources, samples=samples)
    (folder / "in").mkdir()
    run = make_run(size, world_config(size, folder / "in"), folder / "run")
    told = judge(run, EngineOptions(), Watcher(quiet=True))
    feed = Feed(
        yields=run.store.read(YIELDS_PARQUET),
        joint=run.store.read(JOINT_PARQUET),
        reject_examples=run.store.read(REJECT_EXAMPLES_PARQUET),
        examples=read_examples(run.store, told.scorer.scoring, told.scorer.aggregation, MOST_EXAMPLES),
    )
    facts = PageFacts(title="made", manifest_version=None, shards=0, shard_bytes=0, feed=feed)
    path = folder / "index.html"
    path.write_text(render_page(told, facts), encoding="utf-8")
    return path, len(feed.examples)


def measured(path: Path) -> tuple[list[float], list[float]]:
    """Return milliseconds of each first view, and of each step of a slider."""
    first: list[float] = []
    steps: list[float] = []
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(RUNS):
            page = browser.new_page(viewport={"width": 1300, "height": 1000})
            page.goto(path.as_uri())
            page.wait_for_selector("html[data-ready=yes]")
            first.append(float(page.evaluate(FIRST_VIEW)))
            steps += [float(step) for step in page.evaluate(SLIDER)]
            page.close()
        browser.close()
    return first, steps


def main() -> int:
    """Read the command line, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sources", type=int, default=50)
    parser.add_argument("--samples", type=int, default=4_000, help="of each source")
    parser.add_argument("--run", type=Path, default=None)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path, clips = made_page(options.sources, options.samples, Path(folder))
        first, steps = measured(path)
        size_mb = path.stat().st_size / 1e6
    ranked = sorted(steps)
    lines = [
        f"{options.sources} sources of {options.samples} samples, page of {clips} clips and {size_mb:.1f} MB, "
        f"{RUNS} views",
        f"first view      median {statistics.median(first):6.0f} ms, worst {max(first):6.0f} ms (target 1000)",
        f"step of a slider median {statistics.median(steps):5.1f} ms, "
        f"95 % under {ranked[len(ranked) * 95 // 100]:5.1f} ms (target 50)",
    ]
    if options.run is not None:
        page_mb = (options.run / "report" / "index.html").stat().st_size / 1e6
        lines.append(f"page of {options.run.name}: {page_mb:.2f} MB (target 5)")
    sys.stdout.write("\n".join(lines) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
