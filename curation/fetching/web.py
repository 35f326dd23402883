"""Asking the web: redirects followed one checked step at a time, each at its own host's pace."""

from __future__ import annotations

import contextlib
from base64 import b64encode
from collections.abc import Callable, Mapping
from urllib.parse import quote, unquote, urljoin

from curation.fetching.base import FetchError
from curation.fetching.clock import Clock, Deadline
from curation.fetching.exchange import Exchange, Network, open_exchange
from curation.fetching.guard import Target, parse_target
from curation.fetching.hosts import Hosts
from curation.fetching.retrying import retry_after_s
from schemas.reasons import Reason

REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_FORBIDDEN = frozenset({402, 403, 451})
_LOGIN = frozenset({401, 407})
# Asked again they say the same.
_LASTING_5XX = frozenset({501, 505})
_URL_SIGNS = "%/:=&?~#+!$,;'@()*[]"
# Told of each target before it is asked; raises where it must not be.
Before = Callable[[Target], None]


class WebClient:
    """Asks for addresses; one for all threads of a worker."""

    def __init__(self, network: Network, hosts: Hosts, clock: Clock, *, user_agent: str, max_redirects: int) -> None:
        self._network = network
        self._hosts = hosts
        self._clock = clock
        self._user_agent = user_agent
        self._max_redirects = max_redirects

    def open(
        self, url: str, deadline: Deadline, headers: Mapping[str, str] | None = None, before: Before | None = None
    ) -> Exchange:
        """Return the answer at the end of an address's redirects, of whatever status; the caller closes it.

        Args:
            before: called with every target on the way, at a moment when no place at any host is held.

        Raises:
            FetchError: a step may not be taken or fails, or there are too many.
        """
        target = first = parse_target(url)
        seen: set[str] = set()
        for _ in range(self._max_redirects + 1):
            seen.add(target.origin + target.path)
            if before is not None:
                before(target)
            # Who the address logs in as is for its own host alone, whatever a redirect says.
            login = _login(first) if target.origin == first.origin else {}
            exchange = self._ask(target, deadline, {**(headers or {}), **login})
            if exchange.status not in REDIRECTS:
                return exchange
            with exchange:
                target = _next(target, exchange)
            if target.origin + target.path in seen:
                raise FetchError(Reason.REDIRECT_LOOP, f"{first.shown} leads back to itself")
        raise FetchError(Reason.REDIRECT_LOOP, f"{first.shown} is redirected more than {self._max_redirects} times")

    def _ask(self, target: Target, deadline: Deadline, headers: Mapping[str, str]) -> Exchange:
        sent = {"User-Agent": self._user_agent, "Accept": "*/*", "Accept-Encoding": "identity", **headers}
        with contextlib.ExitStack() as turn:
            turn.enter_context(self._hosts.turn(target.host, deadline))
            exchange = open_exchange(target, sent, self._network, deadline)
            exchange.holds(turn.pop_all())
        if exchange.status in (429, 503) and (wait_s := retry_after_s(exchange.header("retry-after"), self._clock)):
            self._hosts.pause(target.host, wait_s)
        return exchange

    def check_status(self, exchange: Exchange, allowed: tuple[int, ...] = (200,)) -> None:
        """Return if an answer is of an allowed status.

        Raises:
            FetchError: it is not, with the reason and the time that the host asked for.
        """
        status = exchange.status
        if status in allowed:
            return
        wait_s = retry_after_s(exchange.header("retry-after"), self._clock)
        detail = f"status {status} of {exchange.target.shown}"
        raise FetchError(_reason_of(status), detail, retry_after_s=wait_s)


def _reason_of(status: int) -> Reason:
    if status in _GONE:
        return Reason.GONE
    if status in _LOGIN:
        return Reason.LOGIN_REQUIRED
    if status in _FORBIDDEN:
        return Reason.FORBIDDEN
    if status == 429:
        return Reason.RATE_LIMITED
    if status >= 500 and status not in _LASTING_5XX:
        return Reason.SERVER_ERROR
    return Reason.BAD_ANSWER


def _next(target: Target, exchange: Exchange) -> Target:
    """Return where a redirect leads; a wrong one is refused as such, wherever it stood."""
    location = exchange.header("location")
    if not location:
        raise FetchError(Reason.BAD_ANSWER, f"status {exchange.status} of {target.shown} without a Location")
    # Servers write Latin-1, UTF-8 and spaces into it, all of them wrongly.
    encoded = quote(location.encode("latin-1", "replace"), safe=_URL_SIGNS)
    try:
        url = urljoin(target.origin + target.path, encoded)
    except ValueError:
        raise FetchError(Reason.ADDRESS_REFUSED, f"{target.shown} leads to what is no address") from None
    following = parse_target(url)
    if target.scheme == "https" and following.scheme == "http":
        raise FetchError(Reason.ADDRESS_REFUSED, f"{target.shown} leads from https back to http")
    return following


def _login(target: Target) -> dict[str, str]:
    if not target.user:
        return {}
    name, _, password = target.user.partition(":")
    word = b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode("ascii")
    return {"Authorization": f"Basic {word}"}
