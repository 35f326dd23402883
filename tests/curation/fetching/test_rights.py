"""What hosts say of the use of their files is asked for and honoured before a body is fetched, and is recorded."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from curation.fetching import Fetched, FetchError
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import JumpingClock, fetch, new_fetcher, outcome, policy, reason_of, world

ALL_ON: dict[str, Any] = {}
OFF = {"because": "we hold the rights"}
ROBOTS = {
    "forbids everyone": ("User-agent: *\nDisallow: /", Reason.ROBOTS),
    "forbids us by name": ("User-agent: Clipstrata\nDisallow: /videos\n\nUser-agent: *\nAllow: /", Reason.ROBOTS),
    "forbids another": ("User-agent: otherbot\nDisallow: /", None),
    "allows us, and nobody else": ("User-agent: clipstrata\nAllow: /\n\nUser-agent: *\nDisallow: /", None),
    "forbids by a pattern": ("User-agent: *\nDisallow: /*.mp4$", Reason.ROBOTS),
    "allows the longer path": ("User-agent: *\nDisallow: /videos\nAllow: /videos/one", None),
    "is no robots.txt": ("<!doctype html><p>welcome", None),
    "starts with a byte order mark": ("\ufeffUser-agent: *\nDisallow: /", Reason.ROBOTS),
    "refuses training": ("User-agent: *\nAllow: /\nContent-Usage: train-ai=n", Reason.OPTED_OUT),
    "refuses training elsewhere": ("User-agent: *\nContent-Usage: /texts/ train-ai=n", None),
    "allows training here": ("User-agent: *\nContent-Usage: train-ai=n\nContent-Usage: /videos/ train-ai=y", None),
    "refuses training by the older spelling": ("Content-Signal: search=yes, ai-train=no", Reason.OPTED_OUT),
    "refuses what is not our use": ("User-agent: *\nContent-Usage: search=n", None),
}


def use(**rights: Any) -> FetchPolicy:
    return policy(rights=rights)


@pytest.mark.parametrize("name", ROBOTS)
def test_robots_txt_is_honoured(name: str, serve: Serve, tmp_path: Path) -> None:
    text, reason = ROBOTS[name]
    server = serve({"/robots.txt": host.text(text), "/videos/one.mp4": host.good()})
    found = fetch(server.url("/videos/one.mp4"), tmp_path, use())
    assert reason_of(found) == reason, found
    assert server.counts["/videos/one.mp4"] == (1 if reason is None else 0)
    if isinstance(found, Fetched):
        assert found.rights["robots"] == "allowed"


NO_ROBOTS = {
    "there is none": (host.status(404), None),
    "it is not for us": (host.status(403), None),
    "the host is down": (host.status(503), Reason.ROBOTS_UNKNOWN),
    "the host is busy": (host.status(429), Reason.ROBOTS_UNKNOWN),
    "it breaks off": (host.cut_off, Reason.ROBOTS_UNKNOWN),
    "the connection breaks": (host.reset, Reason.ROBOTS_UNKNOWN),
    "it leads inside": (host.leads_to("http://inside.test/robots.txt"), Reason.ADDRESS_REFUSED),
    "it leads in a circle": (host.leads_to("/robots.txt"), Reason.ROBOTS_UNKNOWN),
    "it leads to one that forbids": (host.leads_to("/other.txt"), Reason.ROBOTS),
    "it was down for a moment": (host.first(2, host.status(503), host.text("User-agent: *\nAllow: /")), None),
}


@pytest.mark.parametrize("name", NO_ROBOTS)
def test_a_missing_robots_txt_allows_and_an_unreadable_one_forbids(name: str, serve: Serve, tmp_path: Path) -> None:
    route, reason = NO_ROBOTS[name]
    server = serve({"/robots.txt": route, "/other.txt": host.text("User-agent: *\nDisallow: /"), "/video": host.good()})
    found = fetch(server.url("/video"), tmp_path, use())
    assert reason_of(found) == reason, found
    assert server.counts["/video"] == (1 if reason is None else 0)


TDM = {
    "all reserved": ('[{"location": "/", "tdm-reservation": 1}]', Reason.OPTED_OUT),
    "reserved with a licence to be asked for": (
        '[{"location": "/", "tdm-reservation": 1, "tdm-policy": "https://example.org/policy"}]',
        Reason.OPTED_OUT,
    ),
    "nothing reserved": ('[{"location": "/", "tdm-reservation": 0}]', None),
    "another folder reserved": ('[{"location": "/texts/", "tdm-reservation": 1}]', None),
    "the first rule that fits": (
        '[{"location": "/video", "tdm-reservation": 0}, {"location": "/", "tdm-reservation": 1}]',
        None,
    ),
    "by a pattern": ('[{"location": "*.mp4$", "tdm-reservation": 1}]', Reason.OPTED_OUT),
    "no JSON": ("<html>", None),
    "JSON of another kind": ('{"hello": [1]}', None),
    "one rule without a list": ('{"location": "/", "tdm-reservation": 1}', Reason.OPTED_OUT),
}


@pytest.mark.parametrize("name", TDM)
def test_a_tdm_reservation_is_honoured(name: str, serve: Serve, tmp_path: Path) -> None:
    text, reason = TDM[name]
    server = serve({"/.well-known/tdmrep.json": host.text(text), "/video.mp4": host.good()})
    found = fetch(server.url("/video.mp4"), tmp_path, use())
    assert reason_of(found) == reason, found
    assert server.counts["/video.mp4"] == (1 if reason is None else 0)


HEADERS = {
    "noai": ({"X_Robots_Tag": "noai"}, Reason.OPTED_OUT),
    "noimageai among others": ({"X_Robots_Tag": "noarchive, NoImageAI"}, Reason.OPTED_OUT),
    "noml in a second header": ({"X_Robots_Tag": ["nosnippet", "noml"]}, Reason.OPTED_OUT),
    "none": ({"X_Robots_Tag": "none"}, Reason.OPTED_OUT),
    "for us": ({"X_Robots_Tag": "clipstrata: noai"}, Reason.OPTED_OUT),
    "for another": ({"X_Robots_Tag": "otherbot: noai, noindex"}, None),
    "a word that does not concern us": ({"X_Robots_Tag": "nosnippet, max-video-preview: 10"}, None),
    "after a word with a value": ({"X_Robots_Tag": "max-snippet: 20, noai"}, Reason.OPTED_OUT),
    "tdm-reservation": ({"TDM_Reservation": "1"}, Reason.OPTED_OUT),
    "no tdm-reservation": ({"TDM_Reservation": "0"}, None),
    "Content-Usage": ({"Content_Usage": "search=y, train-ai=n"}, Reason.OPTED_OUT),
    "Content-Usage as a boolean": ({"Content_Usage": "train-ai=?0"}, Reason.OPTED_OUT),
    "Content-Usage that allows": ({"Content_Usage": "train-ai=y"}, None),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_are_honoured_before_the_body(name: str, serve: Serve, tmp_path: Path) -> None:
    headers, reason = HEADERS[name]
    server = serve({"/video": host.good(**headers)})
    found = fetch(server.url("/video"), tmp_path, use())
    assert reason_of(found) == reason, found
    assert (tmp_path / "fetched").exists() == (reason is None)
    if isinstance(found, Fetched):
        name, value = next(iter(headers.items()))
        assert found.rights[name.replace("_", "-").lower()] == value


SWITCHES = {
    "robots": ({"/robots.txt": host.text("User-agent: *\nDisallow: /")}, {}),
    "x_robots_tag": ({}, {"X_Robots_Tag": "noai"}),
    "tdm_reservation": (
        {"/.well-known/tdmrep.json": host.text('[{"location": "/", "tdm-reservation": 1}]')},
        {"TDM_Reservation": "1"},
    ),
    "aipref": ({"/robots.txt": host.text("User-agent: *\nContent-Usage: ai=n")}, {"Content_Usage": "tdm=n"}),
}


@pytest.mark.parametrize("name", SWITCHES)
def test_who_has_the_rights_may_switch_a_wish_off_and_that_is_recorded(name: str, serve: Serve, tmp_path: Path) -> None:
    routes, headers = SWITCHES[name]
    server = serve({**routes, "/video": host.good(**headers)})
    assert isinstance(fetch(server.url("/video"), tmp_path, use()), FetchError)
    found = fetch(server.url("/video"), tmp_path, use(**OFF, **{name: False}))
    assert isinstance(found, Fetched), found
    assert (found.rights["not_heeded"], found.rights["not_heeded_because"]) == (name, "we hold the rights")


def test_the_rules_of_a_host_are_read_once_a_day(serve: Serve, tmp_path: Path) -> None:
    clock = JumpingClock()
    server = serve({"/robots.txt": host.text("User-agent: *\nAllow: /"), "/video": host.good()})
    fetcher = new_fetcher(use(), world=world(clock=clock))
    for _ in range(3):
        fetcher.fetch(server.url("/video"), tmp_path)
    assert (server.counts["/robots.txt"], server.counts["/.well-known/tdmrep.json"]) == (1, 1)
    clock.at_s += 86_401.0
    fetcher.fetch(server.url("/video"), tmp_path)
    assert server.counts["/robots.txt"] == 2


def test_a_redirect_to_another_host_asks_that_host_too(serve: Serve, tmp_path: Path) -> None:
    other = serve({"/robots.txt": host.text("User-agent: *\nDisallow: /"), "/video": host.good()})
    server = serve({"/video": host.leads_to(other.url("/video", "videos.test"))})
    assert reason_of(fetch(server.url("/video"), tmp_path, use())) == Reason.ROBOTS
    assert other.counts["/video"] == 0


def test_a_crawl_delay_slows_the_host_down(serve: Serve, tmp_path: Path) -> None:
    clock = JumpingClock()
    server = serve({"/robots.txt": host.text("User-agent: *\nCrawl-delay: 5"), "/video": host.good()})
    fetcher = new_fetcher(use(tdm_reservation=False, **OFF), world=world(clock=clock))
    for _ in range(3):
        assert isinstance(outcome(server.url("/video"), tmp_path, fetcher.fetch), Fetched)
    assert [seconds for seconds in clock.slept if seconds > 1.0] == [5.0, 5.0]


def test_the_licence_that_a_host_names_is_recorded(serve: Serve, tmp_path: Path) -> None:
    link = '<https://example.org/next>; rel="next", <https://creativecommons.org/licenses/by/4.0/>; rel="license"'
    server = serve({"/video": host.good(Link=link)})
    found = fetch(server.url("/video"), tmp_path, use())
    assert isinstance(found, Fetched)
    assert found.rights["licence_link"] == "https://creativecommons.org/licenses/by/4.0/"
