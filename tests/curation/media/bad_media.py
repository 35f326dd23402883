"""A folder of bad and odd files, each with what must become of it."""

from __future__ import annotations

import os
from pathlib import Path

from schemas.reasons import Reason
from tests.curation.media.make import run_ffmpeg, write_test_video

# the colour of the canary's picture, which must show up in no clip: pure blue, unlike any other file here
CANARY = "canary_secret.mp4"
HALF_FILE_SHARE = 0.5


def make_bad_media(folder: Path) -> dict[str, Reason | None]:
    """Fill an empty folder; return file name -> the reason expected when the whole file is asked for, None for a clip.

    All good videos last 2 s at 25 fps. `truncated.mp4` fails only in spans that reach past its missing half.
    """
    good = write_test_video(folder / "good.mp4")
    expected: dict[str, Reason | None] = {"good.mp4": None}
    for make in (_no_media, _playlists, _special_files, _names, _broken, _odd):
        expected.update(make(folder, good.read_bytes()))
    return expected


def _written(folder: Path, files: dict[str, tuple[bytes, Reason | None]]) -> dict[str, Reason | None]:
    for name, (data, _) in files.items():
        (folder / name).write_bytes(data)
    return {name: reason for name, (_, reason) in files.items()}


def _no_media(folder: Path, good: bytes) -> dict[str, Reason | None]:
    run_ffmpeg("-f", "lavfi", "-i", "color=red:s=64x64", "-frames:v", "1", "-f", "image2", f"file:{folder}/still.png")
    png = (folder / "still.png").read_bytes()
    (folder / "still.png").unlink()
    return {
        "missing.mp4": Reason.FILE_MISSING,
        **_written(
            folder,
            {
                "empty.mp4": (b"", Reason.FILE_EMPTY),
                "one_byte.mp4": (good[:1], Reason.NOT_MEDIA),
                "text.mp4": (b"<!DOCTYPE html><html>404</html>", Reason.NOT_MEDIA),
                "zeros.mp4": (bytes(100_000), Reason.NOT_MEDIA),
                "zip.mp4": (b"PK\x03\x04" + bytes(500), Reason.NOT_MEDIA),
                "svg.mp4": (b'<svg><image href="file:///etc/passwd"/></svg>', Reason.NOT_MEDIA),
                "png.mp4": (png, Reason.STILL_IMAGE),
                "mp3.mp4": (b"ID3\x04" + bytes(500), Reason.NO_VIDEO),
            },
        ),
    }


def _playlists(folder: Path, good: bytes) -> dict[str, Reason | None]:
    canary = folder / CANARY
    run_ffmpeg("-f", "lavfi", "-i", "color=blue:s=160x120:r=25:d=2", "-c:v", "libx264", f"file:{canary}")
    hls = f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nfile://{canary}\n#EXT-X-ENDLIST\n".encode()
    concat = f"ffconcat version 1.0\nfile {CANARY}\n".encode()
    dash = f'<?xml version="1.0"?><MPD type="static"><BaseURL>{CANARY}</BaseURL></MPD>'.encode()
    files = {"hls.mp4": hls, "hls_bom.mp4": b"\xef\xbb\xbf\n" + hls, "ffconcat.mp4": concat, "dash.mp4": dash}
    return {CANARY: None, **_written(folder, {name: (data, Reason.PLAYLIST) for name, data in files.items()})}


def _special_files(folder: Path, good: bytes) -> dict[str, Reason | None]:
    (folder / "folder.mp4").mkdir()
    os.mkfifo(folder / "fifo.mp4")
    (folder / "loop.mp4").symlink_to("loop.mp4")
    (folder / "link.mp4").symlink_to("good.mp4")
    (folder / "device.mp4").symlink_to("/dev/zero")
    (folder / "text_link.mp4").symlink_to("/etc/passwd")
    return {
        "folder.mp4": Reason.NOT_REGULAR_FILE,
        "fifo.mp4": Reason.NOT_REGULAR_FILE,
        "loop.mp4": Reason.NOT_REGULAR_FILE,
        "device.mp4": Reason.NOT_REGULAR_FILE,
        "text_link.mp4": Reason.NOT_MEDIA,
        "link.mp4": None,
    }


