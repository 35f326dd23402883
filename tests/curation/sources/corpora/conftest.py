"""The real excerpts that lie beside the project."""

from __future__ import annotations

from pathlib import Path

import pytest

PACK = Path(__file__).parents[5] / "shared" / "realpack"


@pytest.fixture(scope="session")
def realpack() -> Path:
    """The folder of real files; without it the test is skipped."""
    if not PACK.is_dir():
        pytest.skip("no ../shared/realpack beside the project: real files are not here")
    return PACK
