"""Fetching from a web server that misbehaves in every way that is known: reason, number of tries and time."""

from __future__ import annotations

import base64
import hashlib
import threading
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from curation.fetching import Fetched, FetchError
from curation.fetching.clock import SystemClock
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import JumpingClock, fetch, policy, reason_of

BODY_SHA256 = hashlib.sha256(host.BODY).hexdigest()
SHA_FIELD = base64.b64encode(hashlib.sha256(host.BODY).digest()).decode()
MD5_FIELD = base64.b64encode(hashlib.md5(host.BODY).digest()).decode()
OTHER_BODY = host.BODY[::-1]


@dataclass(frozen=True, kw_only=True)
class Case:
    """A way to misbehave, and what is to become of it: None for a file, otherwise the reason; and the tries."""

    route: host.Route
    reason: Reason | None
    tries: int


CASES = {
    "good": Case(route=host.good(), reason=None, tries=1),
    "404": Case(route=host.status(404), reason=Reason.GONE, tries=1),
    "410": Case(route=host.status(410), reason=Reason.GONE, tries=1),
    "401": Case(route=host.status(401), reason=Reason.LOGIN_REQUIRED, tries=1),
    "403": Case(route=host.status(403), reason=Reason.FORBIDDEN, tries=1),
    "451": Case(route=host.status(451), reason=Reason.FORBIDDEN, tries=1),
    "400": Case(route=host.status(400), reason=Reason.BAD_ANSWER, tries=1),
    "204, no content": Case(route=host.status(204), reason=Reason.BAD_ANSWER, tries=1),
    "429 for ever": Case(route=host.status(429), reason=Reason.RATE_LIMITED, tries=4),
    "500 for ever": Case(route=host.status(500), reason=Reason.SERVER_ERROR, tries=4),
    "501": Case(route=host.status(501), reason=Reason.BAD_ANSWER, tries=1),
    "500 twice, then well": Case(route=host.first(2, host.status(500), host.good()), reason=None, tries=3),
    "reset in mid-body, once": Case(route=host.first(1, host.reset, host.good()), reason=None, tries=2),
    "reset in mid-body, for ever": Case(route=host.reset, reason=Reason.CONNECTION_FAILED, tries=4),
    "shorter than promised": Case(route=host.cut_off, reason=Reason.WRONG_LENGTH, tries=4),
    "longer than promised": Case(route=host.too_much, reason=Reason.WRONG_LENGTH, tries=4),
    "endless": Case(route=host.endless, reason=Reason.FILE_TOO_LARGE, tries=1),
    "larger than allowed by its head": Case(
        route=host.status(200, Content_Length=2_000_000), reason=Reason.FILE_TOO_LARGE, tries=1
    ),
    "empty": Case(route=host.status(200), reason=Reason.FILE_EMPTY, tries=1),
    "gzip bomb": Case(route=host.gzip_bomb, reason=Reason.FILE_TOO_LARGE, tries=1),
    "gzip that was not asked for": Case(route=host.packed, reason=None, tries=1),
    "an unknown encoding": Case(route=host.good(Content_Encoding="br"), reason=Reason.BAD_ANSWER, tries=1),
    "gzip that is none": Case(route=host.good(Content_Encoding="gzip"), reason=Reason.BAD_ANSWER, tries=1),
    "a page": Case(route=host.good(Content_Type="text/html; charset=utf-8"), reason=Reason.WRONG_TYPE, tries=1),
    "redirect to itself": Case(route=host.leads_to("/video"), reason=Reason.REDIRECT_LOOP, tries=1),
    "redirect without a place": Case(route=host.status(302), reason=Reason.BAD_ANSWER, tries=1),
    "redirect to a metadata service": Case(
        route=host.leads_to("http://169.254.169.254/latest/meta-data/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "redirect to another loopback address": Case(
        route=host.leads_to("http://127.0.0.2:8080/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "redirect to loopback as IPv6": Case(
        route=host.leads_to("http://[::ffff:127.0.0.1]:8080/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "redirect to loopback in an odd notation": Case(
        route=host.leads_to("http://2130706433/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "redirect to a name that leads inside": Case(
        route=host.leads_to("http://inside.test/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "redirect to a name that also leads inside": Case(
        route=host.leads_to("http://mixed.test/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "redirect to a file": Case(route=host.leads_to("file:///etc/passwd"), reason=Reason.ADDRESS_REFUSED, tries=1),
    "redirect to a mail server": Case(
        route=host.leads_to("http://videos.test:25/"), reason=Reason.ADDRESS_REFUSED, tries=1
    ),
    "right SHA-256": Case(route=host.good(Repr_Digest=f"sha-256=:{SHA_FIELD}:"), reason=None, tries=1),
    "wrong SHA-256": Case(
        route=host.good(Repr_Digest=f"sha-256=:{SHA_FIELD[::-1][1:]}=:"), reason=Reason.WRONG_DIGEST, tries=4
    ),
    "right MD5": Case(route=host.good(Content_MD5=MD5_FIELD), reason=None, tries=1),
    "wrong MD5": Case(route=host.good(X_Goog_Hash=["crc32c=AAAAAA==", f"md5={MD5_FIELD[2:]}A="]), reason=None, tries=1),
}
CASES["wrong MD5"] = Case(
    route=host.good(X_Goog_Hash=["crc32c=AAAAAA==", "md5=AAAAAAAAAAAAAAAAAAAAAA=="]),
    reason=Reason.WRONG_DIGEST,
    tries=4,
)


@pytest.mark.parametrize("name", CASES)
def test_each_misbehaviour_ends_as_a_whole_file_or_its_reason(name: str, serve: Serve, tmp_path: Path) -> None:
    case = CASES[name]
    server = serve({"/video": case.route})
    began_s = time.monotonic()
    found = fetch(server.url("/video"), tmp_path)
    assert reason_of(found) == case.reason, found
    assert server.counts["/video"] == case.tries
    assert time.monotonic() - began_s < 20.0
    if isinstance(found, FetchError):
        assert found.attempts == case.tries
        assert list(tmp_path.iterdir()) == []
    else:
        assert (found.bytes, found.sha256, found.is_copy) == (len(host.BODY), BODY_SHA256, True)
        assert found.path.read_bytes() == host.BODY
        assert found.rights["fetched_from"] == server.url("/video")


SLOW = {
    "one byte at a time": (host.drip, Reason.STALLED, {"stall_s": 0.5}),
    "nothing after the head": (host.silent, Reason.STALLED, {"stall_s": 0.3}),
    "a head without end": (host.drip_head, Reason.DEADLINE, {"stall_s": 5.0, "deadline_s": 0.7}),
    "one byte at a time, to the deadline": (host.drip, Reason.DEADLINE, {"stall_s": 5.0, "deadline_s": 0.7}),
}


@pytest.mark.parametrize("name", SLOW)
def test_a_slow_host_is_left_in_time(name: str, serve: Serve, tmp_path: Path) -> None:
    route, reason, limits = SLOW[name]
    server = serve({"/video": route})
    use = policy(**{**limits, "retries": {"attempts": 1}})
    began_s = time.monotonic()
    found = fetch(server.url("/video"), tmp_path, use, clock=SystemClock())
    assert reason_of(found) == reason, found
    assert time.monotonic() - began_s < 4.5


def test_a_host_that_nobody_listens_at_is_a_failed_connection(serve: Serve, tmp_path: Path) -> None:
    server = serve({})
    server.stop()
    assert reason_of(fetch(server.url("/video"), tmp_path)) == Reason.CONNECTION_FAILED


def test_a_name_without_address_is_a_failed_connection(tmp_path: Path) -> None:
    assert reason_of(fetch("http://nowhere.test/video", tmp_path)) == Reason.CONNECTION_FAILED


def test_waits_double_and_what_the_host_asks_for_is_waited(serve: Serve, tmp_path: Path) -> None:
    clock = JumpingClock()
    server = serve({"/video": host.first(3, host.status(503), host.good())})
    assert isinstance(fetch(server.url("/video"), tmp_path, clock=clock), Fetched)
    assert [seconds for seconds in clock.slept if seconds > 0.01] == [1.0, 2.0, 4.0]

    clock = JumpingClock()
    server = serve({"/video": host.first(1, host.status(429, Retry_After=17), host.good())})
    assert isinstance(fetch(server.url("/video"), tmp_path, clock=clock), Fetched)
    assert [seconds for seconds in clock.slept if seconds > 0.01] == [17.0]


def test_a_wait_past_the_deadline_is_not_begun(serve: Serve, tmp_path: Path) -> None:
    clock = JumpingClock()
    server = serve({"/video": host.status(429, Retry_After=3600)})
    found = fetch(server.url("/video"), tmp_path, clock=clock)
    assert isinstance(found, FetchError)
    assert (found.reason, found.retry_after_s, found.attempts) == (Reason.RATE_LIMITED, 3600.0, 1)
    assert clock.at_s == 1000.0


def test_a_retry_after_may_be_a_date(serve: Serve, tmp_path: Path) -> None:
    # the fake clock stands at 2027-01-15 08:16:40 GMT
    server = serve({"/video": host.status(429, Retry_After="Fri, 15 Jan 2027 09:16:40 GMT")})
    found = fetch(server.url("/video"), tmp_path)
    assert isinstance(found, FetchError)
    assert found.retry_after_s == 3600.0


RESUMED = {
    "goes on where it broke off": (host.first(1, host.cut_off, host.ranged), host.BODY, 2, True),
    "starts anew when the file has changed": (
        host.first(1, host.cut_off, partial(host.ranged, tag='"two"', body=OTHER_BODY)),
        OTHER_BODY,
        2,
        True,
    ),
    "starts anew when the host knows no ranges": (host.first(1, host.cut_off, host.good()), host.BODY, 2, True),
    "starts anew after another range than was asked for": (
        host.first(1, host.cut_off, host.first(2, host.wrong_range, host.ranged)),
        host.BODY,
        3,
        True,
    ),
    "starts anew when the range is past the end": (
        host.first(1, host.cut_off, host.first(2, host.status(416), host.ranged)),
        host.BODY,
        3,
        True,
    ),
    "asks for no range of a weak version": (
        host.first(1, partial(host.cut_off, tag='W/"one"'), host.ranged),
        host.BODY,
        2,
        False,
    ),
}


@pytest.mark.parametrize("name", RESUMED)
def test_a_broken_download_is_resumed_or_started_anew(name: str, serve: Serve, tmp_path: Path) -> None:
    route, body, tries, ranged = RESUMED[name]
    server = serve({"/video": route})
    found = fetch(server.url("/video"), tmp_path)
    assert isinstance(found, Fetched), found
    assert found.path.read_bytes() == body
    assert found.sha256 == hashlib.sha256(body).hexdigest()
    assert server.counts["/video"] == tries
    second = server.requests[1][1]
    assert (second.get("Range"), second.get("If-Range")) == (
        (f"bytes={len(host.BODY) // 2}-", '"one"') if ranged else (None, None)
    )


def test_redirects_are_followed_up_to_the_limit(serve: Serve, tmp_path: Path) -> None:
    routes = {f"/{step}": host.leads_to(f"/{step + 1}") for step in range(6)}
    server = serve({**routes, "/6": host.good()})
    found = fetch(server.url("/1"), tmp_path)
    assert isinstance(found, Fetched)
    assert found.rights["fetched_from"] == server.url("/6")
    assert reason_of(fetch(server.url("/0"), tmp_path)) == Reason.REDIRECT_LOOP


def test_a_redirect_to_a_login_page_says_so(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video": host.leads_to("/login?next=/video"), "/login": host.good(Content_Type="text/html")})
    assert reason_of(fetch(server.url("/video"), tmp_path)) == Reason.LOGIN_REQUIRED


def test_who_the_address_logs_in_as_is_told_to_its_own_host_alone(serve: Serve, tmp_path: Path) -> None:
    other = serve({"/there": host.good()})
    server = serve({"/here": host.leads_to("/next"), "/next": host.leads_to(other.url("/there", "videos.test"))})
    address = server.url("/here").replace("://", "://me:secret@")
    assert isinstance(fetch(address, tmp_path), Fetched)
    expected = "Basic " + base64.b64encode(b"me:secret").decode()
    assert [headers.get("Authorization") for _, headers in server.requests] == [expected, expected]
    assert other.requests[0][1].get("Authorization") is None


def test_hosts_see_who_asks_and_under_which_name(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video": host.good()})
    fetch(server.url("/video", "videos.test"), tmp_path, policy(contact="data@example.org"))
    headers = server.requests[0][1]
    assert headers["User-Agent"] == "clipstrata/1.0 (+data@example.org)"
    assert headers["Host"] == f"videos.test:{server.port}"
    assert headers["Accept-Encoding"] == "identity"


def test_a_name_is_looked_up_once_for_each_connection(serve: Serve, tmp_path: Path) -> None:
    """A second look-up could be answered with an address that was not checked."""
    answers = [["127.0.0.1"], ["10.0.0.7"]]
    asked = []

    def changing(name: str, port: int, seconds: float) -> list[str]:
        asked.append(name)
        return answers[len(asked) - 1]

    server = serve({"/video": host.good()})
    assert isinstance(fetch(server.url("/video", "changing.test"), tmp_path, resolve=changing), Fetched)
    assert asked == ["changing.test"]


def test_no_thread_is_left_behind(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/good": host.good(), "/bad": host.reset, "/gone": host.status(404)})
    before = {thread.name for thread in threading.enumerate() if not thread.daemon}
    for path in ("/good", "/bad", "/gone"):
        fetch(server.url(path), tmp_path)
    after = {thread.name for thread in threading.enumerate() if not thread.daemon}
    assert after - before == set()
    timers = [thread for thread in threading.enumerate() if isinstance(thread, threading.Timer)]
    for timer in timers:
        timer.join(1.0)
    assert not any(timer.is_alive() for timer in timers)
