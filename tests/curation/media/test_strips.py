from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from curation.media.strips import strip_picture, write_strip


def flat(value: int) -> np.ndarray:
    return np.full((48, 48, 3), value, dtype=np.uint8)


def test_a_picture_shows_an_early_a_middle_and_a_late_square() -> None:
    strip = write_strip([flat(value) for value in (0, 40, 80, 120, 160, 200)])
    with Image.open(io.BytesIO(strip_picture(strip))) as picture:
        found = [round(np.asarray(picture)[:, place * 72 : (place + 1) * 72].mean()) for place in range(3)]
        assert picture.size == (216, 72)
    assert found == pytest.approx([40, 120, 200], abs=2)


def test_one_square_is_shown_three_times() -> None:
    with Image.open(io.BytesIO(strip_picture(write_strip([flat(90)])))) as picture:
        assert np.asarray(picture).mean() == pytest.approx(90, abs=2)


@pytest.mark.parametrize("data", [b"", b"no picture", write_strip([flat(1)])[:200]])
def test_what_is_no_strip_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match=r"JPEG|strip"):
        strip_picture(data)


def test_a_picture_that_is_not_made_of_squares_is_refused() -> None:
    buffer = io.BytesIO()
    Image.new("RGB", (48, 50)).save(buffer, format="JPEG")
    with pytest.raises(ValueError, match="48x50 px; a strip is squares"):
        strip_picture(buffer.getvalue())
