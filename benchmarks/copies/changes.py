"""The changes that make a copy of a clip, each as ffmpeg filters, and what of the base's content is left after it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

US_PER_S = 1_000_000
BASE_CRF = 20
SHIFT_US = 500_000
LOGO, SUBTITLES = "logo", "subtitles"
SHIFT, CONCAT, OTHER_UPLOAD = "shift_500ms", "concat", "other_upload"
SHORT_SIDE = "scale='if(gt(iw,ih),-2,2*trunc(min(288,iw)/2))':'if(gt(iw,ih),2*trunc(min(288,ih)/2),-2)':flags=bicubic"
"""The size of all clips: a shorter side of at most 288 px, both sides even."""


@dataclass(frozen=True, kw_only=True)
class Change:
    """One way to make a copy out of a base clip.

    Attributes:
        filters: of ffmpeg, joined by commas; `$fps` stands for the base's frame rate.
        crf: of x264.
        overlay: LOGO or SUBTITLES, a drawn picture over all frames.
        cut_head: least and largest share of the clip that goes at its start; the share between is drawn per base.
        cut_tail: the same at its end.
    """

    filters: str = ""
    crf: int = 23
    overlay: str | None = None
    cut_head: tuple[float, float] = (0.0, 0.0)
    cut_tail: tuple[float, float] = (0.0, 0.0)


def _scaled(share: str) -> Change:
    return Change(filters=f"scale=2*trunc(iw*{share}/2):2*trunc(ih*{share}/2):flags=bicubic")


def _cropped(share: float) -> Change:
    """Take away a share of the width and of the height, less of it at the left and more at the top."""
    kept = round(1 - share, 2)
    return Change(filters=f"crop=2*trunc(iw*{kept}/2):2*trunc(ih*{kept}/2):(iw-ow)*0.3:(ih-oh)*0.7")


def _padded(share: float) -> Change:
    """Add a black border of a share of the width at the left and right, of the height above and below."""
    grown = round(1 + 2 * share, 2)
    frame = f"pad=2*trunc(iw*{grown}/2):2*trunc(ih*{grown}/2):(ow-iw)/2:(oh-ih)/2"
    return Change(filters=f"{frame},scale=2*trunc(iw/{grown}/2):2*trunc(ih/{grown}/2):flags=bicubic")


def _letterboxed() -> Change:
    """Bars above and below to 4:3; a picture that is narrower than 3:2 gets bars beside it, to 16:9."""
    width, height = "if(gte(iw/ih,1.5),iw,2*trunc(ih*16/9/2))", "if(gte(iw/ih,1.5),2*trunc(iw*3/4/2),ih)"
    box = f"pad='{width}':'{height}':(ow-iw)/2:(oh-ih)/2"
    return Change(filters=f"{box},{SHORT_SIDE}")


CHANGES: Mapping[str, Change] = MappingProxyType(
    {
        **{f"crf_{crf}": Change(crf=crf) for crf in (18, 23, 28, 34, 40)},
        "scale_half": _scaled("0.5"),
        "scale_quarter": _scaled("0.25"),
        "pad_2": _padded(0.02),
        "pad_5": _padded(0.05),
        "fps_15": Change(filters="fps=15"),
        "fps_24": Change(filters="fps=24"),
        "fps_60": Change(filters="fps=60"),
        "trim_head": Change(cut_head=(0.1, 0.3)),
        "trim_tail": Change(cut_tail=(0.1, 0.3)),
        "trim_both": Change(cut_head=(0.1, 0.15), cut_tail=(0.1, 0.15)),
        "letterbox": _letterboxed(),
        "crop_5": _cropped(0.05),
        "crop_10": _cropped(0.10),
        "crop_20": _cropped(0.20),
        "logo": Change(overlay=LOGO),
        "subtitles": Change(overlay=SUBTITLES),
        "mirror": Change(filters="hflip"),
        "brighter": Change(filters="eq=brightness=0.12"),
        "darker": Change(filters="eq=brightness=-0.12"),
        "contrast_up": Change(filters="eq=contrast=1.35"),
        "contrast_down": Change(filters="eq=contrast=0.7"),
        "colour": Change(filters="hue=h=40:s=1.5"),
        "grey": Change(filters="hue=s=0"),
        "speed_0.9": Change(filters="setpts=PTS/0.9,fps=$fps"),
        "speed_1.1": Change(filters="setpts=PTS/1.1,fps=$fps"),
    }
)
"""Kinds of copies that are made of a base clip alone. SHIFT (the video cut again half a second later), CONCAT (another
base clip of the split before or after it) and OTHER_UPLOAD (another file of the same video that people made) need more.
"""
KINDS = (*CHANGES, SHIFT, CONCAT, OTHER_UPLOAD)
PROMISED = tuple(kind for kind in KINDS if kind.startswith(("crf_", "scale_", "pad_", "fps_", "trim_")))
"""The kinds of which 97 % must be found."""
PROMISED_RECALL, PROMISED_PRECISION = 0.97, 0.99
