"""A host that worked and answers no more stops the ingest: told through the Beam job and the command line, and mended.

The host is a bucket whose server turns everybody away after the first objects, as one does whose key has run out.
"""

from __future__ import annotations

import struct
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from beam_runner import main
from curation.fetching import HostBrokenError, Reach
from curation.unit_reading import count_rejects
from pipelines.build import build
from pipelines.finished import StageNotReady, scored_units
from pipelines.ingest_stage import IngestStopped, ingest_job
from pipelines.run_folder import Run, open_run
from pipelines.unit_workers import UnitWorker
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from schemas.reasons import Reason
from schemas.run import RUN_JSON
from tests.builders import IN_PROCESS, unit_inputs
from tests.curation.media.make import write_test_video

VIDEOS, SERVED, WINDOW = 16, 3, 5
CORPUS = """
corpus: stops
sources:
  - {{name: bucket, origin: clean, format: csv, location: rows.csv, media_root: "s3://films", text_kinds: [], licence:
      {{name: CC0-1.0, basis: own, terms: made for a test}}, max_reject_share: 1.0}}
fetch:
  buckets: {{s3_endpoint: "{endpoint}", s3_anonymous: true}}
  hosts: {{per_s: 1000, breaker_window: {window}}}
videos_per_unit: 1  # or more
"""
TOLD = (
    "s3://films: nearly all of the last 5 fetches end as forbidden; mend the cause, or ask more slowly, "
    "and run again: what is done stays done"
)


class Bucket(ThreadingHTTPServer):
    """Objects that are one film; who asks for more than the first `serves` of them is turned away."""

    daemon_threads = True

    def __init__(self, body: bytes, serves: int) -> None:
        super().__init__(("127.0.0.1", 0), _Asked)
        self._film = body
        self.serves = serves
        self.lock = threading.Lock()
        self.asked: Counter[str] = Counter()
        self.served: set[str] = set()
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def body(self, key: str) -> bytes:
        """Return the film with its name in a box that players pass over: no two objects have the same bytes."""
        name = key.encode()
        return self._film + struct.pack(">I4s", 8 + len(name), b"free") + name

    def lets_have(self, key: str) -> bool:
        with self.lock:
            self.asked[key] += 1
            if len(self.served) < self.serves:
                self.served.add(key)
            return key in self.served


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Bucket

    def do_HEAD(self) -> None:
        body = self.server.body(self.path)
        allowed = self.server.lets_have(self.path)
        self.send_response_only(200 if allowed else 403)
        for name, value in (("Content-Length", len(body) if allowed else 0), ("ETag", '"one"')):
            self.send_header(name, str(value))
        self.end_headers()

    def do_GET(self) -> None:
        # A list of what lies below a name is asked for where there is no object.
        if not self.server.lets_have(self.path):
            self.send_response_only(403)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        first, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        body = self.server.body(self.path)[int(first) : int(last) + 1]
        self.send_response_only(206)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", '"one"')
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Bucket]:
    write_test_video(tmp_path / "film.mp4", seconds=1.0)
    server = Bucket((tmp_path / "film.mp4").read_bytes(), SERVED)
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def corpus(bucket: Bucket, tmp_path: Path) -> Path:
    rows = "".join(f"{number:02}.mp4,0,1\n" for number in range(VIDEOS))
    (tmp_path / "rows.csv").write_text(f"video,start_s,end_s\n{rows}")
    path = tmp_path / "corpus.yaml"
    path.write_text(CORPUS.format(endpoint=f"http://127.0.0.1:{bucket.server_address[1]}", window=WINDOW))
    return path


def build_command(corpus: Path, out: Path, mode: str = "in_memory") -> int:
    flags = ["--", f"--direct_running_mode={mode}", "--direct_num_workers=1"]
    return main(["build", str(corpus), "--out", str(out), *flags])


