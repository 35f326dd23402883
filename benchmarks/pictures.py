"""The pictures of the README and the docs, taken of a demo's page in Chromium.

    python -m benchmarks.pictures RUN [--out docs/images]

Draws the page of a finished run anew (in memory: the run is left as it is) and takes its parts, light, 1,300 px wide.
"""

from __future__ import annotations

import argparse
import io
import shutil
import sys
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import FloatRect, Page, sync_playwright

from pipelines.results import write_page

WIDTH_PX = 1_300
# name -> (part of the page, what is clicked first, height in px)
PICTURES: dict[str, tuple[str, str | None, int]] = {
    "page": ("body", None, 1_500),
    "cuts": ("#explore", None, 820),
    "encoder": ("#encoder", None, 1_240),
    "groups": ("#groups", "input[name=groups-kind][value=near]", 620),
}


def take(page: Page, name: str, folder: Path) -> Path:
    """Take one picture."""
    part, click, height = PICTURES[name]
    if click is not None:
        page.locator(click).check(force=True)
    box = page.locator(part).bounding_box()
    assert box is not None, f"the page has no {part}"
    clip: FloatRect = {"x": box["x"], "y": box["y"], "width": box["width"], "height": min(box["height"], height)}
    path = folder / f"{name}.png"
    with Image.open(io.BytesIO(page.screenshot(full_page=True, clip=clip))) as picture:
        picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(path, optimize=True)  # a third of the bytes
    return path


def main() -> int:
    """Read the command line and take every picture."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--out", type=Path, default=Path("docs/images"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as tools:
        address = write_page(options.run, Path(folder) / "index.html").as_uri()
        browser = tools.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        # As tall as the page, so that nothing waits for its part to be seen, and the bar stays at its place.
        page = browser.new_page(viewport={"width": WIDTH_PX, "height": 30_000})
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]")
        for name in PICTURES:
            sys.stdout.write(f"{take(page, name, options.out)}\n")
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
