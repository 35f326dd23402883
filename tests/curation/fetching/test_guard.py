"""Which addresses may be connected to: public ones, in whatever form they are written."""

from __future__ import annotations

import ipaddress
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.fetching import FetchError
from curation.fetching.guard import SystemResolver, checked_addresses, parse_target, public_only
from schemas.reasons import Reason

NOT_PUBLIC = (
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "100.127.255.255", "169.254.169.254", "169.254.170.2", "192.0.0.192", "192.0.2.1"),
    *("198.18.0.1", "198.19.255.255", "198.51.100.7", "203.0.113.9", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "168.63.129.16", "100.100.100.200", "192.88.99.1"),
    *("::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe", "::127.0.0.1", "fe80::1"),
    *("fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1", "100::1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::", "2002:a9fe:a9fe::1", "2001:0:1::1"),
    *("3fff::1", "5f00::1", "localhost", "", "127.1", "0x7f000001"),
)
PUBLIC = (
    *("8.8.8.8", "1.1.1.1", "172.32.0.1", "100.128.0.1", "192.169.0.1", "198.20.0.1", "223.255.255.255"),
    *("2606:4700::1111", "2a00:1450:4001::1", "::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::"),
)
ODD_HOSTS = {
    "one number": "http://2130706433/",
    "hexadecimal": "http://0x7f000001/",
    "hexadecimal in parts": "http://0x7f.0x0.0x0.0x1/",
    "octal": "http://0177.0.0.1/",
    "three parts": "http://127.0.1/",
    "two parts": "http://127.1/",
    "a dot at the end": "http://127.1./",
    "too large": "http://256.1.1.1/",
    "wide digits": "http://\uff11\uff12\uff17.0.0.1/",
    "no host": "http:///video",
    "user alone": "http://me@/video",
    "a space": "http://exa mple.org/",
    "percent": "http://127.0.0.1%2f.example.org/",
    "backslash": "http://example.org\\@127.0.0.1/",
    "a network card": "http://[fe80::1%25eth0]/",
    "broken brackets": "http://[::1/",
    "port out of range": "http://example.org:99999/",
    "port of another service": "http://example.org:25/",
    "scheme of another kind": "gopher://example.org/",
    "file": "file:///etc/passwd",
    "control character in the path": "http://example.org/a\x01b",
    "line end in the path": "http://example.org/a b",
}


@pytest.mark.parametrize("numeric", NOT_PUBLIC)
def test_an_address_inside_is_refused(numeric: str) -> None:
    assert public_only(numeric)


@pytest.mark.parametrize("numeric", PUBLIC)
def test_a_public_address_is_not(numeric: str) -> None:
    assert public_only(numeric) == ""


@given(st.ip_addresses(v=4))
def test_an_address_inside_another_form_is_judged_as_itself(address: ipaddress.IPv4Address) -> None:
    number = int(address)
    forms = (f"::ffff:{address}", f"64:ff9b::{address}", str(ipaddress.IPv6Address((0x2002 << 112) | (number << 80))))
    assert {bool(public_only(form)) for form in forms} == {bool(public_only(str(address)))}


@given(st.ip_addresses())
def test_what_is_let_in_is_global_by_the_standard_library_too(address: ipaddress.IPv4Address) -> None:
    if public_only(str(address)) == "" and getattr(address, "ipv4_mapped", None) is None:
        carried = isinstance(address, ipaddress.IPv6Address) and address in ipaddress.ip_network("64:ff9b::/96")
        assert address.is_global or carried


@pytest.mark.parametrize("name", ODD_HOSTS)
def test_an_odd_address_is_refused_before_any_look_up(name: str) -> None:
    with pytest.raises(FetchError) as found:
        parse_target(ODD_HOSTS[name])
    assert found.value.reason == Reason.ADDRESS_REFUSED


def test_an_address_is_shown_without_user_and_query() -> None:
    target = parse_target("https://me:pw@Videos.Example.org:8443/a/b.mp4?sig=abc#t=1")
    assert target.shown == "https://videos.example.org:8443/a/b.mp4"
    assert (target.path, target.user) == ("/a/b.mp4?sig=abc", "me:pw")


def test_one_bad_address_of_a_name_refuses_it() -> None:
    target = parse_target("http://mixed.test/")
    with pytest.raises(FetchError) as found:
        checked_addresses(target, lambda *_: ["8.8.8.8", "10.0.0.1"], public_only, 1.0)
    assert found.value.reason == Reason.ADDRESS_REFUSED


def test_a_number_is_not_looked_up() -> None:
    def never(host: str, port: int, seconds: float) -> list[str]:
        raise AssertionError("looked up")

    assert checked_addresses(parse_target("http://8.8.8.8/"), never, public_only, 1.0) == ["8.8.8.8"]


def test_the_system_knows_its_own_name_and_gives_up_in_time() -> None:
    resolver = SystemResolver(threads=1)
    assert "127.0.0.1" in resolver("localhost", 80, 5.0)
    busy = threading.Event()
    resolver._pool.submit(busy.wait, 5.0)
    with pytest.raises(TimeoutError):
        resolver("localhost", 80, 0.05)
    busy.set()
