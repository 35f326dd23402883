from __future__ import annotations

import pytest

from curation.media.ffmpeg_run import last_words
from curation.media.tasks import MAX_STDERR_BYTES


@pytest.mark.parametrize("address", ["0x55d0c0ffee00", "0x7f00c0ffee0", "0x1"])
def test_an_address_in_memory_leaves_no_trace_in_short_or_long_words(address: str) -> None:
    line = f"[h264 @ {address}] Error splitting the input into NAL units.\n"
    assert last_words(line.encode()) == "[h264] Error splitting the input into NAL units.\n"
    many = last_words(line.encode() * 500)
    assert many == "[h264] Error splitting the input into NAL units.\n" * (len(many) // 49)
    assert MAX_STDERR_BYTES - 49 < len(many) <= MAX_STDERR_BYTES
