"""A file at an http(s) address: asked for politely, resumed where it broke off, and refused before its body is read."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from curation.fetching.base import FETCHED_NAME, Fetched, FetchError
from curation.fetching.body import BodyLimits, Partial, receive
from curation.fetching.clock import Deadline
from curation.fetching.exchange import Exchange
from curation.fetching.guard import Target, parse_target
from curation.fetching.hosts import Hosts
from curation.fetching.retrying import Retry
from curation.fetching.rights import RulesOfHosts, check_headers
from curation.fetching.web import WebClient
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason

# Pages and messages; some hosts serve videos as text/plain or octet-stream, whose bytes will tell.
PAGE_TYPES = frozenset({"text/html", "application/xhtml+xml", "application/json", "application/problem+json"})
_LOGIN_PATH = re.compile(r"(?i)/(?:log-?in|sign-?in|sso|oauth2?|auth|account/login|accounts)(?:[/.]|$)")


@dataclass(frozen=True, kw_only=True)
class WebTools:
    """What fetching from the web shares between the threads and sources of a worker."""

    client: WebClient
    hosts: Hosts
    rules: RulesOfHosts
    retry: Retry


class WebFetcher:
    """Fetches http(s) addresses."""

    def __init__(self, tools: WebTools, policy: FetchPolicy, *, max_bytes: int | None = None) -> None:
        self._tools = tools
        self._policy = policy
        self._limits = BodyLimits(
            max_bytes=policy.max_bytes if max_bytes is None else max_bytes,
            stall_s=policy.stall_s,
            min_bytes_per_s=policy.min_bytes_per_s,
        )

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return the file at an address.

        Raises:
            FetchError: there is none, or it may not be had.
            HostBrokenError: its host stopped answering as it did.
        """
        target = parse_target(address)
        partial = Partial(path=folder / FETCHED_NAME)
        deadline = Deadline(self._tools.retry.clock, self._policy.deadline_s)
        with counted(target.host, self._tools.hosts):
            try:
                rights = self._tools.retry.run(lambda: self._try(address, partial, deadline), deadline)
            except BaseException:
                partial.path.unlink(missing_ok=True)
                raise
        return Fetched(
            path=partial.path, bytes=partial.bytes, sha256=partial.sha256.hexdigest(), is_copy=True, rights=rights
        )

    def _try(self, address: str, partial: Partial, deadline: Deadline) -> dict[str, str]:
        facts: dict[str, str] = {}

        def before(target: Target) -> None:
            facts.update(self._tools.rules.check(target, self._policy.rights, deadline))

        client = self._tools.client
        with client.open(address, deadline, partial.headers(), before) as exchange:
            if exchange.status == 416:
                partial.restart()
                raise FetchError(Reason.WRONG_LENGTH, f"{exchange.target.shown} has no such range any more")
            client.check_status(exchange, (200, 206) if partial.bytes else (200,))
            shown = exchange.target.shown
            facts |= check_headers(exchange.headers, self._policy.rights, self._policy.agent, shown)
            _check_type(exchange)
            receive(exchange, partial, self._limits, self._tools.retry.clock, deadline)
        if not partial.bytes:
            raise FetchError(Reason.FILE_EMPTY, f"{shown} is 0 bytes")
        return {**facts, "fetched_from": shown}


@contextlib.contextmanager
def counted(host: str, hosts: Hosts) -> Iterator[None]:
    """Let an item go on to a host, and count what becomes of it.

    Raises:
        HostBrokenError: the host stopped answering as it did.
    """
    hosts.admit(host)
    try:
        yield
    except FetchError as error:
        hosts.tell(host, error.reason)
        raise
    hosts.tell(host, None)


def _check_type(exchange: Exchange) -> None:
    """Refuse a page where a file was asked for."""
    kind = exchange.header("content-type").partition(";")[0].strip().lower()
    if kind not in PAGE_TYPES:
        return
    shown = exchange.target.shown
    if _LOGIN_PATH.search(exchange.target.path.partition("?")[0]):
        raise FetchError(Reason.LOGIN_REQUIRED, f"{shown} is a page to log in at")
    raise FetchError(Reason.WRONG_TYPE, f"{shown} is {kind}, a page and no video")
