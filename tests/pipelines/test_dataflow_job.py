"""The real DataflowRunner against a server of our own: what an ingest submits, and that its graph does the ingest."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import fsspec
import pytest
from apache_beam.portability.api import beam_runner_api_pb2

from curation.fetching import Reach
from curation.progress import read_totals
from curation.store import Store
from curation.stores import open_store
from deploy.dataflow.launch import launch
from pipelines.build import build
from pipelines.engine import EngineOptions, EngineOptionsError, running
from pipelines.ingest import run_ingest
from pipelines.ingest_stage import ingest_job
from pipelines.run_folder import open_run
from pipelines.submitting import submit
from pipelines.unit_workers import IngestJob
from pipelines.watching import Watcher
from schemas.corpus import CorpusConfig, ScorerConfig, load_corpus
from schemas.run import RUN_JSON, UNCOUNTED
from tests.bucket_servers import environment, gs_server
from tests.builders import IN_PROCESS, counted_digests
from tests.curation.media.make import write_test_video
from tests.dataflow_server import (
    Dataflow,
    dataflow_server,
    hints_of,
    images_of,
    run_staged,
    write_account,
)

pytestmark = pytest.mark.slow

IMAGE = "europe-west4-docker.pkg.dev/my-project/repo/clipstrata:0.1.0-gpu"
ROOT = "gs://lab/run"
TEMPLATE = "gs://lab/template_launches/1/job_object"
CANARY = "canary-secret"
ASKED = (
    f"--sdk_container_image={IMAGE}",
    "--job_name=ingest-tiny",
    "--labels=team=video",
    "--num_workers=3",
    "--max_num_workers=20",
    "--scoring_min_ram=16GB",
)
GPU = "type:nvidia-tesla-t4;count:1;install-nvidia-driver"
DRY = ("--runner=DataflowRunner", "--project=my-project", "--region=europe-west4", "--dry_run=True")
CORPUS = """
corpus: tiny
sources:
  - {name: films, origin: clean, format: csv, location: rows.csv, text_kinds: [caption], licence:
      {name: CC0-1.0, basis: own, terms: made for a test}}
