"""A page opened in Chromium: the document after its script ran, and what the console said."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

import pytest

CHROMIUM = shutil.which("chromium")

needs_chromium = pytest.mark.skipif(CHROMIUM is None, reason="needs chromium on the PATH (Debian: chromium)")


def load(page: str, folder: Path) -> tuple[str, list[str]]:
    """Return the document after its script ran, and what the console said."""
    (folder / "index.html").write_text(page, "utf-8")
    done = subprocess.run(
        [
            str(CHROMIUM),
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            f"--user-data-dir={folder / 'profile'}",
            "--enable-logging=stderr",
            "--v=0",
            "--virtual-time-budget=2000",
            "--window-size=1200,900",
            "--dump-dom",
            (folder / "index.html").as_uri(),
        ],
        capture_output=True,
        timeout=120,
        check=True,
    )
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    return done.stdout.decode("utf-8"), console


def _digest(block: str) -> str:
    return base64.b64encode(hashlib.sha256(block.encode("utf-8")).digest()).decode("ascii")


def with_hands(page: str, code: str) -> str:
    """Return the page with `code` run once it is drawn, as a reader's hands; its policy names the longer script."""
    head, opening, rest = page.rpartition("<script>")
    script, closing, tail = rest.rpartition("</script>")
    longer = f"{script}setTimeout(() => {{\n{code}\n}}, 100);\n"  # charts are drawn after the script ends
    return f"{head}{opening}{longer}{closing}{tail}".replace(_digest(script), _digest(longer))
