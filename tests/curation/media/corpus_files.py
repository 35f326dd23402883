"""The files of the corpus: videos first, then odd streams, then what is made of the bytes of these."""

from __future__ import annotations

import gzip
import os
import random
import zlib
from pathlib import Path

from tests.curation.media.make import run_ffmpeg
from tests.curation.media.odd_media import GIB, atom, black_png, patched

PICTURE = ("-f", "lavfi", "-i", "testsrc2=s=320x240:r=25:d=2")
SOUND = ("-f", "lavfi", "-i", "sine=f=440:d=2")
X264 = ("-c:v", "libx264", "-g", "25", "-pix_fmt", "yuv420p")
HDR = ("-vf", "setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc", "-pix_fmt", "yuv420p10le")
X265 = ("-c:v", "libx265", "-x265-params", "log-level=0", "-tag:v", "hvc1")
VP9 = ("-c:v", "libvpx-vp9", "-cpu-used", "8", "-b:v", "200k")
KEY = "76a6c65c5ea762046bd749a2e632ccbb"
CENC = ("-encryption_scheme", "cenc-aes-ctr", "-encryption_key", KEY, "-encryption_kid", KEY)
MPD = b'<?xml version="1.0"?><MPD type="static"><Period><BaseURL>00_ok.mp4</BaseURL></Period></MPD>'


def _drawn(picture: str) -> tuple[str, ...]:
    return ("-f", "lavfi", "-i", picture)


def _make(folder: Path, recipes: dict[str, tuple[str, ...]]) -> None:
    for name, arguments in recipes.items():
        run_ffmpeg(*arguments, f"file:{folder / name}")


def make_videos(folder: Path) -> None:
    """Write the good control, and videos that are odd in their pictures."""
    ok = ("-i", f"file:{folder}/00_ok.mp4")
    small, odd = _drawn("testsrc2=s=64x64:r=5:d=1"), _drawn("testsrc2=s=321x241:r=25:d=1")
    alpha = _drawn("color=red@0.5:s=160x120:r=25:d=1,format=yuva420p")
    interlaced = ("-vf", "setfield=tff", "-flags", "+ildct+ilme")
    recipes: dict[str, tuple[str, ...]] = {
        "00_ok.mp4": (*PICTURE, *SOUND, *X264, "-c:a", "aac", "-movflags", "+faststart"),
        "23_audio_only.mp4": (*SOUND, "-c:a", "aac"),
        "24_video_only.mp4": (*PICTURE, *X264),
        "25_one_frame.mp4": (*PICTURE, "-frames:v", "1", *X264),
        "27_odd_321x241.webm": (*odd, *VP9),
        "28_odd_444.mp4": (*odd, "-c:v", "libx264", "-pix_fmt", "yuv444p"),
        "29_2x2.mp4": (*PICTURE, "-vf", "scale=2:2", *X264),
        "30_16x8192.mp4": (*_drawn("color=red:s=16x8192:r=5:d=1"), *X264),
        "31_10bit.mp4": (*PICTURE, "-c:v", "libx264", "-pix_fmt", "yuv420p10le"),
        "32_hevc10_hdr.mp4": (*PICTURE, *HDR, *X265),
        "33_alpha.webm": (*alpha, *VP9, "-pix_fmt", "yuva420p"),
        "34_gray.mkv": (*PICTURE, "-pix_fmt", "gray", "-c:v", "ffv1"),
        "35_fullrange.mp4": (*PICTURE, "-vf", "scale=out_range=full", "-c:v", "libx264", "-pix_fmt", "yuvj420p"),
        "36_interlaced.mp4": (*PICTURE, *interlaced, *X264),
        "37_rot90.mp4": ("-display_rotation", "90", *ok, "-c", "copy"),
        "38_sar.mp4": (*PICTURE, "-vf", "setsar=4/3", *X264),
        "52_subs.mkv": (
            *ok,
            "-c",
            "copy",
            "-metadata",
            "title=<script>alert(1)</script>",
            "-metadata",
            "comment==cmd|x",
        ),
        "53_av1.mkv": (*small, "-c:v", "libsvtav1", "-svtav1-params", "lp=1"),
        "54_gif.gif": small,
        "55_mjpeg.avi": (*PICTURE, "-c:v", "mjpeg"),
        "56_prores.mov": (*small, "-c:v", "prores_ks"),
        "59_black.mp4": (*_drawn("color=black:s=320x240:r=25:d=2"), *X264),
        "60_static.mp4": (*_drawn("color=gray:s=320x240:r=25:d=2"), *X264),
        "78_encrypted.mp4": ("-i", f"file:{folder}/24_video_only.mp4", "-c", "copy", *CENC),
    }
    _make(folder, recipes)


