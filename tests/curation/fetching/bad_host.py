"""A web server that misbehaves on purpose, on a thread of the test, and counts what it is asked."""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
import threading
from collections import Counter
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

BODY = bytes(range(256)) * 400


class Asked(BaseHTTPRequestHandler):
    """One request; `routes` of the server say what becomes of it."""

    protocol_version = "HTTP/1.1"
    server: BadServer

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        with self.server.lock:
            self.server.counts[path] += 1
            self.server.requests.append((self.path, dict(self.headers.items())))
            self.server.open_now += 1
            self.server.most_open = max(self.server.most_open, self.server.open_now)
        try:
            self.server.routes.get(path, not_found)(self)
        except (BrokenPipeError, ConnectionResetError):
            pass
        finally:
            self.close_connection = True
            with self.server.lock:
                self.server.open_now -= 1

    @property
    def tries(self) -> int:
        """How often this path was asked for, this time included."""
        return self.server.counts[self.path.partition("?")[0]]

    def head(self, status: int = 200, **headers: object) -> None:
        """Send status and headers; `_` in a name stands for `-`."""
        self.send_response_only(status)
        for name, value in headers.items():
            for one in value if isinstance(value, list) else [value]:
                self.send_header(name.replace("_", "-"), str(one))
        self.end_headers()
        self.wfile.flush()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


Route = Callable[[Asked], None]


class BadServer(ThreadingHTTPServer):
    """The server, and what it saw."""

    daemon_threads = True

    def __init__(self, routes: dict[str, Route], tls: ssl.SSLContext | None = None) -> None:
        super().__init__(("127.0.0.1", 0), Asked)
        self.routes = routes
        self.counts: Counter[str] = Counter()
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.lock = threading.Lock()
        self.open_now = 0
        self.most_open = 0
        self.let_go = threading.Event()
        self.scheme = "http" if tls is None else "https"
        if tls is not None:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        return f"{self.scheme}://{host}:{self.port}{path}"

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that go away are what the tests are for."""

    def shutdown_request(self, request: socket.socket | tuple[bytes, socket.socket]) -> None:
        """Close at once: an orderly end of its own would hide a reset."""
        self.close_request(request)

    def stop(self) -> None:
        self.let_go.set()
        self.shutdown()
        self.server_close()


def whole(asked: Asked, body: bytes = BODY, **headers: object) -> None:
    """Answer as a good server does."""
    asked.head(**{"Content_Length": len(body), "Content_Type": "video/mp4", **headers})
    asked.wfile.write(body)


def good(**headers: object) -> Route:
    return lambda asked: whole(asked, **headers)


def text(body: str) -> Route:
    return lambda asked: whole(asked, body.encode(), Content_Type="text/plain")


def not_found(asked: Asked) -> None:
    asked.head(404, Content_Length=0)


def status(code: int, **headers: object) -> Route:
    return lambda asked: asked.head(code, **{"Content_Length": 0, **headers})


def first(count: int, bad: Route, then: Route) -> Route:
    """Misbehave so many times, and then do otherwise."""
    return lambda asked: bad(asked) if asked.tries <= count else then(asked)


def leads_to(location: str, code: int = 302) -> Route:
    return status(code, Location=location)


def drip(asked: Asked) -> None:
    """One byte every tenth of a second."""
    asked.head(Content_Length=len(BODY))
    for byte in BODY:
        asked.wfile.write(bytes([byte]))
        asked.wfile.flush()
        if asked.server.let_go.wait(0.1):
            return


def drip_head(asked: Asked) -> None:
    """A header that never ends."""
    asked.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    while not asked.server.let_go.wait(0.1):
        asked.wfile.write(b"a")
        asked.wfile.flush()


def silent(asked: Asked) -> None:
    """A head, and then nothing."""
    asked.head(Content_Length=len(BODY))
    asked.server.let_go.wait(30)


def reset(asked: Asked) -> None:
    """Half a body, and the connection torn down."""
    asked.head(Content_Length=len(BODY), Accept_Ranges="bytes", ETag='"one"')
    asked.wfile.write(BODY[: len(BODY) // 2])
    asked.wfile.flush()
    linger_not = struct.pack("ii", 1, 0)
    asked.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_not)


def cut_off(asked: Asked, tag: str = '"one"') -> None:
    """Half of what was promised, and a polite end."""
    asked.head(Content_Length=len(BODY), Accept_Ranges="bytes", ETag=tag)
    asked.wfile.write(BODY[: len(BODY) // 2])


def too_much(asked: Asked) -> None:
    """More than was promised."""
    asked.head(Content_Length=len(BODY) - 1000, Connection="close")
    asked.wfile.write(BODY)


def endless(asked: Asked) -> None:
    """No length, and no end."""
    asked.head(Connection="close")
    while not asked.server.let_go.is_set():
        asked.wfile.write(BODY)


def gzip_bomb(asked: Asked) -> None:
    """10 kB that unpack to 10 MB."""
    packed = gzip.compress(bytes(10_000_000))
    whole(asked, packed, Content_Encoding="gzip")


def packed(asked: Asked) -> None:
    """A body in an encoding that was not asked for."""
    whole(asked, gzip.compress(BODY), Content_Encoding="gzip")


def ranged(asked: Asked, tag: str = '"one"', body: bytes = BODY) -> None:
    """Answer as RFC 9110 has it, with the rest of the file or all of it."""
    wanted = asked.headers.get("Range")
    if wanted is None or asked.headers.get("If-Range") != tag:
        whole(asked, body, Accept_Ranges="bytes", ETag=tag)
        return
    start = int(wanted.removeprefix("bytes=").rstrip("-"))
    rest = body[start:]
    place = f"bytes {start}-{len(body) - 1}/{len(body)}"
    asked.head(206, Content_Length=len(rest), Content_Range=place, ETag=tag)
    asked.wfile.write(rest)


def wrong_range(asked: Asked) -> None:
    """Another part of the file than was asked for."""
    asked.head(206, Content_Length=10, Content_Range=f"bytes 0-9/{len(BODY)}", ETag='"one"')
    asked.wfile.write(BODY[:10])
