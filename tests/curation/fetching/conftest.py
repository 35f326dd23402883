"""A misbehaving server for each test that asks for one."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.curation.fetching.bad_host import BadServer, Route

Serve = Callable[[dict[str, Route]], BadServer]


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Start servers with the routes given; they end with the test."""
    servers: list[BadServer] = []

    def start(routes: dict[str, Route]) -> BadServer:
        servers.append(BadServer(routes))
        return servers[-1]

    yield start
    for server in servers:
        server.stop()
