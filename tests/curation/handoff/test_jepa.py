from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from curation.handoff.jepa import path_lists
from schemas.config_file import ConfigError

SAMPLES = pl.DataFrame(
    {
        "source": ["web", "web", "web"],
        "tier": ["clean", "noisy_low", "noisy_low"],
        "media_sha256": ["aa" * 32, "bb" * 32, "cc" * 32],
    }
)


def test_a_list_per_tier_and_source() -> None:
    assert path_lists(SAMPLES, Path("/run")) == {
        "vjepa/clean-web.csv": f"/run/media/aa/{'aa' * 32}.mp4 0\n".encode(),
        "vjepa/noisy_low-web.csv": f"/run/media/bb/{'bb' * 32}.mp4 2\n/run/media/cc/{'cc' * 32}.mp4 2\n".encode(),
    }


def test_a_path_that_the_reader_would_cut_is_refused() -> None:
    with pytest.raises(ConfigError, match="cannot hold a path with white space"):
        path_lists(SAMPLES, Path("/my run"))
