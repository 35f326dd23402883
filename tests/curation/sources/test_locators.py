from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from curation.sources.locators import RowProblem, find_place, join_tar, split_tar, without_secrets
from schemas.reasons import Reason

LOCAL, BUCKET, WEB = "/videos", "s3://bucket/films", "https://host/films/"
# locator, media root, what is stored, what is fetched
PLACES = {
    "a name": ("a.mp4", LOCAL, "a.mp4", "/videos/a.mp4"),
    "a folder and a name": ("x/../b/a.mp4", LOCAL, "x/../b/a.mp4", "/videos/b/a.mp4"),
    "an absolute path inside": ("/videos/a.mp4", LOCAL, "/videos/a.mp4", "/videos/a.mp4"),
    "a name with a dash in front": ("-dash.mp4", LOCAL, "-dash.mp4", "/videos/-dash.mp4"),
    "a name with a colon": ("at 10:30.mp4", LOCAL, "at 10:30.mp4", "/videos/at 10:30.mp4"),
    "a name with a line end": ("a\nb.mp4", LOCAL, "a\nb.mp4", "/videos/a\nb.mp4"),
    "any path below the root": ("/etc/a.mp4", "/", "/etc/a.mp4", "/etc/a.mp4"),
    "below a bucket's prefix": ("a b.mp4", BUCKET, "a b.mp4", "s3://bucket/films/a b.mp4"),
    "below a web prefix": ("a b.mp4", WEB, "a b.mp4", "https://host/films/a%20b.mp4"),
    "a member of a tar": ("tar:p/1.tar!x/0.mp4", LOCAL, "tar:p/1.tar!x/0.mp4", "tar:/videos/p/1.tar!x/0.mp4"),
    "a member with a mark": ("tar:1.tar!oh!.mp4", LOCAL, "tar:1.tar!oh!.mp4", "tar:/videos/1.tar!oh!.mp4"),
    "a member of a tar in a bucket": (
        "tar:s3://b/1.tar!0.mp4",
        LOCAL,
        "tar:s3://b/1.tar!0.mp4",
        "tar:s3://b/1.tar!0.mp4",
    ),
    "a page": (
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        LOCAL,
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
        "https://www.youtube.com/watch?v=dQw4w9WgXcQ",
    ),
    "user info": ("https://u:pw@h/a.mp4?x=1", LOCAL, "https://h/a.mp4?x=1", "https://u:pw@h/a.mp4?x=1"),
    "a signature of S3": (
        "https://h/a.mp4?AWSAccessKeyId=K&Signature=f00&part=2&Expires=9",
        LOCAL,
        "https://h/a.mp4?part=2",
        "https://h/a.mp4?AWSAccessKeyId=K&Signature=f00&part=2&Expires=9",
    ),
    "a token that names the content": ("https://h/watch?token=f00", LOCAL, "https://h/watch?token=f00", None),
    "a fragment": ("https://h/a.mp4#t=10", LOCAL, "https://h/a.mp4", "https://h/a.mp4"),
    "a host in capitals": ("HTTPS://Host.Org:8080/A.mp4", LOCAL, "https://host.org:8080/A.mp4", None),
    "a host in another script": ("http://bücher.example/ä.mp4", LOCAL, "http://xn--bcher-kva.example/%C3%A4.mp4", None),
    "an IPv6 host": ("http://[::1]:80/a.mp4", LOCAL, "http://[::1]:80/a.mp4", None),
    "what is encoded stays": ("http://h/a%20b|c.mp4", LOCAL, "http://h/a%20b%7Cc.mp4", None),
    "an object": ("S3://Bucket/a b?c#d.mp4", LOCAL, "s3://Bucket/a b?c#d.mp4", None),
    "an object of Google's": ("gs://b/a.mp4", LOCAL, "gs://b/a.mp4", None),
}
REFUSED = {
    "nothing": ("", LOCAL, Reason.FIELD_MISSING),
    "a number": (7, LOCAL, Reason.FIELD_INVALID),
    "a NUL": ("a\x00.mp4", LOCAL, Reason.FIELD_INVALID),
    "a surrogate": ("a\ud800.mp4", LOCAL, Reason.FIELD_INVALID),
    "4,097 bytes": ("a" * 4097, LOCAL, Reason.FIELD_INVALID),
    "a file beside": ("../a.mp4", LOCAL, Reason.LOCATOR_OUTSIDE),
    "a folder with the same beginning": ("../videos2/a.mp4", LOCAL, Reason.LOCATOR_OUTSIDE),
    "another folder": ("/etc/passwd", LOCAL, Reason.LOCATOR_OUTSIDE),
    "beside a prefix": ("../other/a.mp4", BUCKET, Reason.LOCATOR_OUTSIDE),
    "beside a prefix, further down": ("x/../../a.mp4", WEB, Reason.LOCATOR_OUTSIDE),
    "an absolute path under a prefix": ("/a.mp4", BUCKET, Reason.LOCATOR_OUTSIDE),
    "a control under a prefix": ("a\n.mp4", WEB, Reason.FIELD_INVALID),
    "a tar beside": ("tar:../1.tar!0.mp4", LOCAL, Reason.LOCATOR_OUTSIDE),
    "a tar without a member": ("tar:1.tar", LOCAL, Reason.FIELD_INVALID),
    "a tar in a tar": ("tar:tar:1.tar!2.tar!0.mp4", LOCAL, Reason.FIELD_INVALID),
    "file": ("file:///etc/passwd", LOCAL, Reason.FIELD_INVALID),
    "file without slashes": ("file:/etc/passwd", LOCAL, Reason.FIELD_INVALID),
    "gopher": ("gopher://h/a", LOCAL, Reason.FIELD_INVALID),
    "data": ("data:video/mp4;base64,AAAA", LOCAL, Reason.FIELD_INVALID),
    "a shell": ("pipe:cat /etc/passwd", LOCAL, Reason.FIELD_INVALID),
    "a list of ffmpeg's": ("concat:a|b", LOCAL, Reason.FIELD_INVALID),
    "no scheme": ("//h/x://a.mp4", LOCAL, Reason.FIELD_INVALID),
    "a space in an address": ("https://h/a b.mp4", LOCAL, Reason.FIELD_INVALID),
    "a line end in an address": ("https://h/a\r\nHost: x", LOCAL, Reason.FIELD_INVALID),
    "a backslash in an address": ("https://h\\@other/a.mp4", LOCAL, Reason.FIELD_INVALID),
    "an encoded NUL": ("https://h/a%00.mp4", LOCAL, Reason.FIELD_INVALID),
    "no host": ("https:///a.mp4", LOCAL, Reason.FIELD_INVALID),
    "a port that is none": ("https://h:port/a.mp4", LOCAL, Reason.FIELD_INVALID),
    "half an IPv6 host": ("https://[::1/a.mp4", LOCAL, Reason.FIELD_INVALID),
    "a host that is no name": ("https://a\u2024\u2024b/a.mp4", LOCAL, Reason.FIELD_INVALID),
    "a bucket alone": ("s3://bucket", LOCAL, Reason.FIELD_INVALID),
    "keys to a bucket": ("s3://key:secret@bucket/a.mp4", LOCAL, Reason.FIELD_INVALID),
}


