"""Which addresses may be connected to: a name is looked up once, and what it came to is checked and then used.

A page or a redirect can name anything, and a name can be answered one way to a check and another way to the connection
that follows. So nothing but an address that was checked here is ever connected to.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from curation.fetching.base import FetchError
from schemas.reasons import Reason

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# (host, port, seconds) -> numeric addresses, the preferred one first
Resolve = Callable[[str, int, float], list[str]]
# numeric address -> why it may not be connected to; empty where it may
Guard = Callable[[str], str]

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)")
# Every range that the IANA special-purpose registries (RFC 6890 and its successors) do not call global. The standard
# library's `is_global` differs between patch releases of one Python version; a list does not.
_PRIVATE_V4 = tuple(
    ipaddress.IPv4Network(text)
    for text in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24"),
        *("203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    )
)
_GLOBAL_V6 = ipaddress.IPv6Network("2000::/3")
_PRIVATE_V6 = tuple(
    ipaddress.IPv6Network(text) for text in ("2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "64:ff9b:1::/48")
)
# An IPv4 address inside an IPv6 one: the network, and by how many bits it stands from the right.
_CARRIERS = (
    (ipaddress.IPv6Network("::ffff:0:0/96"), 0),
    (ipaddress.IPv6Network("64:ff9b::/96"), 0),
    (ipaddress.IPv6Network("2002::/16"), 80),
)
# Cloud metadata that does not lie in a range above.
_METADATA = frozenset({"168.63.129.16", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254"})


@dataclass(frozen=True, kw_only=True)
class Target:
    """An http(s) address taken apart and checked as far as its text goes.

    Attributes:
        path: path and query, as they go on the wire. `user`: `name:password` of the address, not to be shown.
    """

    scheme: str
    host: str
    port: int
    path: str
    user: str = ""

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = {"http": 80, "https": 443}[self.scheme]
        return f"{self.scheme}://{host}" + ("" if self.port == usual else f":{self.port}")

    @property
    def shown(self) -> str:
        """The address for people: without user, query and fragment, where secrets stand."""
        return self.origin + self.path.partition("?")[0]


def parse_target(url: str) -> Target:
    """Take an http(s) address apart.

    Raises:
        FetchError: `address_refused` for another scheme, a host in an odd notation, or a port that other services use.
    """
    if "\\" in url or any(ord(sign) <= 32 or ord(sign) >= 127 for sign in url):
        # Readers of addresses differ in what these mean, and some drop them.
        raise FetchError(Reason.ADDRESS_REFUSED, "the address holds what none may; percent-encode it")
    try:
        parts = urlsplit(url)
        port, host = parts.port, (parts.hostname or "").rstrip(".")
    except ValueError:
        raise FetchError(Reason.ADDRESS_REFUSED, "the address cannot be taken apart") from None
    if parts.scheme not in ("http", "https"):
        raise FetchError(Reason.ADDRESS_REFUSED, f"scheme is {parts.scheme!r:.40}; allowed: http, https")
    port = port if port is not None else {"http": 80, "https": 443}[parts.scheme]
    _check_host(host)
    if port not in (80, 443) and port < 1024:
        raise FetchError(Reason.ADDRESS_REFUSED, f"port is {port}; allowed: 80, 443 and from 1024 on")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    user = parts.netloc.rpartition("@")[0]
    return Target(scheme=parts.scheme, host=host, port=port, path=path, user=user)


def _check_host(host: str) -> None:
    if ":" in host:
        try:
            if ipaddress.IPv6Address(host).scope_id is not None:
                raise FetchError(Reason.ADDRESS_REFUSED, "the host names a network card")
        except ValueError:
            raise FetchError(Reason.ADDRESS_REFUSED, "the host is no IPv6 address") from None
        return
    labels = host.lower().split(".")
    if not host or len(host) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise FetchError(Reason.ADDRESS_REFUSED, f"host is {host!r:.80}; allowed: a name or a plain IP address")
    if labels[-1].isdigit() or re.fullmatch(r"0x[0-9a-f]*", labels[-1]):
        # The C library reads 127.1, 0x7f.1 and 2130706433 as addresses.
        try:
            ipaddress.IPv4Address(host)
        except ValueError:
            raise FetchError(Reason.ADDRESS_REFUSED, "the host is an IP address in an odd notation") from None


def public_only(numeric: str) -> str:
    """Return why an address may not be connected to, or an empty text: only hosts of the public internet may."""
    try:
        address: Address = ipaddress.ip_address(numeric)
    except ValueError:
        return "no plain IP address"
    if numeric in _METADATA:
        return "a cloud's own service"
    if isinstance(address, ipaddress.IPv4Address):
        return next((f"in {network}" for network in _PRIVATE_V4 if address in network), "")
    for network, shift in _CARRIERS:
        if address in network:
            inner = ipaddress.IPv4Address((int(address) >> shift) & 0xFFFFFFFF)
            return public_only(str(inner))
    if address.scope_id is not None or address not in _GLOBAL_V6:
        return f"outside {_GLOBAL_V6}"
    return next((f"in {network}" for network in _PRIVATE_V6 if address in network), "")


class SystemResolver:
    """Looks names up in the system's way, and gives up in time; the system's own call cannot be stopped."""

    def __init__(self, threads: int = 16) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="resolve")

    def __call__(self, host: str, port: int, seconds: float) -> list[str]:
        """Return the addresses of a name.

        Raises:
            OSError: there are none, or no answer came in time.
        """
        answer = self._pool.submit(socket.getaddrinfo, host, port, type=socket.SOCK_STREAM)
        found = answer.result(timeout=seconds)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))


def checked_addresses(target: Target, resolve: Resolve, guard: Guard, seconds: float) -> list[str]:
    """Return the addresses of a target, all of which may be connected to.

    Raises:
        FetchError: `connection_failed` where the name has none; `address_refused` where any may not be connected to.
    """
    try:
        ipaddress.ip_address(target.host)
        found = [target.host]
    except ValueError:
        found = _looked_up(target, resolve, seconds)
    for numeric in found:
        if why := guard(numeric):
            raise FetchError(Reason.ADDRESS_REFUSED, f"{target.host} leads to an address that is {why}")
    return found


def _looked_up(target: Target, resolve: Resolve, seconds: float) -> list[str]:
    try:
        found = resolve(target.host, target.port, seconds)
    except (OSError, TimeoutError, UnicodeError) as error:
        raise FetchError(Reason.CONNECTION_FAILED, f"no address of {target.host}: {type(error).__name__}") from error
    if not found:
        raise FetchError(Reason.CONNECTION_FAILED, f"{target.host} has no address")
    return found
