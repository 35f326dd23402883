"""The container is told from the first bytes, and nothing that reads other files gets through."""

from __future__ import annotations

import pytest

from curation.media.sniff import sniff_container
from curation.media.tasks import MediaError

TS = b"\x47" + bytes(187)

ALLOWED = {
    "mp4": (b"\x00\x00\x00\x20ftypisom", "mov"),
    "old quicktime": (b"\x00\x00\x00\x08wide\x00\x00", "mov"),
    "fragment": (b"\x00\x00\x00\x18styp", "mov"),
    "avif sequence": (b"\x00\x00\x00\x20ftypavis", "mov"),
    "matroska": (b"\x1a\x45\xdf\xa3\x01", "matroska"),
    "avi": (b"RIFF\x00\x00\x00\x00AVI LIST", "avi"),
    "mpegts": (TS * 3, "mpegts"),
    "m2ts": ((bytes(4) + TS) * 3, "mpegts"),
    "flv": (b"FLV\x01\x05", "flv"),
    "ogg": (b"OggS\x00", "ogg"),
    "gif": (b"GIF89a", "gif"),
}

REFUSED = {
    "hls": (b"#EXTM3U\n#EXTINF:2,\na.ts\n", "playlist"),
    "hls after a byte order mark": (b"\xef\xbb\xbf\r\n#EXTM3U\n", "playlist"),
    "ffconcat": (b"ffconcat version 1.0\n", "playlist"),
    "dash": (b'<?xml version="1.0"?>\n<MPD>', "playlist"),
    "png": (b"\x89PNG\r\n\x1a\n", "still_image"),
    "jpeg": (b"\xff\xd8\xff\xe0", "still_image"),
    "avif": (b"\x00\x00\x00\x20ftypavif", "still_image"),
    "heic": (b"\x00\x00\x00\x20ftypheic", "still_image"),
    "webp": (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "still_image"),
    "mp3": (b"ID3\x04", "no_video"),
    "wave": (b"RIFF\x00\x00\x00\x00WAVEfmt ", "no_video"),
    "m4a": (b"\x00\x00\x00\x20ftypM4A ", "no_video"),
    "one byte": (b"\x00", "not_media"),
    "html": (b"<!DOCTYPE html>", "not_media"),
    "zip": (b"PK\x03\x04", "not_media"),
    "zeros": (bytes(4096), "not_media"),
    "a single G": (b"G", "not_media"),
    "two sync bytes that do not repeat": (TS * 2 + bytes(188), "not_media"),
}


@pytest.mark.parametrize("name", ALLOWED)
def test_allowed_container(name: str) -> None:
    head, container = ALLOWED[name]
    assert sniff_container(head) == container


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name: str) -> None:
    head, reason = REFUSED[name]
    with pytest.raises(MediaError) as caught:
        sniff_container(head)
    assert caught.value.reason == reason