@pytest.mark.parametrize("case", PLACES)
def test_a_locator_and_what_is_fetched(case: str) -> None:
    value, root, locator, address = PLACES[case]
    place = find_place(value, root)
    assert (place.locator, place.address) == (locator, address or locator)


@pytest.mark.parametrize("case", REFUSED)
def test_a_locator_that_is_refused(case: str) -> None:
    value, root, reason = REFUSED[case]
    with pytest.raises(RowProblem) as caught:
        find_place(value, root)
    assert caught.value.reason == reason


@given(st.text(max_size=20), st.sampled_from([LOCAL, BUCKET, WEB]))
def test_nothing_that_is_no_address_leaves_the_media_root(text: str, root: str) -> None:
    try:
        place = find_place(text, root)
    except RowProblem:
        return
    if "://" not in text and not text.startswith("tar:"):
        base = root.rstrip("/")
        assert place.address == base or place.address.startswith(f"{base}/")
        assert "/../" not in f"{place.address}/"


@given(st.text(max_size=30))
def test_what_is_stored_means_itself(text: str) -> None:
    try:
        place = find_place(f"https://h/{text}", LOCAL)
    except RowProblem:
        return
    assert find_place(place.locator, LOCAL).locator == place.locator


def test_a_tar_and_its_member() -> None:
    assert split_tar(join_tar("/x/1.tar", "a!b.mp4")) == ("/x/1.tar", "a!b.mp4")


def test_a_message_keeps_no_secret() -> None:
    message = "row: ['https://u:pw@h/a?X-Amz-Signature=f00&part=1', 'http://h/?token=f00', 'a@b.org']"
    expected = "row: ['https://h/a?X-Amz-Signature=...&part=1', 'http://h/?token=...', 'a@b.org']"
    assert without_secrets(message) == expected
