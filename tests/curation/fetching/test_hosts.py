"""The pace of a host, and what happens when it stops answering."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from curation.fetching import FetchError, HostBrokenError
from curation.fetching.clock import Deadline, SystemClock
from curation.fetching.hosts import Hosts
from schemas.fetching import HostLimits
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import JumpingClock, new_fetcher, outcome, policy, reason_of, world

LIMITS = HostLimits(at_once=2, per_s=10.0, breaker_window=10, breaker_share=0.9, breaker_cool_s=60.0)


def hosts(clock: JumpingClock | None = None) -> tuple[Hosts, JumpingClock]:
    clock = clock or JumpingClock()
    return Hosts(LIMITS, clock), clock


def tell_all(table: Hosts, name: str, outcomes: list[Reason | None]) -> None:
    for one in outcomes:
        table.tell(name, one)


def test_requests_to_one_host_are_spaced_and_others_do_not_wait() -> None:
    table, clock = hosts()
    deadline = Deadline(clock, 60.0)
    for _ in range(3):
        with table.turn("a.test", deadline):
            pass
    assert clock.slept == [0.1, 0.1]
    with table.turn("b.test", deadline):
        pass
    assert clock.slept == [0.1, 0.1]


def test_waiting_for_a_turn_does_not_use_up_the_deadline() -> None:
    table, clock = hosts()
    deadline = Deadline(clock, 0.25)
    for _ in range(10):
        with table.turn("a.test", deadline):
            deadline.left_s()
    assert clock.at_s == pytest.approx(1000.9)


def test_a_host_that_asks_for_peace_gets_it_within_the_deadline() -> None:
    table, clock = hosts()
    table.pause("a.test", 30.0)
    with table.turn("a.test", Deadline(clock, 60.0)):
        assert clock.at_s == 1030.0
    table.pause("a.test", 100.0)
    with pytest.raises(FetchError) as found, table.turn("a.test", Deadline(clock, 60.0)):
        pass
    assert (found.value.reason, found.value.retry_after_s) == (Reason.RATE_LIMITED, 100.0)


def test_no_more_than_so_many_are_open_at_once(serve: Serve, tmp_path: Path) -> None:
    def slowly(asked: host.Asked) -> None:
        asked.server.let_go.wait(0.05)
        host.whole(asked)

    server = serve({"/video": slowly})
    use = policy(hosts={"at_once": 2, "per_s": 1000.0})
    fetcher = new_fetcher(use, world=world(clock=SystemClock()))
    folders = [tmp_path / str(number) for number in range(8)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda folder: outcome(server.url("/video"), folder, fetcher.fetch), folders))
    assert {reason_of(one) for one in found} == {None}
    assert server.most_open == 2


def test_places_are_given_back_after_every_kind_of_end(serve: Serve, tmp_path: Path) -> None:
    routes = {"/404": host.status(404), "/reset": host.reset, "/loop": host.leads_to("/loop"), "/bomb": host.gzip_bomb}
    server = serve({**routes, "/video": host.good()})
    fetcher = new_fetcher(policy(hosts={"at_once": 1, "per_s": 1000.0}, retries={"attempts": 1}), world=world())
    for path in routes:
        assert reason_of(outcome(server.url(path), tmp_path, fetcher.fetch)) is not None
    done = threading.Event()
    thread = threading.Thread(target=lambda: (fetcher.fetch(server.url("/video"), tmp_path), done.set()), daemon=True)
    thread.start()
    assert done.wait(5.0)


BREAKS = {
    "a host that worked and now forbids everything": ([None] + [Reason.FORBIDDEN] * 10, 9),
    "a host that worked and now fails nine times of ten": (
        [None] * 3 + [Reason.SERVER_ERROR] * 5 + [Reason.GONE] + [Reason.SERVER_ERROR] * 4,
        12,
    ),
    "a host of which many videos are gone": ([None] + [Reason.GONE] * 40, None),
    "a host that fails for several causes": ([None] + [Reason.SERVER_ERROR, Reason.STALLED] * 20, None),
    "a host that fails half of the time": ([None, Reason.SERVER_ERROR] * 20, None),
    "a host that never worked": ([Reason.FORBIDDEN] * 40, None),
}


@pytest.mark.parametrize("name", BREAKS)
def test_a_jump_in_one_cause_stops_the_job(name: str) -> None:
    outcomes, stops_at = BREAKS[name]
    table, _ = hosts()
    stopped = None
    for number, one in enumerate(outcomes):
        try:
            table.tell("a.test", one)
        except HostBrokenError:
            stopped = number
            break
    assert stopped == stops_at
    if stopped is not None:
        with pytest.raises(HostBrokenError):
            table.admit("a.test")
        table.admit("b.test")


def test_a_host_that_never_worked_is_not_asked_until_it_has_cooled() -> None:
    table, clock = hosts()
    tell_all(table, "dead.test", [Reason.SERVER_ERROR] * 10)
    with pytest.raises(FetchError) as found:
        table.admit("dead.test")
    assert found.value.reason == Reason.SERVER_ERROR
    clock.at_s += 61.0
    table.admit("dead.test")
    table.tell("dead.test", Reason.SERVER_ERROR)
    with pytest.raises(FetchError):
        table.admit("dead.test")
    clock.at_s += 61.0
    table.tell("dead.test", None)
    table.admit("dead.test")


def test_a_dead_network_stops_the_job_though_each_host_fails_once() -> None:
    table, _ = hosts()
    with pytest.raises(HostBrokenError):
        tell_all_hosts(table, 100)


def test_dead_hosts_among_living_ones_do_not() -> None:
    table, _ = hosts()
    for number in range(400):
        table.tell(f"{number}.test", None if number % 4 == 0 else Reason.CONNECTION_FAILED)


def tell_all_hosts(table: Hosts, count: int) -> None:
    for number in range(count):
        table.tell(f"{number}.test", Reason.CONNECTION_FAILED)


def test_a_broken_host_stops_a_fetcher_instead_of_filling_the_rejects(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/good": host.good(), "/bad": host.status(403)})
    fetcher = new_fetcher(policy(hosts={"per_s": 1000.0, "breaker_window": 5}), world=world())
    fetcher.fetch(server.url("/good"), tmp_path)
    for _ in range(4):
        assert reason_of(outcome(server.url("/bad"), tmp_path, fetcher.fetch)) == Reason.FORBIDDEN
    with pytest.raises(HostBrokenError, match="forbidden"):
        fetcher.fetch(server.url("/bad"), tmp_path)
    with pytest.raises(HostBrokenError):
        fetcher.fetch(server.url("/good"), tmp_path)
    assert server.counts["/bad"] == 5