def commits_on_disk(run: Path) -> dict[str, bytes]:
    """Return what each unit's commit holds."""
    return {path.name: path.read_bytes() for path in (run / "units").glob("*.json")}


def kept_and_refused(run: Run) -> tuple[int, int]:
    """Return how many samples are kept, and how many records the host refused."""
    units = scored_units(run)
    commits = [units.read(name) for name in units.names]
    refused = [
        count
        for commit in commits
        for (_, _, reason), count in count_rejects(units.store, commit).items()
        if reason == Reason.FORBIDDEN.value
    ]
    return sum(commit.totals().samples_kept for commit in commits), sum(refused)


def test_the_job_is_stopped_with_the_host_s_words(corpus: Path, tmp_path: Path) -> None:
    config = load_corpus(corpus)
    with pytest.raises(IngestStopped) as stopped:
        build(config, tmp_path / "run", IN_PROCESS, watcher=Watcher(quiet=True))
    assert str(stopped.value) == TOLD
    assert "while running 'Ingest/WorkUnits/WorkUnit" in str(stopped.value.__cause__)
    assert not (tmp_path / "run" / "tmp" / "ingest-rows").exists(), "rows on their way are no litter of a failed run"
    with pytest.raises(StageNotReady):
        build(config, tmp_path / "run", IN_PROCESS, stages=("judge",), watcher=Watcher(quiet=True))


@pytest.mark.parametrize("mode", ["in_memory", "multi_processing"])
def test_the_command_ends_with_exit_code_1_and_one_line(
    mode: str, corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_command(corpus, tmp_path / "run", mode) == 1
    assert capsys.readouterr().err.endswith(f"clipstrata: {TOLD}\n")
    assert (tmp_path / "run" / RUN_JSON).is_file()
    assert not (tmp_path / "run" / "manifests" / "latest.json").exists()


# (videos of a unit, commits when the host is given up, records that it refused when all is done)
UNITS = {
    "a video each": (1, range(SERVED, SERVED + WINDOW), range(WINDOW)),
    # What failed before the stop is asked for again, for it lay in a unit that was not done.
    "all in one": (VIDEOS, range(1), range(1)),
}


@pytest.mark.parametrize("case", UNITS)
def test_once_the_host_is_mended_the_same_command_does_the_rest_and_only_that(
    case: str, corpus: Path, bucket: Bucket, tmp_path: Path
) -> None:
    per_unit, committed, refusals = UNITS[case]
    corpus.write_text(corpus.read_text().replace("videos_per_unit: 1 ", f"videos_per_unit: {per_unit} "))
    run = tmp_path / "run"
    assert build_command(corpus, run) == 1
    before = commits_on_disk(run)
    asked_of_served = {key: bucket.asked[key] for key in bucket.served}
    assert len(bucket.served) == SERVED and len(before) in committed
    assert len(bucket.asked) <= SERVED + WINDOW
    bucket.serves = VIDEOS
    assert build_command(corpus, run) == 0
    assert {name: content for name, content in commits_on_disk(run).items() if name in before} == before
    assert {key: bucket.asked[key] for key in asked_of_served} == asked_of_served
    kept, refused = kept_and_refused(open_run(load_corpus(corpus), run))
    # Fewer failures than fill the window may be rejects already when the host is given up: `replay` is for them.
    assert kept + refused == VIDEOS and refused in refusals


def test_a_step_that_an_engine_begins_again_asks_the_host_no_more(corpus: Path, bucket: Bucket, tmp_path: Path) -> None:
    run = open_run(load_corpus(corpus), tmp_path / "run")
    job = ingest_job(run, Reach())
    run.store.write(f"{job.folder}-stopped", b"it gave up")
    worker = UnitWorker(job)
    worker.setup()
    (unit,) = unit_inputs(load_corpus(corpus))[:1]
    with pytest.raises(HostBrokenError, match="it gave up"):
        worker.work(unit)
    worker.teardown()
    assert not bucket.asked
