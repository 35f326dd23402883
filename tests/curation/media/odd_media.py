"""More bad and odd files: lies in headers, bombs, rare streams and times; `bad_media` has the usual ones."""

from __future__ import annotations

import gzip
import random
import struct
import zlib
from pathlib import Path

from schemas.reasons import Reason
from tests.curation.media.make import run_ffmpeg

GIB = 1 << 30
Expected = dict[str, Reason | None]


def make_odd_media(folder: Path, good: bytes) -> Expected:
    """Fill a folder with the files; return file name -> the reason expected for the whole file, None for a clip.

    Args:
        good: an indexed mp4 of 2 s, its index in front.
    """
    expected: Expected = {}
    for make in (_lies, _junk, _bombs, _pictures, _times):
        expected |= make(folder, good)
    return expected


def _lies(folder: Path, good: bytes) -> Expected:
    """Headers that do not tell the truth; what was decoded counts, not what was claimed."""
    cut = good[:-1]
    nested = b""
    for _ in range(2000):
        nested = atom(b"moov", nested)
    files: dict[str, tuple[bytes, Reason | None]] = {
        "last_byte.mp4": (cut, None),
        "moov_size.mp4": (patched(good, b"moov", -4, b"\x7f\xff\xff\xff"), Reason.BAD_CONTAINER),
        "duration.mp4": (patched(good, b"mvhd", 4 + 16, b"\xff\xff\xff\xfe"), None),
        "dimensions.mp4": (patched(good, b"tkhd", 4 + 76, b"\x7f\xff\x00\x00\x7f\xff\x00\x00"), None),
        "sample_count.mp4": (patched(good, b"stsz", 4 + 8, b"\xff\xff\xff\xff"), Reason.BAD_CONTAINER),
        "atom_size_0.mp4": (good[:32] + struct.pack(">I", 0) + b"free" + good[32:], Reason.BAD_CONTAINER),
        "nested.mp4": (good[: good.index(b"moov") - 4] + nested, Reason.BAD_CONTAINER),
        "twice.mp4": (good + good, None),
        "flipped_bits.mp4": (_flipped(good), None),
    }
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return {name: reason for name, (_, reason) in files.items()}


