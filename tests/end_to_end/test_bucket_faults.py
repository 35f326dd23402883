"""A bucket that answers 503, or slowly, or not at all: the build goes on, or ends in words and goes on later."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from beam_runner import main
from tests.bucket_servers import S3_KEYS, environment, s3_server
from tests.end_to_end.test_bucket_runs import ADDRESSES, FLAGS, digests, open_store
from tests.pipelines.copied_films import make_films, write_corpus

pytestmark = pytest.mark.slow
SLOW_DOWN = b"<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"


class Trouble:
    """What befalls requests: every so many is refused with 503, and every so many waits."""

    def __init__(self, refuse_every: int, wait_every: int, wait_s: float) -> None:
        self.refuse_every, self.wait_every, self.wait_s = refuse_every, wait_every, wait_s
        self.numbers = itertools.count(1)
        self.refused = self.waited = 0
        # Refuse everything from now on.
        self.gone = False

    def refuses(self) -> bool:
        number = next(self.numbers)
        if number % self.wait_every == 0:
            self.waited += 1
            time.sleep(self.wait_s)
        refused = self.gone or number % self.refuse_every == 0
        self.refused += refused
        return refused


class Proxy(BaseHTTPRequestHandler):
    """Hands requests on as they are, so that their signatures hold."""

    protocol_version = "HTTP/1.1"

    def __init__(self, port: int, trouble: Trouble, *more: object) -> None:
        self.port, self.trouble = port, trouble
        super().__init__(*more)  # type: ignore[arg-type]

    def log_message(self, *words: object) -> None:
        pass

    def _pass_on(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.trouble.refuses():
            self._answer(503, [], SLOW_DOWN)
            return
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(self.command, self.path, body, dict(self.headers.items()))
        answer = connection.getresponse()
        self._answer(answer.status, answer.getheaders(), answer.read())

    def _answer(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        self.send_response_only(status)
        length = next((value for name, value in headers if name.lower() == "content-length"), str(len(body)))
        for name, value in headers:
            if name.lower() not in ("content-length", "transfer-encoding", "connection"):
                self.send_header(name, value)
        # The answer to HEAD tells a length and has no body.
        self.send_header("Content-Length", length if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_PUT = do_POST = do_DELETE = _pass_on


@contextmanager
def troubled(folder: Path, trouble: Trouble) -> Iterator[None]:
    folder.mkdir()
    with environment(**S3_KEYS), s3_server(folder, {"corpora/other": b"x"}) as endpoint:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Proxy, int(endpoint.rsplit(":", 1)[1]), trouble))
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with environment(AWS_ENDPOINT_URL_S3=f"http://127.0.0.1:{server.server_port}"):
            yield
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("films")
    make_films(folder)
    write_corpus(folder)
    return folder


@pytest.mark.timeout(900)
def test_a_bucket_in_trouble_costs_time_and_no_byte(
    films: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with troubled(tmp_path / "calm", Trouble(10**9, 10**9, 0.0)):
        assert main(["build", str(films / "corpus.yaml"), "--out", ADDRESSES["s3"], *FLAGS]) == 0
        wanted = digests(open_store(ADDRESSES["s3"]))
    trouble = Trouble(refuse_every=11, wait_every=50, wait_s=1.0)
    with troubled(tmp_path / "troubled", trouble):
        assert main(["build", str(films / "corpus.yaml"), "--out", ADDRESSES["s3"], *FLAGS]) == 0
        assert trouble.refused > 10 and trouble.waited > 3
        trouble.refuse_every = 10**9
        assert digests(open_store(ADDRESSES["s3"])) == wanted
        assert main(["verify", ADDRESSES["s3"]]) == 0
        trouble.gone = True
        assert main(["stats", ADDRESSES["s3"]]) == 2
        assert "the bucket refuses or does not answer" in capsys.readouterr().err
