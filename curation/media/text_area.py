"""How much of a picture text covers, by PP-OCR in the package `rapidocr` (extra `ocr`); what it reads is not kept."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

# A picture, uint8 [H, W, 3] RGB -> the boxes of its texts, [n, 4, 2] corners (x, y) in its pixels.
FindText = Callable[[NDArray[np.uint8]], NDArray[np.float32]]
ONE_1E4 = 10_000
# The detector enlarges a picture whose shorter side is smaller. Its own default of 736 takes six times as long, and
# finds no more of subtitles (tried down to letters of 10 px).
DETECTOR_SIDE_PX = 288
# Of 39 real videos, 18 had such a false letter in some picture, with a confidence of up to 0.70; read texts of seven
# characters had 0.55 and more. With two characters asked for, what is left of these are two signs in one video.
MIN_CHARS = 2


class RapidTextFinder:
    """The package's own pipeline in this process, on one thread: about 0.1 s a picture of 288 lines, 310 MB of memory.

    Its models come with it: nothing is downloaded. A box that the detector finds counts where the recogniser reads at
    least MIN_CHARS in it, with a confidence of 0.5 as the package has it: the detector alone takes many a picture
    without any text for one large letter.
    """

    def __init__(self) -> None:
        from rapidocr import RapidOCR  # an extra, and a second to load

        options = {
            "Global.log_level": "critical",
            "Global.use_cls": False,
            "EngineConfig.onnxruntime.intra_op_num_threads": 1,
            "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            "Det.limit_type": "min",
            "Det.limit_side_len": DETECTOR_SIDE_PX,
        }
        self._ocr = RapidOCR(params=options)

    def __call__(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return the boxes of the texts in a picture."""
        found: Any = self._ocr(np.ascontiguousarray(picture[:, :, ::-1]))  # it wants BGR
        if found.boxes is None or found.txts is None:
            return np.zeros((0, 4, 2), np.float32)
        read = [len(text.strip()) >= MIN_CHARS for text in found.txts]
        return np.asarray(found.boxes, np.float32)[read]


def text_area_1e4(pictures: NDArray[np.uint8], find: FindText) -> int:
    """Return the share of pictures that text covers, mean over all, in 1e-4; a pixel under two boxes counts once.

    Args:
        pictures: uint8 [count, H, W, 3] RGB, at least one.
    """
    shares = [_share(picture, find(picture)) for picture in pictures]
    return round(ONE_1E4 * sum(shares) / len(shares))


def _share(picture: NDArray[np.uint8], boxes: NDArray[np.float32]) -> float:
    height, width = picture.shape[:2]
    covered = Image.new("L", (width, height))
    draw = ImageDraw.Draw(covered)
    for box in boxes:
        draw.polygon([(float(x), float(y)) for x, y in box], fill=1)
    return int(np.count_nonzero(np.asarray(covered))) / (width * height)
