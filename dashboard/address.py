"""Where the page is served, and by which names it may be asked for."""

from __future__ import annotations

import ipaddress
import re
import socket
from dataclasses import dataclass, field

# What a browser leaves out of the `Host` of a request.
HTTP_PORT = 80
_HOST = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]]+)(?::([0-9]{1,5}))?")


@dataclass(frozen=True)
class Address:
    """An address that a server listens on.

    Attributes:
        host: a name, or a literal address without brackets; `0.0.0.0` and `::` are every address of this machine.
        machine: this machine's name, by which others may ask for a page that is served on every address.
    """

    host: str
    port: int
    machine: str = field(default_factory=socket.gethostname)

    @property
    def link(self) -> str:
        """The page's address for a browser on this machine."""
        bound = _literal(self.host)
        host = self.host
        if bound is not None and bound.is_unspecified:
            host = "localhost"
        elif bound is not None and bound.version == 6:
            host = f"[{bound}]"
        return f"http://{host}:{self.port}/"

    def admits(self, header: str) -> bool:
        """Return whether a request's `Host` names this address.

        A page of another site can be rebound to this address under a name of its own, but under no literal address: so
        where the page is served on every address, every literal one will do, and of names only `localhost` and the
        machine's own.
        """
        match = _HOST.fullmatch(header)
        if match is None or int(match[2] or HTTP_PORT) != self.port:
            return False
        asked, bound = _literal(match[1].strip("[]")), _literal(self.host)
        if asked is None:
            return match[1].lower() in self._names(bound)
        if bound is None:
            return asked.is_loopback and self.host.lower() == "localhost"
        return bound.is_unspecified or asked == bound

    def _names(self, bound: _Literal | None) -> set[str]:
        if bound is None:
            return {self.host.lower()}
        if bound.is_unspecified:
            return {"localhost", self.machine.lower()}
        return {"localhost"} if bound.is_loopback else set()


_Literal = ipaddress.IPv4Address | ipaddress.IPv6Address


def _literal(host: str) -> _Literal | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None
