"""Debian's Chromium in a reader's hands, through Playwright."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
from playwright.sync_api import Page, sync_playwright

CHROMIUM = shutil.which("chromium")
needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH (Debian: chromium)")


@contextmanager
def opened(address: str, *, width_px: int = 1300, says: Sequence[str] = ()) -> Iterator[Page]:
    """Open an address; by the end the console must have said a line with each of these words, and nothing else."""
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width_px, "height": 1000}, accept_downloads=True)
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(address)
        page.wait_for_selector("html[data-ready=yes]")
        yield page
        browser.close()
        assert len(said) == len(says) and all(words in line for words, line in zip(says, said, strict=True)), said
