"""What several modules of builds start from."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.copied_films import make_films


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of films of which some are copies of others."""
    folder = tmp_path_factory.mktemp("films")
    make_films(folder)
    return folder