scorer: {frames: 2}
"""
ROWS = "video,start_s,end_s,caption\na.mp4,0,1,a film\na.mp4,1,2,the same film\nnone.mp4,0,1,not there\n"


@dataclass(frozen=True)
class Submitted:
    """A job that was sent, and the run whose ingest it is."""

    job: IngestJob
    body: dict[str, Any]
    graph: beam_runner_api_pb2.Pipeline
    graph_bytes: bytes
    service: Dataflow
    staged: dict[str, bytes]
    account_key: str

    @property
    def environment(self) -> dict[str, Any]:
        return dict(self.body["environment"])

    @property
    def options(self) -> dict[str, Any]:
        return dict(self.environment["sdkPipelineOptions"]["options"])


@pytest.fixture(scope="module")
def corpus_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    write_test_video(folder / "a.mp4")
    (folder / "rows.csv").write_text(ROWS)
    (folder / "corpus.yaml").write_text(CORPUS.replace("rows.csv", str(folder / "rows.csv")))
    return folder / "corpus.yaml"


@pytest.fixture(scope="module")
def corpus(corpus_file: Path) -> CorpusConfig:
    return load_corpus(corpus_file)


@pytest.fixture(scope="module")
def submitted(corpus: CorpusConfig, corpus_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Submitted]:
    account = tmp_path_factory.mktemp("dataflow") / "account.json"
    timeout_s = socket.getdefaulttimeout()
    keys = {"GOOGLE_APPLICATION_CREDENTIALS": str(account), "AWS_SECRET_ACCESS_KEY": CANARY}
    yaml_in_bucket = {"lab/corpora/tiny.yaml": corpus_file.read_bytes()}
    with gs_server("lab", yaml_in_bucket), dataflow_server() as service:
        key = write_account(account, service.endpoint)
        with environment(**keys):
            flags = (*service.flags(), *ASKED)
            job = ingest_job(open_run(corpus, ROOT), Reach())
            # A dry run goes first: with the true endpoint, Beam checks names and places, and sends nothing.
            run_ingest(job, EngineOptions(flags=(*DRY, *ASKED), root=ROOT))
            assert service.jobs == [] and not staged_objects()
            run_ingest(job, EngineOptions(flags=flags, root=ROOT))
            parameters = ("--corpus=gs://lab/corpora/tiny.yaml", "--out=gs://lab/templated")
            assert launch((*parameters, *flags, f"--template_location={TEMPLATE}")) == 0
            on_gpu = corpus.model_copy(update={"scorer": ScorerConfig(frames=2, device="cuda", dtype="float32")})
            asked = (*flags, f"--scoring_accelerator={GPU}")
            assert submit(on_gpu, "gs://lab/sent", EngineOptions(flags=asked, root="gs://lab/sent")) == "job-2"
            staged, body = staged_objects(), service.jobs[0]
            url = body["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"].removeprefix("gs://")
            graph = beam_runner_api_pb2.Pipeline.FromString(staged[url])
            yield Submitted(job, body, graph, staged[url], service, staged, key)
    # Beam sets one for the whole process when it meets a service account.
    socket.setdefaulttimeout(timeout_s)


def staged_objects() -> dict[str, bytes]:
    """Return name -> bytes of what Beam put into the bucket."""
    bucket = fsspec.filesystem("gs", token="anon")
    names = [name for name in bucket.find("lab") if "/tmp/dataflow/" in name or "template_launches" in name]
    return {name: bucket.cat_file(name) for name in names}


def digests(store: Store) -> dict[str, str]:
    paths = [path for path in store.list("") if path != RUN_JSON and path.split("/")[0] not in UNCOUNTED]
    return {path: store.sha256(path) for path in paths}


def test_one_job_is_created_with_the_service_account(submitted: Submitted) -> None:
    assert [job["name"] for job in submitted.service.jobs] == ["ingest-tiny"] * 2, "one that waits and one that is sent"
    assert submitted.service.authorizations == {"Bearer fake-token"}, "without a library Beam goes on as nobody"
    posted = [line.split()[1] for line in submitted.service.raw if line.startswith("POST")]
    assert {path.split("?")[0] for path in posted} == {"/v1b3/projects/my-project/locations/europe-west4/jobs"}


def test_the_body_says_what_was_asked_for(submitted: Submitted) -> None:
    body, environment = submitted.body, submitted.environment
    assert (body["name"], body["type"]) == ("ingest-tiny", 1)
    assert body["labels"] == {"clipstrata": "0-3-0", "team": "video"}
    (pool,) = environment["workerPools"]
    assert (pool["machineType"], pool["numWorkers"], pool["diskSizeGb"]) == ("n1-standard-4", 3, 100)
    assert pool["autoscalingSettings"]["maxNumWorkers"] == 20
    assert pool["numThreadsPerWorker"] == 4
    assert {image["containerImage"] for image in pool["sdkHarnessContainerImages"]} == {IMAGE}
    assert "no_use_multiple_sdk_containers" in environment["experiments"]
    assert "use_multiple_sdk_containers" not in environment["experiments"]
    assert "use_runner_v2" in environment["experiments"]
    assert environment["tempStoragePrefix"].startswith("storage.googleapis.com/lab/run/tmp/dataflow/ingest-tiny.")
    assert submitted.options["save_main_session"] is False
    assert submitted.options["region"] == "europe-west4"


def test_nothing_but_the_graph_is_staged(submitted: Submitted) -> None:
    names = sorted(name.rsplit("/", 1)[1] for name in submitted.staged)
    assert names == ["job_object", *["pipeline.pb"] * 3], "workers install nothing"
    assert submitted.environment["workerPools"][0].get("packages", []) == []
    assert submitted.options["pipelineProtoHash"] == hashlib.sha256(submitted.graph_bytes).hexdigest()


def test_a_template_is_written_in_place_of_a_job(submitted: Submitted) -> None:
    """As the launcher of a Flex Template asks for it: it sends what lies there itself."""
    template = json.loads(submitted.staged[TEMPLATE.removeprefix("gs://")])
    assert (template["name"], template["labels"]) == (submitted.body["name"], submitted.body["labels"])
    options = template["environment"]["sdkPipelineOptions"]["options"]
    graph = submitted.staged[options["pipelineUrl"].removeprefix("gs://")]
    assert options["pipelineProtoHash"] == hashlib.sha256(graph).hexdigest()
    steps = beam_runner_api_pb2.Pipeline.FromString(graph).components.transforms
    assert len(steps) == len(submitted.graph.components.transforms)


def test_a_template_holds_no_whole_run_and_another_engine_is_not_sent_to(corpus: CorpusConfig, tmp_path: Path) -> None:
    engine = EngineOptions(flags=(*DRY, *ASKED, f"--template_location={TEMPLATE}"), root=ROOT)
    with (
        pytest.raises(EngineOptionsError, match="--template_location is given: a run is several jobs"),
        running(engine),
    ):
        pass
    with pytest.raises(EngineOptionsError, match="submit is for an engine that goes on by itself"):
        submit(corpus, tmp_path / "run", IN_PROCESS)
    assert not (tmp_path / "run").exists()


def test_no_secret_travels(submitted: Submitted) -> None:
    sent = "\n".join(submitted.service.raw).encode("utf-8")
    inner = "".join(submitted.account_key.splitlines()[1:-1])[:64].encode("ascii")
    for secret in (CANARY.encode("ascii"), inner, b"PRIVATE KEY"):
        for place in (sent, *submitted.staged.values()):
            assert secret not in place
    # The key of spooled rows has to reach workers: it lies in the staged graph, and nowhere else.
    assert submitted.job.grouping.key not in sent


def test_steps_run_in_the_image_and_scoring_alone_has_hints(submitted: Submitted) -> None:
    graph = submitted.graph
    assert images_of(graph) == {IMAGE}
    names = {step.unique_name for step in graph.components.transforms.values()}
    assert {
        "Ingest/WorkUnits/WorkUnit",
        "Ingest/WorkUnits/CutPiece",
        "Ingest/ScoreUnits/FinishScores",
        "Ingest/GroupRows/SpoolRows",
    } <= {name.split("/ParDo")[0] for name in names}
    hints = hints_of(graph)
    assert set(hints) == {"Ingest/ScoreUnits/ScoreBatches/RunInference/BeamML_RunInference"}
    ram = {"beam:resources:min_ram_bytes:v1": b"16000000000"}
    assert list(hints.values()) == [ram]
    on_gpu = submitted.service.jobs[1]["environment"]["sdkPipelineOptions"]["options"]["pipelineUrl"]
    found = hints_of(beam_runner_api_pb2.Pipeline.FromString(submitted.staged[on_gpu.removeprefix("gs://")]))
    assert found == {step: {**ram, "beam:resources:accelerator:v1": GPU.encode("ascii")} for step in hints}


def test_the_staged_graph_makes_the_bytes_that_the_embedded_engine_makes_and_a_build_goes_on_from_them(
    submitted: Submitted, corpus: CorpusConfig, tmp_path: Path
) -> None:
    store = open_store(ROOT)
    assert list(store.list("units")) == [], "the server runs nothing"
    assert run_staged(submitted.graph) == "DONE"
    build(corpus, tmp_path / "run", IN_PROCESS, stages=("ingest",), watcher=Watcher(quiet=True))
    expected = counted_digests(tmp_path / "run")
    assert digests(store) == expected
    assert {path.split("/")[0] for path in expected} >= {"media", "scores", "units", "samples", "rejects"}
    assert read_totals(tmp_path / "run", "ingest")["video"]["clips"] == 2
    build(corpus, ROOT, IN_PROCESS, stages=("ingest",), watcher=Watcher(quiet=True))
    totals = read_totals(ROOT, "ingest")
    assert totals["unit"]["events"] > 0 and "video" not in totals, "nothing is fetched or cut again"
    assert digests(store) == expected
    assert list(store.list("tmp")) == [], "what jobs staged goes with the build"


@pytest.mark.parametrize(
    ("flag", "told"),
    [
        ("--job_name=Ingest_1", "Invalid job_name"),
        ("--project=12345", "Invalid Project ID"),
        ("--num_workers=30", "cannot exceed max_num_workers"),
    ],
)
def test_a_dry_run_tells_what_the_service_would_refuse(flag: str, told: str) -> None:
    engine = EngineOptions(flags=(*DRY, *ASKED, flag), root=ROOT)
    with pytest.raises(EngineOptionsError, match=f"Beam refuses the options: (?s:.)*{told}"), running(engine):
        pass