def make_streams(folder: Path) -> None:
    """Write videos that are odd in their times or containers, after `make_videos`."""
    ok, copy = ("-i", f"file:{folder}/00_ok.mp4"), ("-c", "copy")
    plain = ("-i", f"file:{folder}/24_video_only.mp4")
    thinned = "select='not(mod(n\\,3))+lt(n\\,10)'"
    gap, early = "setpts='if(gte(N,25),PTS+30/TB,PTS)'", "setpts=PTS-1/TB"
    passed = ("-fps_mode", "passthrough")
    many = [word for _ in range(40) for word in _drawn("color=s=16x16:r=1:d=2")]
    maps = [word for number in range(40) for word in ("-map", str(number))]
    (folder / "bomb.png").write_bytes(black_png(16_000))
    recipes: dict[str, tuple[str, ...]] = {
        "39_vfr.mp4": (*PICTURE, "-vf", thinned, "-fps_mode", "vfr", *X264),
        "40_gap.mkv": (*PICTURE, "-vf", gap, *passed, "-c:v", "libx264"),
        "41_negpts.mkv": (*PICTURE, "-vf", early, *passed, "-c:v", "ffv1", "-avoid_negative_ts", "disabled"),
        "42_offset.ts": (*ok, *copy, "-output_ts_offset", "95000", "-f", "mpegts"),
        "43_editlist.mp4": ("-ss", "0.5", *ok, *copy),
        "44_nopts.avi": (*plain, *copy),
        "45_raw.h264": (*plain, *copy, "-bsf:v", "h264_mp4toannexb"),
        "46_fps1000.mp4": (*_drawn("testsrc2=s=64x64:r=1000:d=1"), *X264),
        "47_fps0.01.mkv": (*_drawn("testsrc2=s=64x64:r=1/100:d=300"), "-c:v", "libx264"),
        "48_24h.mkv": (*_drawn("color=s=16x16:r=1/60:d=86400"), "-c:v", "libx264", "-g", "1440"),
        "49_bomb_16k.mkv": ("-i", f"file:{folder}/bomb.png", "-c:v", "copy"),
        "50_8kx8k.mp4": (*_drawn("color=s=8192x8192:r=1:d=5"), "-c:v", "libx264", "-preset", "ultrafast"),
        "51_40streams.mkv": (*many, *maps, "-c:v", "ffv1"),
        "57_fragmented.mp4": (*ok, *copy, "-movflags", "frag_keyframe+empty_moov"),
        "61_reschange.ts": (*PICTURE, "-c:v", "libx264", "-f", "mpegts"),
        "small.ts": (*_drawn("testsrc2=s=160x120:r=25:d=1"), "-c:v", "libx264", "-f", "mpegts"),
        "moov_behind.mp4": (*ok, *copy),
        "mp3.mp3": (*SOUND, "-c:a", "libmp3lame"),
        "red.png": (*_drawn("color=red:s=64x64"), "-frames:v", "1", "-f", "image2"),
    }
    _make(folder, recipes)
    with (folder / "61_reschange.ts").open("ab") as file:
        file.write(_taken(folder / "small.ts"))
    (folder / "bomb.png").unlink()
    (folder / "21_png_as.mp4").write_bytes(_taken(folder / "red.png"))
    (folder / "22_mp3_as.mp4").write_bytes(_taken(folder / "mp3.mp3"))


