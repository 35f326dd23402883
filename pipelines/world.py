"""Rendering the built-in world before it is ingested, and comparing duplicates found with duplicates planted."""

from __future__ import annotations

import os
from pathlib import Path

from curation.progress import clear, new_reporter
from curation.sources.synthetic import world_of
from curation.world import render_world, truth_rows, write_truth
from pipelines.watching import Watcher
from schemas.corpus import CorpusConfig
from schemas.run import RunAddress

TRUTH_FILE = "truth.jsonl"


def render_sources(config: CorpusConfig, root: RunAddress, watcher: Watcher) -> int:
    """Render what the `synthetic` sources of a corpus lack; returns how many files were written.

    The truth goes beside the videos as `truth.jsonl`: only tests and reports read it.
    """
    folders = sorted({Path(source.location) for source in config.sources if source.format == "synthetic"})
    if not folders:
        return 0
    world = world_of(config.world)
    clear(root, "render")
    reporter = new_reporter(root, "render")
    rendered = 0
    for folder in folders:
        reporter.report("planned", {"videos": len(world.videos)})
        there = sum((folder / video.file_name).exists() for video in world.videos)
        reporter.report("resumed", {"videos": there})
        if there == len(world.videos):
            continue
        with watcher.watch(root, "render"):
            rendered += render_world(
                world,
                folder,
                processes=os.cpu_count() or 1,
                on_video=lambda video: reporter.report("video", {"clips": len(video.clips)}),
            )
        write_truth(world, folder / TRUTH_FILE)
    return rendered


def planted_copies(config: CorpusConfig) -> list[tuple[str, str]]:
    """Return (locator of a copy, locator of its original) for each byte copy planted in the corpus's sources."""
    parts = {source.part for source in config.sources if source.format == "synthetic"}
    rows = [row for row in truth_rows(world_of(config.world)) if row["source"] in parts]
    there = {row["locator"] for row in rows}
    return sorted({(row["locator"], row["copy_of"]) for row in rows if row["copy_of"] in there})
