from __future__ import annotations

import threading

import pytest

from curation.background import Background


def test_work_is_done_in_its_order_on_another_thread_and_to_its_end() -> None:
    done: list[tuple[int, bool]] = []
    here = threading.get_ident()
    with Background(behind=2) as background:
        for place in range(50):
            background.do(lambda place: done.append((place, threading.get_ident() == here)), place)
    assert done == [(place, False) for place in range(50)]


def fail() -> None:
    raise OSError("no clip")


def test_what_fails_there_is_raised_here() -> None:
    with pytest.raises(OSError, match="no clip"), Background() as background:
        background.do(fail)


def test_a_failure_is_raised_while_more_work_is_given() -> None:
    given: list[int] = []
    with pytest.raises(OSError, match="no clip"), Background(behind=3) as background:
        background.do(fail)
        for place in range(100):
            given.append(place)
            background.do(int)
    assert len(given) < 10


def test_no_more_than_a_few_pieces_wait() -> None:
    gate, most = threading.Semaphore(0), []
    with Background(behind=2) as background:
        for _ in range(2):
            background.do(gate.acquire)
        feeder = threading.Thread(target=lambda: (background.do(gate.acquire), most.append("let in")))
        feeder.start()
        feeder.join(0.2)
        assert feeder.is_alive() and most == [], "the third has to wait for the first"
        gate.release(3)
        feeder.join(10)
    assert most == ["let in"]


def test_an_error_of_the_caller_wins_and_leaves_no_thread() -> None:
    before = threading.active_count()
    with pytest.raises(ValueError, match="mine"), Background() as background:
        background.do(fail)
        raise ValueError("mine")
    assert threading.active_count() == before
