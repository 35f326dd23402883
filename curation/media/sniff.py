"""What a file is, told from its first bytes, before any decoder sees it.

ffmpeg and PyAV open playlists and still images under any name, and a playlist reads other local files. So the
container is decided here, and the demuxer is then forced to it.
"""

from __future__ import annotations

from curation.media.tasks import MediaError
from schemas.reasons import Reason

HEAD_BYTES = 4_096
TS_PACKET_BYTES = (188, 192)
MOV_BOXES = frozenset({b"ftyp", b"moov", b"moof", b"mdat", b"free", b"wide", b"skip", b"styp", b"sidx", b"pnot"})
# ISO/IEC 23008-12 brands of one still picture; sequences have brands of their own (avis, hevc, msf1)
STILL_BRANDS = frozenset({b"avif", b"heic", b"heix", b"mif1", b"heim", b"heis"})
STILL_MAGICS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM", b"II*\x00", b"MM\x00*", b"\x00\x00\x01\x00\x01")
AUDIO_MAGICS = (b"ID3", b"fLaC", b"\xff\xfb", b"\xff\xf3", b"\xff\xf2", b"\xff\xf1", b"\xff\xf9", b"#!AMR", b"MThd")
PLAYLIST_MAGICS = (b"#EXTM3U", b"#EXT-X-", b"ffconcat", b"[playlist]", b"#EXTINF")
SIMPLE_MAGICS = ((b"\x1a\x45\xdf\xa3", "matroska"), (b"FLV\x01", "flv"), (b"OggS", "ogg"), (b"GIF8", "gif"))
CONTAINERS = ("mov", "matroska", "avi", "mpegts", "flv", "ogg", "gif")


def sniff_container(head: bytes) -> str:
    """Return the demuxer for a file that starts with `head` (its first HEAD_BYTES, or all of a shorter file).

    Raises:
        MediaError: `playlist`, `still_image`, `no_video` (an audio file) or `not_media`.
    """
    _refuse_playlist(head)
    for magic, container in SIMPLE_MAGICS:
        if head.startswith(magic):
            return container
    if head[:4] == b"RIFF":
        return _riff(head[8:12])
    if head[4:8] in MOV_BOXES:
        return _mov(head)
    if mpegts_packet_bytes(head):
        return "mpegts"
    if head.startswith(STILL_MAGICS):
        raise MediaError(Reason.STILL_IMAGE, f"an image file by its first bytes {head[:8]!r}")
    if head.startswith(AUDIO_MAGICS):
        raise MediaError(Reason.NO_VIDEO, f"an audio file by its first bytes {head[:8]!r}")
    raise MediaError(Reason.NOT_MEDIA, f"no allowed container starts with {head[:16]!r}")


def _refuse_playlist(head: bytes) -> None:
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(PLAYLIST_MAGICS):
        raise MediaError(Reason.PLAYLIST, f"a playlist by its first bytes {text[:16]!r}")
    if text.startswith(b"<") and b"<MPD" in head:
        raise MediaError(Reason.PLAYLIST, "a DASH manifest")


def _riff(kind: bytes) -> str:
    if kind in (b"AVI ", b"AVIX"):
        return "avi"
    if kind == b"WEBP":
        raise MediaError(Reason.STILL_IMAGE, "a WebP image")
    if kind == b"WAVE":
        raise MediaError(Reason.NO_VIDEO, "a WAVE audio file")
    raise MediaError(Reason.NOT_MEDIA, f"a RIFF file of kind {kind!r}")


def _mov(head: bytes) -> str:
    brand = head[8:12]
    if head[4:8] == b"ftyp" and brand in STILL_BRANDS:
        raise MediaError(Reason.STILL_IMAGE, f"a still image by its brand {brand!r}")
    if head[4:8] == b"ftyp" and brand in (b"M4A ", b"M4B ", b"M4P "):
        raise MediaError(Reason.NO_VIDEO, f"an audio file by its brand {brand!r}")
    return "mov"


def mpegts_packet_bytes(head: bytes) -> int:
    """Return the size of the packets of a transport stream; 0 where `head` is the start of none."""
    return next((size for size in TS_PACKET_BYTES if _is_mpegts(head, size)), 0)


def _is_mpegts(head: bytes, packet_bytes: int) -> bool:
    """Whether a sync byte stands at every packet start in sight, at least two of them."""
    first = packet_bytes - 188  # M2TS puts a 4-byte time before each packet
    syncs = head[first::packet_bytes]
    return len(syncs) >= 2 and syncs == b"\x47" * len(syncs)
