"""https: the certificate must be for the name that was asked for, although the connection goes to a checked number."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from curation.fetching import Fetched, FetchError
from curation.fetching.clock import SystemClock
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.worlds import fetch, policy, reason_of


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def secure(authority: trustme.CA) -> Iterator[host.BadServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("videos.test").configure_cert(context)
    routes = {"/video": host.good(), "/down": host.leads_to("http://videos.test/"), "/drip": host.drip}
    server = host.BadServer(routes, tls=context)
    yield server
    server.stop()


def trusting(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def test_a_certificate_for_the_name_is_taken(secure: host.BadServer, authority: trustme.CA, tmp_path: Path) -> None:
    found = fetch(secure.url("/video", "videos.test"), tmp_path, tls=trusting(authority))
    assert isinstance(found, Fetched), found
    assert found.path.read_bytes() == host.BODY


def test_a_certificate_for_another_name_is_not(secure: host.BadServer, authority: trustme.CA, tmp_path: Path) -> None:
    other = {"other.test": ["127.0.0.1"]}
    found = fetch(
        secure.url("/video", "other.test"),
        tmp_path,
        tls=trusting(authority),
        resolve=lambda name, port, seconds: other[name],
    )
    assert reason_of(found) == Reason.CONNECTION_FAILED


def test_a_certificate_of_nobody_known_is_not(secure: host.BadServer, tmp_path: Path) -> None:
    found = fetch(secure.url("/video", "videos.test"), tmp_path)
    assert isinstance(found, FetchError)
    assert found.reason == Reason.CONNECTION_FAILED
    assert secure.counts["/video"] == 0


def test_a_redirect_back_to_http_is_not_followed(secure: host.BadServer, authority: trustme.CA, tmp_path: Path) -> None:
    found = fetch(secure.url("/down", "videos.test"), tmp_path, tls=trusting(authority))
    assert reason_of(found) == Reason.ADDRESS_REFUSED


def test_the_deadline_holds_under_tls_too(secure: host.BadServer, authority: trustme.CA, tmp_path: Path) -> None:
    use = policy(deadline_s=0.7, stall_s=5.0)
    found = fetch(secure.url("/drip", "videos.test"), tmp_path, use, tls=trusting(authority), clock=SystemClock())
    assert reason_of(found) == Reason.DEADLINE
