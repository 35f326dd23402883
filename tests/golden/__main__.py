"""Writes tests/golden/tiny_run.json anew: `python -m tests.golden`. A changed digest is a changed format."""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

from tests.builders import built_with_fakes, counted_digests

FOLDERS = ("stats/", "selection/", "shards/", "manifests/", "records/", "samples/", "texts/", "scores/", "rejects/")


def write_golden() -> None:
    """Build the tiny run and pin its digests."""
    with tempfile.TemporaryDirectory() as folder:
        run = built_with_fakes(Path(folder))
        found = {path: digest for path, digest in counted_digests(run.root).items() if path.startswith(FOLDERS)}
    target = Path(__file__).parent / "tiny_run.json"
    target.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    write_golden()
