"""By which names a served page may be asked for."""

from __future__ import annotations

import pytest

from dashboard.address import Address

ADMITTED = {
    # bound to, port: what a browser may send
    ("127.0.0.1", 8765): ["127.0.0.1:8765", "localhost:8765", "LOCALHOST:8765"],
    ("::1", 8765): ["[::1]:8765", "[0:0:0:0:0:0:0:1]:8765", "localhost:8765"],
    ("localhost", 8765): ["localhost:8765", "127.0.0.1:8765", "[::1]:8765"],
    ("box.example", 8765): ["box.example:8765", "Box.Example:8765"],
    ("192.168.1.5", 8765): ["192.168.1.5:8765"],
    ("0.0.0.0", 8765): ["0.0.0.0:8765", "127.0.0.1:8765", "192.168.1.5:8765", "[fe80::1]:8765", "localhost:8765"],
    ("::", 8765): ["[::1]:8765", "192.168.1.5:8765", "localhost:8765", "mybox:8765", "MyBox:8765"],
    ("127.0.0.1", 80): ["127.0.0.1", "localhost", "localhost:80"],
    ("::1", 80): ["[::1]", "localhost"],
}
REFUSED = {
    ("127.0.0.1", 8765): [
        "evil.example:8765",
        "127.0.0.1",
        "127.0.0.1:80",
        "192.168.1.5:8765",
        "mybox:8765",
        "",
        ":8765",
    ],
    ("::1", 8765): ["[::1]", "::1:8765", "[::2]:8765", "127.0.0.1:8765", "evil.example:8765"],
    ("localhost", 8765): ["192.168.1.5:8765", "evil.example:8765"],
    ("box.example", 8765): ["box.example", "localhost:8765", "127.0.0.1:8765", "evil.example:8765"],
    ("192.168.1.5", 8765): ["localhost:8765", "192.168.1.6:8765", "evil.example:8765"],
    ("0.0.0.0", 8765): ["evil.example:8765", "127.0.0.1", "127.0.0.1.evil.example:8765", "x@127.0.0.1:8765"],
    ("::", 8765): ["evil.example:8765", "mybox.evil.example:8765", "[::1]:1"],
    ("127.0.0.1", 80): ["localhost:8765", "evil.example", "localhost:", "localhost:080000"],
}


def cases(table: dict[tuple[str, int], list[str]]) -> list[tuple[str, int, str]]:
    return [(host, port, header) for (host, port), headers in table.items() for header in headers]


@pytest.mark.parametrize(("host", "port", "header"), cases(ADMITTED))
def test_names_of_the_address(host: str, port: int, header: str) -> None:
    assert Address(host, port, machine="mybox").admits(header)


@pytest.mark.parametrize(("host", "port", "header"), cases(REFUSED))
def test_what_is_no_name_of_it(host: str, port: int, header: str) -> None:
    assert not Address(host, port, machine="mybox").admits(header)


@pytest.mark.parametrize(
    ("host", "link"),
    [
        ("127.0.0.1", "http://127.0.0.1:8765/"),
        ("::1", "http://[::1]:8765/"),
        ("0.0.0.0", "http://localhost:8765/"),
        ("::", "http://localhost:8765/"),
        ("box.example", "http://box.example:8765/"),
    ],
)
def test_the_link_that_is_printed(host: str, link: str) -> None:
    address = Address(host, 8765, machine="mybox")
    assert address.link == link
    assert address.admits(link.removeprefix("http://").rstrip("/"))