def _names(folder: Path, good: bytes) -> dict[str, Reason | None]:
    harmless = ("é日本 sp'\"ace$(x);%03d.mp4", "with:colon,comma[0].mp4", "back\\slash.mp4", "n" * 240 + ".mp4")
    files: dict[str, tuple[bytes, Reason | None]] = {name: (good, None) for name in harmless}
    return _written(folder, {**files, "-i.mp4": (good, None)})


def _broken(folder: Path, good: bytes) -> dict[str, Reason | None]:
    audio = folder / "audio_only.mp4"
    run_ffmpeg("-f", "lavfi", "-i", "sine=d=2", "-c:a", "aac", f"file:{audio}")
    run_ffmpeg("-i", f"file:{folder}/good.mp4", "-c", "copy", "-f", "matroska", f"file:{folder}/whole.mkv")
    mkv = (folder / "whole.mkv").read_bytes()
    key = "76a6c65c5ea762046bd749a2e632ccbb"
    cenc = ["-encryption_scheme", "cenc-aes-ctr", "-encryption_key", key, "-encryption_kid", key]
    run_ffmpeg("-i", f"file:{folder}/good.mp4", "-c", "copy", *cenc, f"file:{folder}/encrypted.mp4")
    return {
        "audio_only.mp4": Reason.NO_VIDEO,
        "encrypted.mp4": Reason.ENCRYPTED,
        "whole.mkv": None,
        **_written(
            folder,
            {
                "truncated.mp4": (good[: int(len(good) * HALF_FILE_SHARE)], Reason.TRUNCATED),
                "truncated.mkv": (mkv[: int(len(mkv) * HALF_FILE_SHARE)], Reason.TRUNCATED),
                "header_only.mp4": (good[: good.index(b"moov")], Reason.BAD_CONTAINER),
                "junk_tail.mp4": (good + bytes(range(256)) * 100, None),
            },
        ),
    }


def _odd(folder: Path, good: bytes) -> dict[str, Reason | None]:
    lavfi = ("-f", "lavfi", "-i")
    picture = (*lavfi, "testsrc2=s=160x120:r=25:d=2")
    h264 = ("-c:v", "libx264")
    turned = ("-display_rotation", "90", "-i", f"file:{folder}/good.mp4")
    recipes: dict[str, tuple[tuple[str, ...], Reason | None]] = {
        "odd_size.webm": ((*lavfi, "testsrc2=s=321x241:r=25:d=2", "-c:v", "libvpx-vp9", "-cpu-used", "8"), None),
        "ten_bit.mp4": ((*picture, *h264, "-pix_fmt", "yuv420p10le"), None),
        "full_range.mp4": ((*picture, *h264, "-pix_fmt", "yuvj420p"), None),
        "rotated.mp4": ((*turned, "-c", "copy"), None),
        "wide_pixels.mp4": ((*picture, "-vf", "setsar=4/3", *h264), None),
        "alpha.webm": (
            (*lavfi, "color=red@0.5:s=160x120:r=25:d=2,format=yuva420p", "-c:v", "libvpx-vp9", "-cpu-used", "8"),
            None,
        ),
        "alpha.mov": ((*lavfi, "color=red@0.5:s=160x120:r=25:d=2,format=rgba", "-c:v", "qtrle"), None),
        "gray.mkv": ((*picture, "-pix_fmt", "gray", "-c:v", "ffv1"), None),
        "fragmented.mp4": (("-i", f"file:{folder}/good.mp4", "-c", "copy", "-movflags", "frag_keyframe"), None),
        "picture.gif": ((*lavfi, "testsrc2=s=160x120:r=10:d=2"), None),
        "old.avi": ((*picture, "-c:v", "mpeg4"), None),
        "stream.ts": ((*picture, *h264, "-output_ts_offset", "95000"), None),
        "tiny.mp4": ((*lavfi, "testsrc2=s=160x120:r=25:d=2", "-vf", "scale=8:8", *h264), Reason.BAD_DIMENSIONS),
        "one_frame.mp4": ((*picture, "-frames:v", "1", *h264), Reason.TOO_SHORT),
    }
    for name, (arguments, _) in recipes.items():
        run_ffmpeg(*arguments, f"file:{folder}/{name}")
    return {name: reason for name, (_, reason) in recipes.items()}
