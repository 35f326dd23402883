from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest

from curation.bucket_progress import BucketReporter, add_sums
from curation.store import LocalStore


def only_object(store: LocalStore) -> dict[str, dict[str, float]]:
    (path,) = store.list("progress/ingest")
    found: dict[str, dict[str, float]] = json.loads(store.read(path))
    return found


def test_events_are_summed_in_one_object_a_moment_later(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    reporter = BucketReporter(store, "ingest", write_every_s=0.1)
    reporter.report("video", {"clips": 2})
    reporter.report("video", {"clips": 3})
    reporter.report("unit", {"seconds": 0.5})
    assert list(store.list("progress/ingest")) == []
    until_s = time.monotonic() + 20
    while not list(store.list("progress/ingest")) and time.monotonic() < until_s:
        time.sleep(0.02)
    assert only_object(store) == {"video": {"events": 2, "clips": 5}, "unit": {"events": 1, "seconds": 0.5}}
    reporter.report("video", {"clips": 1})
    reporter.flush()
    assert only_object(store)["video"] == {"events": 3, "clips": 6}


def test_sums_of_processes_add_up(tmp_path: Path) -> None:
    store, totals = LocalStore(tmp_path), dict[str, Counter[str]]()
    for clips in (2, 5):
        reporter = BucketReporter(store, "ingest")
        reporter.report("video", {"clips": clips})
        reporter.flush()
    for path in store.list("progress/ingest"):
        add_sums(store.read(path), totals)
    assert totals == {"video": Counter(events=2, clips=7)}


class FullBucket:
    def read(self, path: str) -> bytes:
        raise FileNotFoundError(path)

    def write(self, path: str, data: bytes) -> None:
        raise OSError("quota")


def test_a_bucket_that_refuses_progress_is_told_and_costs_no_work(caplog: pytest.LogCaptureFixture) -> None:
    reporter = BucketReporter(FullBucket(), "ingest")
    reporter.report("video", {"clips": 2})
    reporter.flush()
    assert "could not be written" in caplog.text and "quota" in caplog.text
