"""One HTTP exchange with one checked address: nothing is pooled, nothing comes from the environment.

The standard library's client is used, and not one on top of it, because those write the address with its signature to
the log when a header is malformed.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import ssl
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from curation.fetching.base import FetchError
from curation.fetching.clock import Deadline
from curation.fetching.guard import Guard, Resolve, Target, checked_addresses
from schemas.reasons import Reason

# A host with many addresses, none of which answers, must not use the whole deadline.
ADDRESSES_TRIED = 3
# After the last promised byte: how long a server that said that it would close may take to do so.
CLOSING_S = 1.0


@dataclass(frozen=True, kw_only=True)
class Network:
    """The network as an exchange sees it; each part can be a fake.

    Attributes:
        connect_s: for a look-up and for a connection. `stall_s`: longest silence.
    """

    resolve: Resolve
    guard: Guard
    connect_s: float
    stall_s: float
    tls: ssl.SSLContext = field(default_factory=ssl.create_default_context)


class _WholeAnswer(http.client.HTTPResponse):
    """An answer whose body is read until the server closes, so that bytes beyond its Content-Length show."""

    declared: int | None = None

    def begin(self) -> None:
        super().begin()
        self.declared = self.length
        if self.will_close and not self.chunked and self.length:
            self.length = None


class _Connection(http.client.HTTPConnection):
    """A connection to an address that was checked, under the name that it was looked up by."""

    response_class = _WholeAnswer

    def __init__(self, numeric: str, target: Target, timeout_s: float, tls: ssl.SSLContext) -> None:
        super().__init__(numeric, target.port, timeout=timeout_s)
        self._target = target
        self._tls = tls

    def connect(self) -> None:
        self.sock = socket.create_connection((self.host, self.port), self.timeout)

    def secure(self) -> None:
        """Put TLS around the socket, where the scheme wants it; the certificate must be for the name."""
        if self._target.scheme == "https":
            self.sock = self._tls.wrap_socket(
                self.sock, server_hostname=self._target.host, do_handshake_on_connect=False
            )


class Exchange:
    """An answer whose head has been read and whose body has not. Close it in any case."""

    def __init__(self, target: Target, deadline: Deadline) -> None:
        self.target = target
        self._deadline = deadline
        self._closing = contextlib.ExitStack()
        self._held = contextlib.ExitStack()
        self._expired = threading.Event()
        self._socket: socket.socket | None = None
        self._answer: _WholeAnswer | None = None
        self._read_bytes = 0

    def __enter__(self) -> Exchange:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def status(self) -> int:
        """The answer's status code."""
        return self._head().status

    @property
    def headers(self) -> http.client.HTTPMessage:
        """The answer's headers."""
        return self._head().headers

    @property
    def declared_bytes(self) -> int | None:
        """What the answer says that its body will be; None where it does not."""
        return self._head().declared

    def header(self, name: str) -> str:
        """Return all values of a header, joined; empty where there is none."""
        return ", ".join(str(value) for value in self.headers.get_all(name) or ())

    def read(self, most_bytes: int) -> bytes:
        """Return what has come of the body, as it came over the wire; nothing at its end.

        Raises:
            FetchError: `stalled`, `deadline` or `connection_failed`.
        """
        answer = self._head()
        if self._read_bytes == answer.declared and answer.length is None:
            self._hurry()
        try:
            data = answer.read1(most_bytes)
        except TimeoutError as error:
            if self._read_bytes == answer.declared:
                return b""
            raise self._stalled(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._broken("reading the body", error) from error
        if not data and self._expired.is_set():
            raise self._deadline.passed()
        self._read_bytes += len(data)
        return data

    def close(self) -> None:
        """Let go of the connection and of whatever was held for it; safe to call twice."""
        self._closing.close()
        self._held.close()

    def holds(self, held: contextlib.ExitStack) -> None:
        """Keep what is let go of once the exchange is closed."""
        self._held = held

    def begin(self, numeric: str, headers: Mapping[str, str], network: Network) -> None:
        """Connect, ask and read the head of the answer."""
        timeout_s = min(network.connect_s, self._deadline.left_s())
        connection = _Connection(numeric, self.target, timeout_s, network.tls)
        self._closing.callback(connection.close)
        try:
            connection.connect()
            connection.secure()
            self._socket = connection.sock
            self._watch()
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            self._ask(connection, headers, network)
        except ssl.SSLError as error:
            raise FetchError(Reason.CONNECTION_FAILED, f"no TLS with {self.target.host}: {error.reason}") from error
        except TimeoutError as error:
            raise self._stalled(error) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._broken("asking", error) from error

    def _ask(self, connection: _Connection, headers: Mapping[str, str], network: Network) -> None:
        connection.sock.settimeout(min(network.stall_s, self._deadline.left_s()))
        connection.putrequest("GET", self.target.path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"Host": self.target.origin.partition("://")[2], "Connection": "close", **headers}.items():
            connection.putheader(name, value)
        connection.endheaders()
        answer = connection.getresponse()
        assert isinstance(answer, _WholeAnswer)
        self._closing.callback(answer.close)
        self._answer = answer

    def _watch(self) -> None:
        """Have the connection cut at the deadline: a server that drips headers never lets a single read time out."""

        def cut() -> None:
            self._expired.set()
            with contextlib.suppress(OSError):
                if self._socket is not None:
                    # not the TLS object's own: it is in use by the reading thread
                    socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

        timer = threading.Timer(self._deadline.left_s(), cut)
        timer.daemon = True
        timer.start()
        self._closing.callback(timer.cancel)

    def _hurry(self) -> None:
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.settimeout(CLOSING_S)

    def _head(self) -> _WholeAnswer:
        if self._answer is None:
            raise RuntimeError("the exchange has not begun")
        return self._answer

    def _stalled(self, error: Exception) -> FetchError:
        if self._expired.is_set():
            return self._deadline.passed()
        return FetchError(Reason.STALLED, f"{self.target.host} went silent ({type(error).__name__})")

    def _broken(self, doing: str, error: Exception) -> FetchError:
        if self._expired.is_set():
            return self._deadline.passed()
        # the error's own text may hold what the server sent, and that the address
        return FetchError(Reason.CONNECTION_FAILED, f"{doing} at {self.target.host}: {type(error).__name__}")


def open_exchange(target: Target, headers: Mapping[str, str], network: Network, deadline: Deadline) -> Exchange:
    """Ask a target and return the answer once its head is there; other addresses of the host are tried in turn.

    Raises:
        FetchError: `address_refused`, `connection_failed`, `stalled` or `deadline`.
    """
    seconds = min(network.connect_s, deadline.left_s())
    addresses = checked_addresses(target, network.resolve, network.guard, seconds)[:ADDRESSES_TRIED]
    for number, numeric in enumerate(addresses, start=1):
        exchange = Exchange(target, deadline)
        try:
            exchange.begin(numeric, headers, network)
        except BaseException as error:
            exchange.close()
            last = number == len(addresses)
            if last or not isinstance(error, FetchError) or error.reason != Reason.CONNECTION_FAILED:
                raise
        else:
            return exchange
    raise FetchError(Reason.CONNECTION_FAILED, f"{target.host} has no address")