def _junk(folder: Path, good: bytes) -> Expected:
    drawn = random.Random(0)
    files = {
        "random.mp4": drawn.randbytes(100_000),
        "json.mp4": b'{"error": "quota"}',
        "deflated.mp4": zlib.compress(b"x"),
        "gzip_bomb.mp4": gzip.compress(bytes(50_000_000)),
        "junk_head.mp4": b"JUNK" * 100 + good,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    with (folder / "sparse.mp4").open("wb") as file:
        file.truncate(4 * GIB)
    return {**dict.fromkeys(files, Reason.NOT_MEDIA), "sparse.mp4": Reason.FILE_TOO_LARGE}


def _bombs(folder: Path, good: bytes) -> Expected:
    """Little files that would cost much."""
    (folder / "bomb.png").write_bytes(black_png(16_000))
    run_ffmpeg("-i", f"file:{folder}/bomb.png", "-c:v", "copy", f"file:{folder}/bomb_16k.mkv")
    (folder / "bomb.png").unlink()
    many = [word for _ in range(40) for word in ("-f", "lavfi", "-i", "color=s=32x32:r=5:d=2")]
    maps = [word for number in range(40) for word in ("-map", str(number))]
    run_ffmpeg(*many, *maps, "-c:v", "ffv1", f"file:{folder}/forty_streams.mkv")
    recipes: dict[str, tuple[tuple[str, ...], Reason | None]] = {
        "square_8k.mp4": (
            ("color=s=8192x8192:r=1:d=2", "-c:v", "libx264", "-preset", "ultrafast"),
            Reason.FRAME_TOO_LARGE,
        ),
        "a_day.mkv": (("color=s=32x32:r=1/60:d=86400", "-c:v", "libx264", "-g", "1440"), Reason.TOO_LONG),
        "slow.mkv": (("testsrc2=s=64x64:r=1/100:d=300", "-c:v", "libx264"), Reason.SPAN_TOO_LONG),
        "fast.mp4": (("testsrc2=s=64x64:r=1000:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"), None),
        "two_pixels.mp4": (
            ("testsrc2=s=320x240:r=25:d=1", "-vf", "scale=2:2", "-c:v", "libx264"),
            Reason.BAD_DIMENSIONS,
        ),
        "column.mp4": (
            ("color=red:s=16x8192:r=5:d=1", "-c:v", "libx264", "-pix_fmt", "yuv420p"),
            Reason.BAD_DIMENSIONS,
        ),
        # ffmpeg writes no stream at all where no frame comes
        "no_frames.mp4": (("testsrc2=s=64x64:r=25:d=2", "-t", "0", "-c:v", "libx264"), Reason.NO_VIDEO),
    }
    return {**_made(folder, recipes), "bomb_16k.mkv": Reason.FRAME_TOO_LARGE, "forty_streams.mkv": None}


def _pictures(folder: Path, good: bytes) -> Expected:
    small = "testsrc2=s=128x96:r=10:d=1"
    # as a filter: ffmpeg takes a frame's own colours before the encoder's options
    hdr = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc", "-pix_fmt", "yuv420p10le")
    recipes: dict[str, tuple[tuple[str, ...], Reason | None]] = {
        "odd_444.mp4": (("testsrc2=s=161x121:r=25:d=1", "-c:v", "libx264", "-pix_fmt", "yuv444p"), None),
        "hevc_hdr.mp4": ((small, "-c:v", "libx265", "-x265-params", "log-level=0", *hdr, "-tag:v", "hvc1"), None),
        "interlaced.mp4": ((small, "-vf", "setfield=tff", "-flags", "+ildct+ilme", "-c:v", "libx264"), None),
        "av1.mkv": ((small, "-c:v", "libsvtav1", "-svtav1-params", "lp=1"), None),
        "mjpeg.avi": ((small, "-c:v", "mjpeg"), None),
        "prores.mov": ((small, "-c:v", "prores_ks"), None),
        "black.mp4": (("color=black:s=64x64:r=25:d=1", "-c:v", "libx264"), None),
        "static.mp4": (("color=gray:s=64x64:r=25:d=1", "-c:v", "libx264"), None),
        "tags.mkv": ((small, "-c:v", "libx264", "-metadata", "title=<script>alert(1)</script>"), None),
    }
    return _made(folder, recipes)


def _times(folder: Path, good: bytes) -> Expected:
    small = "testsrc2=s=128x96:r=25:d=2"
    x264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p")
    gap = "setpts='if(gte(N,25),PTS+30/TB,PTS)'"
    recipes: dict[str, tuple[tuple[str, ...], Reason | None]] = {
        "vfr.mp4": ((small, "-vf", "select='not(mod(n\\,3))+lt(n\\,10)'", "-fps_mode", "vfr", *x264), None),
        "gap_30s.mkv": ((small, "-vf", gap, "-fps_mode", "passthrough", *x264), None),
        "negative.mkv": (
            (
                small,
                "-vf",
                "setpts=PTS-1/TB",
                "-fps_mode",
                "passthrough",
                "-c:v",
                "ffv1",
                "-avoid_negative_ts",
                "disabled",
            ),
            None,
        ),
        "segment.ts": ((small, *x264, "-f", "mpegts"), None),
    }
    expected = _made(folder, recipes)
    run_ffmpeg("-ss", "0.5", "-i", f"file:{folder}/good.mp4", "-c", "copy", f"file:{folder}/edit_list.mp4")
    fragments = ("-movflags", "frag_keyframe+empty_moov")
    run_ffmpeg("-f", "lavfi", "-i", small, *x264, "-g", "10", *fragments, f"file:{folder}/fragments.mp4")
    whole = (folder / "fragments.mp4").read_bytes()
    (folder / "fragments_cut.mp4").write_bytes(whole[: int(len(whole) * 0.6)])
    run_ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:r=25:d=1", *x264, "-f", "mpegts", f"file:{folder}/other.ts")
    other = (folder / "other.ts").read_bytes()
    (folder / "other_size.ts").write_bytes((folder / "segment.ts").read_bytes() + other)
    (folder / "other.ts").unlink()
    return {
        **expected,
        "edit_list.mp4": None,
        "fragments.mp4": None,
        "fragments_cut.mp4": Reason.TRUNCATED,
        "other_size.ts": None,
    }


def _made(folder: Path, recipes: dict[str, tuple[tuple[str, ...], Reason | None]]) -> Expected:
    for name, ((picture, *arguments), _) in recipes.items():
        run_ffmpeg("-f", "lavfi", "-i", picture, *arguments, f"file:{folder}/{name}")
    return {name: reason for name, (_, reason) in recipes.items()}


def atom(kind: bytes, payload: bytes) -> bytes:
    return struct.pack(">I", 8 + len(payload)) + kind + payload


def patched(data: bytes, box: bytes, offset: int, value: bytes) -> bytes:
    """Return the file with some bytes of a box replaced; `offset` counts from the box's name."""
    at = data.index(box) + offset
    return data[:at] + value + data[at + len(value) :]


def _flipped(good: bytes) -> bytes:
    """Return the file with 20 bits of its pictures flipped."""
    drawn, data = random.Random(1), bytearray(good)
    start = data.index(b"mdat") + 8
    for _ in range(20):
        data[start + drawn.randrange(len(data) - start)] ^= 1 << drawn.randrange(8)
    return bytes(data)


def black_png(side_px: int) -> bytes:
    """Return a black RGB picture that is small as a file and large in memory."""
    row = b"\x00" + bytes(3 * side_px)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(row) for _ in range(side_px)) + packer.flush()
    header = struct.pack(">IIBBBBB", side_px, side_px, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + b"".join(map(_chunk, (b"IHDR", b"IDAT", b"IEND"), (header, data, b"")))


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
