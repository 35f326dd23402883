"""No secret of an address or of an answer reaches a message, a recorded fact or the log: a canary is looked for."""

from __future__ import annotations

import logging
import pickle
import warnings
from pathlib import Path

import pytest

from curation.fetching import FetchCache, Fetched
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import new_fetcher, outcome, policy, world

CANARY = "canary-7f3a"
QUERY = f"?X-Amz-Signature={CANARY}&token={CANARY}&anything={CANARY}"


def bad_head(asked: host.Asked) -> None:
    """A head with a line that is none: some clients log the address then."""
    asked.wfile.write(f"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nbroken {CANARY}\r\nX: y\r\n\r\nabc".encode())


def no_http(asked: host.Asked) -> None:
    """What is no HTTP at all."""
    asked.wfile.write(f"{CANARY} {CANARY}\r\n\r\n".encode())


ROUTES = {
    "/good": host.good(X_Robots_Tag=f"nosnippet, https://h.test/?sig={CANARY}"),
    "/404": host.status(404),
    "/429": host.status(429),
    "/reset": host.reset,
    "/short": host.cut_off,
    "/page": host.good(Content_Type="text/html"),
    "/tag": host.good(X_Robots_Tag="noai"),
    "/loop": host.leads_to(f"/loop{QUERY}"),
    "/inside": host.leads_to(f"http://me:{CANARY}@10.0.0.1/{QUERY}"),
    "/elsewhere": host.leads_to(f"/good{QUERY}"),
    "/scheme": host.leads_to(f"ftp://me:{CANARY}@h.test/{QUERY}"),
    "/odd": host.leads_to(f"http://me:{CANARY}@[::{QUERY}"),
    "/head": bad_head,
    "/nothttp": no_http,
    "/robots.txt": host.leads_to(f"/404{QUERY}"),
}


@pytest.mark.parametrize("path", ROUTES)
def test_no_secret_is_told(path: str, serve: Serve, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    server = serve(ROUTES)
    address = server.url(path + QUERY).replace("://", f"://{CANARY}:{CANARY}@")
    cache = FetchCache(tmp_path / "cache")
    fetcher = new_fetcher(policy(rights={}), cache=cache, world=world())
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = outcome(address, tmp_path, fetcher.fetch)
    told = f"{found} {found!r} {getattr(found, 'detail', '')}"
    kept = b"".join(path.name.encode() + path.read_bytes() for path in (tmp_path / "cache").rglob("*.json"))
    assert CANARY not in told
    assert CANARY.encode() not in kept
    assert CANARY not in caplog.text
    assert not [one for one in warned if CANARY in str(one.message)]
    assert server.counts[path] > 0


def test_an_error_travels_between_processes_whole() -> None:
    import curation.fetching.base as base
    from schemas.reasons import Reason

    error = base.FetchError(Reason.RATE_LIMITED, "busy", retry_after_s=3.0, attempts=2)
    again = pickle.loads(pickle.dumps(error))
    assert (again.reason, again.detail, again.retry_after_s, again.attempts) == (Reason.RATE_LIMITED, "busy", 3.0, 2)


def test_a_fetched_file_says_where_it_came_from_without_secrets(serve: Serve, tmp_path: Path) -> None:
    server = serve(ROUTES)
    found = outcome(server.url(f"/elsewhere{QUERY}"), tmp_path, new_fetcher(policy(), world=world()).fetch)
    assert isinstance(found, Fetched)
    assert found.rights["fetched_from"] == server.url("/good")
