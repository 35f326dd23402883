"""A Dataflow of one's own: what the real runner sends is kept, and each job is done at once without being run.

It accepts anything, so it shows what is submitted, and not that the service would take it. What a job would do is found
by running the graph that was staged (`run_staged`).
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.portability import common_urns, python_urns
from apache_beam.portability.api import beam_runner_api_pb2
from apache_beam.runners.portability.fn_api_runner import FnApiRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PROJECT, REGION = "my-project", "europe-west4"


@dataclass
class Dataflow:
    """What came in.

    Attributes:
        endpoint: for `--dataflow_endpoint`; Beam speaks REST to it only when it is called localhost.
        jobs: bodies of the jobs that were created.
        authorizations: of the requests, without those for a token.
        raw: all that was sent, as text.
    """

    endpoint: str
    jobs: list[dict[str, Any]] = field(default_factory=list)
    authorizations: set[str | None] = field(default_factory=set)
    raw: list[str] = field(default_factory=list)

    def flags(self) -> tuple[str, ...]:
        """Return the flags of a job that goes here."""
        return (
            "--runner=DataflowRunner",
            f"--dataflow_endpoint={self.endpoint}",
            f"--project={PROJECT}",
            f"--region={REGION}",
        )


@contextlib.contextmanager
def dataflow_server() -> Iterator[Dataflow]:
    """Serve until the block is left."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.found = Dataflow(endpoint=f"http://localhost:{server.server_address[1]}")  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server.found  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length") or 0)).decode("utf-8")
        if self.path.startswith("/token"):
            self._answer({"access_token": "fake-token", "expires_in": 3600, "token_type": "Bearer"})
            return
        found = self._note(body)
        found.jobs.append(json.loads(body))
        self._answer(self._job(found, "JOB_STATE_RUNNING"))

    def do_GET(self) -> None:
        found = self._note("")
        if "/messages" in self.path:
            self._answer({"jobMessages": []})
        elif "/metrics" in self.path:
            self._answer({"metrics": []})
        else:
            self._answer(self._job(found, "JOB_STATE_DONE"))

    def _note(self, body: str) -> Dataflow:
        found: Dataflow = self.server.found  # type: ignore[attr-defined]
        found.raw.append(f"{self.command} {self.path} {body}")
        found.authorizations.add(self.headers.get("authorization"))
        return found

    def _job(self, found: Dataflow, state: str) -> dict[str, Any]:
        job = found.jobs[-1]
        kept = {name: value for name, value in job.items() if name not in ("environment", "steps")}
        return {**kept, "id": f"job-{len(found.jobs)}", "projectId": PROJECT, "location": REGION, "currentState": state}

    def _answer(self, document: dict[str, Any]) -> None:
        data = json.dumps(document).encode("utf-8")
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def write_account(path: Path, endpoint: str) -> str:
    """Write a service account's key file whose tokens come from the server; return the key itself."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode("ascii")
    account = {
        "type": "service_account",
        "project_id": PROJECT,
        "private_key_id": "1",
        "private_key": text,
        "client_email": f"tester@{PROJECT}.example",
        "client_id": "1",
        "token_uri": f"{endpoint}/token",
    }
    path.write_text(json.dumps(account))
    return text


def images_of(graph: beam_runner_api_pb2.Pipeline) -> set[str]:
    """Return the container images of a graph's environments."""
    payloads = (environment.payload for environment in graph.components.environments.values())
    return {beam_runner_api_pb2.DockerPayload.FromString(payload).container_image for payload in payloads}


def hints_of(graph: beam_runner_api_pb2.Pipeline) -> dict[str, dict[str, bytes]]:
    """Return step -> its resource hints, of the steps that have any."""
    found = {}
    for step in graph.components.transforms.values():
        if step.environment_id:
            hints = graph.components.environments[step.environment_id].resource_hints
            found[step.unique_name] = dict(hints)
    return {name: hints for name, hints in found.items() if hints}


def run_staged(graph: beam_runner_api_pb2.Pipeline) -> str:
    """Run a staged graph in this process in place of its containers; return the state at its end."""
    local = beam_runner_api_pb2.Pipeline()
    local.CopyFrom(graph)
    for environment in local.components.environments.values():
        assert environment.urn == common_urns.environments.DOCKER.urn
        environment.urn = python_urns.EMBEDDED_PYTHON
        environment.payload = b""
        # Files that a container would install; everything is importable here.
        del environment.dependencies[:]
    result = FnApiRunner().run_via_runner_api(local, PipelineOptions([]))
    return str(result.wait_until_finish())
