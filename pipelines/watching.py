"""Watching a job from outside: a bar on a terminal, plain lines elsewhere, both from the workers' progress files."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from curation.displays import Display, new_display
from curation.progress import read_totals
from curation.stores import is_bucket
from pipelines.flink import job_told
from schemas.run import RunAddress

POLL_S = 0.5
# A look at a bucket is a request for every worker.
BUCKET_POLL_S = 3.0
ENGINE_POLLS = 6

TITLES = {
    "render": "rendering the built-in world",
    "ingest": "ingest: cutting and scoring videos",
    "duplicates": "duplicates: comparing clips",
    "judge": "judge: histograms, tiers, keepers",
    "shard": "shard: writing tars",
}


class Watcher:
    """Shows a stage's progress while it runs.

    Args:
        quiet: show nothing.
    """

    def __init__(self, *, quiet: bool = False) -> None:
        self.quiet = quiet

    @contextmanager
    def watch(self, root: RunAddress, stage: str) -> Iterator[None]:
        """Poll the progress files of a stage until the block ends."""
        if self.quiet:
            yield
            return
        display = new_display(TITLES[stage])
        started, stop = time.monotonic(), threading.Event()
        thread = threading.Thread(target=_poll, args=(root, stage, display, stop), daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join()
            # A bucket that does not answer now costs the last look, not the work.
            with contextlib.suppress(OSError):
                display.show(*counts(root, stage))
            display.close(time.monotonic() - started)


def _poll(root: RunAddress, stage: str, display: Display, stop: threading.Event) -> None:
    polls = 0
    told = ""
    while not stop.wait(BUCKET_POLL_S if is_bucket(root) else POLL_S):
        # A cluster is asked less often than the run's own files are read.
        told = job_told(root) if polls % ENGINE_POLLS == 0 else told
        polls += 1
        # A bucket that does not answer now may do so at the next look.
        with contextlib.suppress(OSError):
            done, total, more = counts(root, stage)
            display.show(done, total, ", ".join(filter(None, (more, told))))


def counts(root: RunAddress, stage: str) -> tuple[int, int, str]:
    """Return (done, total, what else to say) of a stage; a total of 0 is not known."""
    totals = read_totals(root, stage)

    def amount(event: str, name: str) -> int:
        return int(totals.get(event, Counter())[name])

    done = amount("video", "events") + amount("resumed", "videos")
    worked, scored = amount("unit", "events"), amount("scored", "units")
    more = f"{scored} of {worked} units scored" if scored or (worked and done == amount("planned", "videos")) else ""
    total = amount("planned", "videos")
    # An engine that repeats a step after a failure has its videos told again.
    return min(done, total) if total else done or amount("shard", "events"), total, more
