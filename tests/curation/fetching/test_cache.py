"""One fetch per video, however many ask, in one process or several."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from curation.fetching import FetchCache, Fetched, FetchError
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import new_fetcher, outcome, policy, reason_of, world


class Counting:
    """Writes the address as the file, and counts; may be held up, and may fail."""

    def __init__(self, error: FetchError | None = None) -> None:
        self.asked: list[str] = []
        self.go = threading.Event()
        self.go.set()
        self.error = error

    def fetch(self, address: str, folder: Path) -> Fetched:
        self.asked.append(address)
        assert self.go.wait(5.0)
        if self.error is not None:
            raise self.error
        path = folder / "fetched"
        path.write_text(address)
        digest = hashlib.sha256(address.encode()).hexdigest()
        return Fetched(path=path, bytes=len(address), sha256=digest, is_copy=True, rights={"robots": "allowed"})


def folder(parent: Path, name: str) -> Path:
    path = parent / name
    path.mkdir()
    return path


def test_a_second_ask_gets_the_same_file_in_its_own_folder(tmp_path: Path) -> None:
    cache, fetcher = FetchCache(tmp_path / "cache"), Counting()
    one = cache.fetch("https://a.test/v", folder(tmp_path, "one"), fetcher)
    one.path.unlink()
    two = cache.fetch("https://a.test/v", folder(tmp_path, "two"), fetcher)
    assert fetcher.asked == ["https://a.test/v"]
    assert two.path.parent.name == "two"
    assert (two.path.read_text(), two.bytes, two.sha256) == ("https://a.test/v", one.bytes, one.sha256)
    assert (two.is_copy, two.rights) == (True, {"robots": "allowed"})


def test_addresses_that_differ_in_signature_alone_are_one(tmp_path: Path) -> None:
    cache, fetcher = FetchCache(tmp_path / "cache"), Counting()
    signed = "id=1&AWSAccessKeyId=k&Expires=9&Signature=a", "id=1&Policy=p&Signature=b&Key-Pair-Id=k"
    for number, query in enumerate(signed):
        address = f"https://{'me:pw@' if number else ''}a.test/v?{query}"
        cache.fetch(address, folder(tmp_path, str(number)), fetcher)
    cache.fetch("https://a.test/v?id=2", folder(tmp_path, "other"), fetcher)
    assert len(fetcher.asked) == 2


def test_threads_that_ask_at_once_wait_for_the_first(tmp_path: Path) -> None:
    cache, fetcher = FetchCache(tmp_path / "cache"), Counting()
    fetcher.go.clear()
    folders = [folder(tmp_path, str(number)) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        found = [pool.submit(cache.fetch, "https://a.test/v", one, fetcher) for one in folders]
        fetcher.go.set()
        texts = [one.result(5.0).path.read_text() for one in found]
    assert texts == ["https://a.test/v"] * 6
    assert len(fetcher.asked) == 1


HOLD = """
import fcntl, sys
claim = open(sys.argv[1], "ab")
fcntl.flock(claim, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""


def test_another_process_is_waited_for_and_a_dead_one_is_not(tmp_path: Path) -> None:
    cache, fetcher = FetchCache(tmp_path / "cache"), Counting()
    cache.fetch("https://a.test/v", folder(tmp_path, "one"), fetcher)
    (claim,) = (tmp_path / "cache").glob("*.claim")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(claim)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None and process.stdout is not None
    assert process.stdout.readline() == "held\n"
    done = threading.Event()
    second = folder(tmp_path, "two")
    thread = threading.Thread(target=lambda: (cache.fetch("https://a.test/v", second, fetcher), done.set()))
    thread.start()
    assert not done.wait(0.2)
    process.kill()
    assert done.wait(5.0)
    thread.join()
    process.wait()
    process.stdin.close()
    process.stdout.close()


SPOILED = {
    "other bytes of the same length": lambda path: path.write_text("https://a.test/w"),
    "cut off": lambda path: path.write_text("https://"),
    "gone": lambda path: path.unlink(),
}


@pytest.mark.parametrize("name", SPOILED)
def test_an_entry_that_is_not_what_was_written_is_fetched_again(name: str, tmp_path: Path) -> None:
    fetcher = Counting()
    FetchCache(tmp_path / "cache").fetch("https://a.test/v", folder(tmp_path, "one"), fetcher)
    (file,) = (tmp_path / "cache").glob("*.file")
    SPOILED[name](file)
    found = FetchCache(tmp_path / "cache").fetch("https://a.test/v", folder(tmp_path, "two"), fetcher)
    assert found.path.read_text() == "https://a.test/v"
    assert len(fetcher.asked) == 2


def test_an_entry_without_its_facts_is_fetched_again(tmp_path: Path) -> None:
    fetcher = Counting()
    cache = FetchCache(tmp_path / "cache")
    cache.fetch("https://a.test/v", folder(tmp_path, "one"), fetcher)
    (entry,) = (tmp_path / "cache").glob("*.json")
    entry.write_text('{"bytes": 1')
    cache.fetch("https://a.test/v", folder(tmp_path, "two"), fetcher)
    assert len(fetcher.asked) == 2


@pytest.mark.parametrize(("reason", "again"), [(Reason.GONE, 1), (Reason.DEADLINE, 2), (Reason.FORBIDDEN, 2)])
def test_a_failure_is_told_again_until_a_run_forgets_those_that_may_pass(
    reason: Reason, again: int, tmp_path: Path
) -> None:
    cache = FetchCache(tmp_path / "cache")
    fetcher = Counting(FetchError(reason, "so it is", attempts=3))
    for name in ("one", "two"):
        with pytest.raises(FetchError) as found:
            cache.fetch("https://a.test/v", folder(tmp_path, name), fetcher)
        assert (found.value.reason, found.value.detail, found.value.attempts) == (reason, "so it is", 3)
    assert len(fetcher.asked) == 1
    cache.forget_failures()
    with pytest.raises(FetchError):
        cache.fetch("https://a.test/v", folder(tmp_path, "three"), fetcher)
    assert len(fetcher.asked) == again


def test_what_was_used_longest_ago_is_thrown_out(tmp_path: Path) -> None:
    cache, fetcher = FetchCache(tmp_path / "cache", max_bytes=40), Counting()
    for number, name in enumerate(("v1", "v2", "v1", "v3")):
        found = cache.fetch(f"https://a.test/{name}", folder(tmp_path, str(number)), fetcher)
        assert found.path.read_text() == f"https://a.test/{name}"
    assert sum(path.stat().st_size for path in (tmp_path / "cache").glob("*.file")) == 34
    cache.fetch("https://a.test/v1", folder(tmp_path, "again"), fetcher)
    assert fetcher.asked == [f"https://a.test/{name}" for name in ("v1", "v2", "v3")]


def test_clearing_leaves_nothing(tmp_path: Path) -> None:
    cache, fetcher = FetchCache(tmp_path / "cache"), Counting()
    cache.fetch("https://a.test/v", folder(tmp_path, "one"), fetcher)
    cache.clear()
    assert not (tmp_path / "cache").exists()
    cache.fetch("https://a.test/v", folder(tmp_path, "two"), fetcher)


def test_a_fetcher_with_a_cache_asks_the_host_once(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video": host.good(), "/gone": host.status(404)})
    fetcher = new_fetcher(policy(), cache=FetchCache(tmp_path / "cache"), world=world())
    for name in ("one", "two", "three"):
        place = folder(tmp_path, name)
        assert fetcher.fetch(server.url("/video"), place).path.read_bytes() == host.BODY
        assert reason_of(outcome(server.url("/gone"), place, fetcher.fetch)) == Reason.GONE
    assert server.counts == {"/video": 1, "/gone": 1}
