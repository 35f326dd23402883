"""A corpus whose list and videos lie in a bucket of a server of one's own, through the Beam job to clips."""

from __future__ import annotations

from pathlib import Path

from pipelines.build import build
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from tests.bucket_servers import S3_KEYS, environment, s3_server
from tests.builders import IN_PROCESS
from tests.curation.media.make import write_test_video

CORPUS = """
corpus: stored
sources:
  - {{name: bucket, origin: clean, format: csv, location: "s3://films/lists/*.csv", text_kinds: [caption], licence:
      {{name: CC0-1.0, basis: own, terms: made for a test}}}}
fetch: {{buckets: {{s3_endpoint: "{endpoint}"}}}}
"""
ROWS = b"video,start_s,end_s,caption\na.mp4,0,1,a film\nnone.mp4,0,1,not there\n"


def test_a_list_and_its_videos_come_from_a_bucket(tmp_path: Path) -> None:
    film = write_test_video(tmp_path / "a.mp4").read_bytes()
    (tmp_path / "s3").mkdir()
    objects = {"films/lists/rows.csv": ROWS, "films/lists/a.mp4": film}
    with s3_server(tmp_path / "s3", objects) as endpoint, environment(**S3_KEYS):
        (tmp_path / "corpus.yaml").write_text(CORPUS.format(endpoint=endpoint))
        config = load_corpus(tmp_path / "corpus.yaml")
        run = build(config, tmp_path / "run", IN_PROCESS, stages=("ingest",), watcher=Watcher(quiet=True)).run
    units = scored_units(run)
    commits = [units.read(name) for name in units.names]
    kept, rejected = sum(c.totals().samples_kept for c in commits), sum(c.totals().records_rejected for c in commits)
    assert (kept, rejected) == (1, 1)
