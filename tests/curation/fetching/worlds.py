"""Fakes for fetching: a clock that jumps, names that lead where the test wants, a guard that lets one address in."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from curation.fetching import FetchCache, Fetched, Fetcher, FetcherFamily, FetchError, World
from curation.fetching.guard import public_only
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason

NAMES = {"videos.test": ["127.0.0.1"], "inside.test": ["10.0.0.7"], "mixed.test": ["127.0.0.1", "169.254.169.254"]}


@dataclass
class JumpingClock:
    """A clock that stands still but for sleeps, which it remembers."""

    at_s: float = 1000.0
    slept: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def now_s(self) -> float:
        return self.at_s

    def epoch_s(self) -> float:
        return 1_800_000_000.0 + self.at_s

    def sleep(self, seconds: float) -> None:
        if seconds > 0.0:
            with self.lock:
                self.slept.append(round(seconds, 6))
                self.at_s += seconds


class NoJitter(random.Random):
    """Always the longest wait."""

    def uniform(self, a: float, b: float) -> float:
        return b


def resolve(host: str, port: int, seconds: float) -> list[str]:
    """Return the address of a name of the test."""
    if host not in NAMES:
        raise OSError("no such name")
    return NAMES[host]


def only_the_test_host(numeric: str) -> str:
    """Let the test's own server in, and of the rest what is public."""
    return "" if numeric == "127.0.0.1" else public_only(numeric)


def world(**parts: Any) -> World:
    """Return a world with a jumping clock, to be changed in parts."""
    usual = {"clock": JumpingClock(), "resolve": resolve, "guard": only_the_test_host, "chance": NoJitter()}
    return World(**{**usual, **parts})


def policy(**parts: Any) -> FetchPolicy:
    """Return a policy that asks for no rules of hosts and waits little, to be changed in parts."""
    rights = {"robots": False, "aipref": False, "tdm_reservation": False, "because": "the test's own host"}
    usual = {"rights": rights, "max_mb": 1, "deadline_s": 60.0, "hosts": {"per_s": 1000.0}}
    return FetchPolicy.model_validate({**usual, **parts})


def new_fetcher(policy: FetchPolicy, *, cache: FetchCache | None = None, world: World | None = None) -> Fetcher:
    """Return a fetcher of its own, for several threads."""
    return FetcherFamily(policy, cache=cache, world=world).fetcher()


def outcome(address: str, folder: Path, fetch: Callable[[str, Path], Fetched]) -> Fetched | FetchError:
    """Return what a fetch came to."""
    try:
        return fetch(address, folder)
    except FetchError as error:
        return error


def fetch(address: str, folder: Path, use: FetchPolicy | None = None, **parts: Any) -> Fetched | FetchError:
    """Return what one fetch came to, in a world of its own."""
    return outcome(address, folder, new_fetcher(use or policy(), world=world(**parts)).fetch)


def reason_of(found: Fetched | FetchError) -> Reason | None:
    """Return why there is no file; None where there is one."""
    return found.reason if isinstance(found, FetchError) else None
