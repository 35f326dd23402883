"""The policy refuses what makes no sense, and says so; new_fetcher sends each address to the part that knows it."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from curation.fetching import FetcherFamily, Reach
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import fetch, new_fetcher, only_the_test_host, outcome, policy, reason_of, world

REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "robots off without a right": ({"rights": {"robots": False}}, "because"),
    "keys of a profile and none": ({"buckets": {"s3_profile": "films", "s3_anonymous": True}}, "leave one out"),
    "a blank right": ({"rights": {"aipref": False, "because": " "}}, "because"),
    "the generic extractor": ({"sites": {"extractors": ["generic"]}}, "generic"),
    "all extractors": ({"sites": {"extractors": ["all"]}}, "one extractor"),
    "a pattern of extractors": ({"sites": {"extractors": [".*"]}}, "one extractor"),
    "a host with a scheme": ({"sites": {"hosts": ["https://a.test"]}}, "without scheme"),
    "an agent with a space": ({"agent": "a b"}, "agent"),
    "a contact on two lines": ({"contact": "a@b.test\r\nX: y"}, "contact"),
    "an endpoint with keys": ({"buckets": {"s3_endpoint": "http://key:secret@s3.test"}}, "user info"),
    "no attempts": ({"retries": {"attempts": 0}}, "attempts"),
    "an unknown key": ({"proxy": "http://a.test"}, "proxy"),
    "an unknown scheme": ({"schemes": ["ftp"]}, "schemes"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_makes_no_sense_is_refused(name: str) -> None:
    parts, word = REFUSED[name]
    with pytest.raises(ValidationError, match=word):
        FetchPolicy.model_validate(parts)


def test_a_policy_travels_to_workers() -> None:
    use = policy(contact="data@example.org")
    assert pickle.loads(pickle.dumps(use)) == use


def test_a_local_path_is_used_in_place(tmp_path: Path) -> None:
    path = tmp_path / "-odd name.mp4"
    path.write_bytes(b"abc")
    found = new_fetcher(policy(), world=world()).fetch(str(path), tmp_path / "nowhere")
    assert (found.path, found.bytes, found.is_copy, found.sha256) == (path, 3, False, None)


@pytest.mark.parametrize("address", ["video.mp4", "ftp://a.test/v", "file:///etc/passwd", "zip::http://a.test/v", ""])
def test_an_address_of_another_kind_is_refused(address: str, tmp_path: Path) -> None:
    assert reason_of(fetch(address, tmp_path)) == Reason.ADDRESS_REFUSED


@pytest.mark.parametrize(
    ("address", "schemes"),
    [("/etc/hostname", ("https",)), ("tar:/some.tar!x", ("https",)), ("http://a.test/v", ("https", "file"))],
)
def test_a_scheme_that_is_left_out_is_refused(address: str, schemes: tuple[str, ...], tmp_path: Path) -> None:
    assert reason_of(fetch(address, tmp_path, policy(schemes=schemes))) == Reason.ADDRESS_REFUSED


def test_sources_of_one_worker_share_the_rules_of_hosts_but_not_their_policies(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/robots.txt": host.text("User-agent: *\nDisallow: /"), "/video": host.good()})
    strict = policy(rights={})
    family = FetcherFamily(strict, world=world())
    lenient = policy(rights={"robots": False, "because": "our own host"})
    assert reason_of(outcome(server.url("/video"), tmp_path, family.fetcher().fetch)) == Reason.ROBOTS
    assert reason_of(outcome(server.url("/video"), tmp_path, family.fetcher(lenient).fetch)) is None
    assert server.counts["/robots.txt"] == 1


def test_what_a_job_may_reach_travels_to_its_workers(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video": host.good()})
    found = {}
    for name, reach in {"by default": Reach(), "the tests'": Reach(guard=only_the_test_host, site_module="x")}.items():
        arrived = pickle.loads(pickle.dumps(reach))
        assert arrived == reach
        own = arrived.world()
        assert tuple(own.site_command)[1:] == ("-m", reach.site_module)
        found[name] = reason_of(outcome(server.url("/video"), tmp_path, new_fetcher(policy(), world=own).fetch))
    assert found == {"by default": Reason.ADDRESS_REFUSED, "the tests'": None}
