"""A whole run in a bucket, built on a real cluster: the bytes of a folder, and no key where an engine shows things."""

from __future__ import annotations

import hashlib
import json
import urllib.request
from pathlib import Path

import pytest

from curation.stores import open_store
from deploy.flink.cluster import Cluster
from schemas.run import RUN_JSON, UNCOUNTED
from tests.bucket_servers import S3_KEYS, SECRET, environment, s3_server
from tests.builders import counted_digests
from tests.engines.engine_runs import cluster_in, finish, on, world_in
from tests.searching import traces

pytestmark = [pytest.mark.engines, pytest.mark.timeout(2400)]
THREADS = ("--direct_running_mode=multi_threading", "--direct_num_workers=2")
ADDRESS = "s3://corpora/world"


def shown_by(cluster: Cluster) -> str:
    """Return what Flink's REST API tells of its jobs, as whoever asks sees it."""
    said = []
    for job in ask(cluster, "/jobs/overview")["jobs"]:
        for page in ("", "/config", "/plan", "/exceptions"):
            said.append(json.dumps(ask(cluster, f"/jobs/{job['jid']}{page}")))
    return "\n".join(said)


def ask(cluster: Cluster, path: str) -> dict:
    with urllib.request.urlopen(f"http://{cluster.master}{path}", timeout=30) as answer:
        return json.load(answer)


def test_a_bucket_holds_what_a_folder_does_and_flink_shows_no_key(tmp_path: Path) -> None:
    corpus = world_in(tmp_path / "in")
    finish("build", corpus, tmp_path / "run", THREADS)
    (tmp_path / "s3").mkdir()
    with (
        environment(**S3_KEYS),
        s3_server(tmp_path / "s3", {"corpora/other": b"x"}) as endpoint,
        environment(AWS_ENDPOINT_URL_S3=endpoint),
        cluster_in(tmp_path / "flink") as cluster,
    ):
        finish("build", corpus, ADDRESS, on(cluster))
        shown = shown_by(cluster)
        store = open_store(ADDRESS)
        paths = [path for path in store.list("") if path != RUN_JSON and path.split("/")[0] not in UNCOUNTED]
        found = {path: hashlib.sha256(store.read(path)).hexdigest() for path in paths}
        assert found == counted_digests(tmp_path / "run")
    assert "clipstrata" in shown, "it does show the jobs"
    assert SECRET not in shown
    assert traces(tmp_path / "flink", [SECRET]) == []
    assert traces(tmp_path / "s3", [SECRET]) == []
