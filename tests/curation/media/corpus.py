"""The corpus of 79 files that are known to go wrong somewhere, by number, each with what must become of it.

    python -m tests.curation.media.corpus FOLDER

writes the files into an empty folder, and `corpus.jsonl` beside them: number, file, what is expected of it by those who
collected the kinds, what becomes of it here, and the reason where that differs. The whole video is asked for.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from schemas.reasons import Reason
from tests.curation.media.corpus_files import make_files, make_streams, make_videos

INDEX = "corpus.jsonl"


@dataclass(frozen=True)
class Row:
    """One file of the corpus.

    Attributes:
        expected: by the list: `written`, or a reason, in the words of this project.
        reason: of the failure here; None where a clip is written.
        frames: of the clip; 0 where there is none.
        deviation: why `reason` is not what is expected; empty where it is.
    """

    number: int
    name: str
    expected: str
    reason: Reason | None = None
    frames: int = 0
    deviation: str = ""


def _written(number: int, name: str, frames: int) -> Row:
    return Row(number, name, "written", None, frames)


def _reject(number: int, name: str, reason: Reason) -> Row:
    return Row(number, name, reason.value, reason)


_FLIPS = (
    "a frame that a decoder patched up counts as there: what ffmpeg says of it does not name the span, and it says so "
    "of many whole files; a digest at the fetch finds flipped bits"
)
_LINK = "links are followed, as folders of links are common; the file behind it is no media, and nothing of it is told"
_RAW = "a raw stream has no times to cut by, and no length to compare with"
_SLOW = "the video may be that long; the span, which is the whole of it, may not"
_ROOT = "the superuser may read everything" if os.geteuid() == 0 else ""

ROWS: tuple[Row, ...] = (
    _written(0, "00_ok.mp4", 50),
    _reject(1, "01_empty.mp4", Reason.FILE_EMPTY),
    _reject(2, "02_1byte.mp4", Reason.NOT_MEDIA),
    _reject(3, "03_half.mp4", Reason.TRUNCATED),
    _written(4, "04_last1.mp4", 50),
    _reject(5, "05_moovend_cut.mp4", Reason.BAD_CONTAINER),
    _reject(6, "06_zeros.mp4", Reason.NOT_MEDIA),
    _reject(7, "07_random.mp4", Reason.NOT_MEDIA),
    _reject(8, "08_html.mp4", Reason.NOT_MEDIA),
    _reject(9, "09_json.mp4", Reason.NOT_MEDIA),
    Row(10, "10_flips_mdat.mp4", "decode_errors", None, 49, _FLIPS),
    _reject(11, "11_stsz_count_bomb.mp4", Reason.BAD_CONTAINER),
    _reject(12, "12_moov_size_bomb.mp4", Reason.BAD_CONTAINER),
    _written(13, "13_mvhd_duration_bomb.mp4", 50),
    _written(14, "14_tkhd_dims_lie.mp4", 50),
    _written(15, "15_double.mp4", 50),
    _reject(16, "16_prefix_junk.mp4", Reason.NOT_MEDIA),
    _written(17, "17_suffix_junk.mp4", 50),
    _reject(18, "18_nested_moov_2000.mp4", Reason.BAD_CONTAINER),
    _reject(19, "19_atom_size0.mp4", Reason.BAD_CONTAINER),
    _reject(20, "20_png_as.mp4", Reason.NOT_MEDIA),
    _reject(21, "21_png_as.mp4", Reason.STILL_IMAGE),
    _reject(22, "22_mp3_as.mp4", Reason.NO_VIDEO),
    _reject(23, "23_audio_only.mp4", Reason.NO_VIDEO),
    _written(24, "24_video_only.mp4", 50),
    _reject(25, "25_one_frame.mp4", Reason.TOO_SHORT),
    _reject(26, "26_zero_frames.mp4", Reason.NO_FRAMES),
    _written(27, "27_odd_321x241.webm", 25),
    _written(28, "28_odd_444.mp4", 25),
    _reject(29, "29_2x2.mp4", Reason.BAD_DIMENSIONS),
    _reject(30, "30_16x8192.mp4", Reason.BAD_DIMENSIONS),
    _written(31, "31_10bit.mp4", 50),
    _written(32, "32_hevc10_hdr.mp4", 50),
    _written(33, "33_alpha.webm", 25),
    _written(34, "34_gray.mkv", 50),
    _written(35, "35_fullrange.mp4", 50),
    _written(36, "36_interlaced.mp4", 50),
    _written(37, "37_rot90.mp4", 50),
    _written(38, "38_sar.mp4", 50),
    _written(39, "39_vfr.mp4", 23),
    _written(40, "40_gap.mkv", 50),
    _written(41, "41_negpts.mkv", 50),
    _written(42, "42_offset.ts", 50),
    _written(43, "43_editlist.mp4", 37),
    _written(44, "44_nopts.avi", 50),
    Row(45, "45_raw.h264", "written", Reason.NOT_MEDIA, 0, _RAW),
    _written(46, "46_fps1000.mp4", 1000),
    Row(47, "47_fps0.01.mkv", "too_long", Reason.SPAN_TOO_LONG, 0, _SLOW),
    _reject(48, "48_24h.mkv", Reason.TOO_LONG),
    _reject(49, "49_bomb_16k.mkv", Reason.FRAME_TOO_LARGE),
    _reject(50, "50_8kx8k.mp4", Reason.FRAME_TOO_LARGE),
    _written(51, "51_40streams.mkv", 2),
    _written(52, "52_subs.mkv", 50),
    _written(53, "53_av1.mkv", 5),
    _written(54, "54_gif.gif", 5),
    _written(55, "55_mjpeg.avi", 50),
    _written(56, "56_prores.mov", 5),
    _written(57, "57_fragmented.mp4", 50),
    _reject(58, "58_frag_cut.mp4", Reason.TRUNCATED),
    _written(59, "59_black.mp4", 50),
    _written(60, "60_static.mp4", 50),
    _written(61, "61_reschange.ts", 75),
    _reject(62, "62_ts_cut.ts", Reason.TRUNCATED),
    _reject(63, "63_ffconcat.mp4", Reason.PLAYLIST),
    _reject(64, "64_hls.mp4", Reason.PLAYLIST),
    _reject(65, "65_dash.mp4", Reason.PLAYLIST),
    _reject(66, "66_svg.mp4", Reason.NOT_MEDIA),
    _reject(67, "67_zip.mp4", Reason.NOT_MEDIA),
    _reject(68, "68_gz.mp4", Reason.NOT_MEDIA),
    Row(69, "69_symlink.mp4", "not_regular_file", Reason.NOT_MEDIA, 0, _LINK),
    _reject(70, "70_loop.mp4", Reason.NOT_REGULAR_FILE),
    _reject(71, "71_dir.mp4", Reason.NOT_REGULAR_FILE),
    _reject(72, "72_fifo.mp4", Reason.NOT_REGULAR_FILE),
    Row(73, "73_noperm.mp4", "io_error", None if _ROOT else Reason.IO_ERROR, 50 if _ROOT else 0, _ROOT),
    _written(74, "-rf 74.mp4", 50),
    _written(75, "75_é日本 sp'\"ace$(x);.mp4", 50),
    _written(76, "76_" + "n" * 240 + ".mp4", 50),
    _reject(77, "77_sparse4g.mp4", Reason.FILE_TOO_LARGE),
    _reject(78, "78_encrypted.mp4", Reason.ENCRYPTED),
)
# Listed as filtered (59 black, 60 static): here a signal of a clip that is written, and a rule of judging.


def make_corpus(folder: Path) -> tuple[Row, ...]:
    """Write the 79 files and the index into an empty folder; return its rows."""
    steps: tuple[Callable[[Path], None], ...] = (make_videos, make_streams, make_files)
    for make in steps:
        make(folder)
    lines = [
        json.dumps({**row.__dict__, "reason": row.reason and row.reason.value}, ensure_ascii=False) for row in ROWS
    ]
    (folder / INDEX).write_text("\n".join(lines) + "\n", encoding="utf-8")
    return ROWS


def main() -> int:
    """Write the corpus into the folder named on the command line, and print what is expected of it."""
    if len(sys.argv) != 2:
        sys.stderr.write("say: python -m tests.curation.media.corpus FOLDER\n")
        return 2
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        sys.stderr.write(f"{folder} is not empty; allowed: a new or an empty folder\n")
        return 2
    for row in make_corpus(folder):
        becomes = row.reason.value if row.reason else "written"
        note = f" ({row.deviation})" if row.deviation else ""
        sys.stdout.write(f"{row.number:02d} {row.name[:40]:40} {row.expected:18} {becomes}{note}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