def make_files(folder: Path) -> None:
    """Write what needs no encoder, after `make_streams`."""
    good, drawn = (folder / "00_ok.mp4").read_bytes(), random.Random(0)
    behind = _taken(folder / "moov_behind.mp4")
    fragmented, stream = (folder / "57_fragmented.mp4").read_bytes(), (folder / "42_offset.ts").read_bytes()
    nested = b""
    for _ in range(2000):
        nested = atom(b"moov", nested)
    files: dict[str, bytes] = {
        "01_empty.mp4": b"",
        "02_1byte.mp4": good[:1],
        "03_half.mp4": good[: len(good) // 2],
        "04_last1.mp4": good[:-1],
        "05_moovend_cut.mp4": behind[: int(len(behind) * 0.8)],
        "06_zeros.mp4": bytes(100_000),
        "07_random.mp4": drawn.randbytes(100_000),
        "08_html.mp4": b"<!DOCTYPE html><html><body>404 Not Found</body></html>",
        "09_json.mp4": b'{"error":"quota"}',
        "10_flips_mdat.mp4": _flipped(good, 200, drawn),
        "11_stsz_count_bomb.mp4": patched(good, b"stsz", 12, b"\xff\xff\xff\xff"),
        "12_moov_size_bomb.mp4": patched(good, b"moov", -4, b"\x7f\xff\xff\xff"),
        "13_mvhd_duration_bomb.mp4": patched(good, b"mvhd", 4 + 16, b"\xff\xff\xff\xfe"),
        "14_tkhd_dims_lie.mp4": patched(good, b"tkhd", 4 + 76, b"\x7f\xff\0\0\x7f\xff\0\0"),
        "15_double.mp4": good + good,
        "16_prefix_junk.mp4": b"JUNK" * 100 + good,
        "17_suffix_junk.mp4": good + drawn.randbytes(50_000),
        "18_nested_moov_2000.mp4": good[: good.index(b"moov") - 4] + nested,
        "19_atom_size0.mp4": good[:32] + bytes(4) + b"free" + good[32:],
        "20_png_as.mp4": zlib.compress(b"x"),
        # the movie box of a fragmented file, and no fragment: ffmpeg writes no video stream where no frame comes
        "26_zero_frames.mp4": fragmented[: fragmented.index(b"moof") - 4],
        "58_frag_cut.mp4": fragmented[: int(len(fragmented) * 0.6)],
        # not at the border of a packet: a stream that ends there is a shorter one, and nothing tells
        "62_ts_cut.ts": stream[: len(stream) * 2 // 3 // 188 * 188 + 100],
        "63_ffconcat.mp4": b"ffconcat version 1.0\nfile 00_ok.mp4\n",
        "64_hls.mp4": b"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n42_offset.ts\n#EXT-X-ENDLIST\n",
        "65_dash.mp4": MPD,
        "66_svg.mp4": b'<svg xmlns="http://www.w3.org/2000/svg"><image href="file:///etc/passwd"/></svg>',
        "67_zip.mp4": b"PK\x03\x04" + drawn.randbytes(1000),
        "68_gz.mp4": gzip.compress(bytes(50_000_000)),
        "73_noperm.mp4": good,
        "-rf 74.mp4": good,
        "75_é日本 sp'\"ace$(x);.mp4": good,
        "76_" + "n" * 240 + ".mp4": good,
    }
    for name, data in files.items():
        (folder / name).write_bytes(data)
    (folder / "69_symlink.mp4").symlink_to("/etc/passwd")
    (folder / "70_loop.mp4").symlink_to("70_loop.mp4")
    (folder / "71_dir.mp4").mkdir()
    os.mkfifo(folder / "72_fifo.mp4")
    (folder / "73_noperm.mp4").chmod(0)
    with (folder / "77_sparse4g.mp4").open("wb") as file:
        file.truncate(4 * GIB)


def _taken(path: Path) -> bytes:
    data = path.read_bytes()
    path.unlink()
    return data


def _flipped(good: bytes, count: int, drawn: random.Random) -> bytes:
    """Return the file with some bits of its pictures and sound flipped."""
    data = bytearray(good)
    start = data.index(b"mdat") + 8
    for _ in range(count):
        data[start + drawn.randrange(len(data) - start)] ^= 1 << drawn.randrange(8)
    return bytes(data)
