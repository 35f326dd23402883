"""The ffmpeg command: late spans are sought, and only they. CPU time would say so too, but not on a busy machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.media.ffmpeg_cut import CutJob, cut_command
from curation.media.probe import first_tick, probe
from curation.media.source_file import open_source
from curation.media.spans import PlannedSpan
from schemas.media import ClipFormat, MediaLimits
from tests.curation.media.make import write_counter_video

# 10 fps for 70 s
LONG_MS = [100 * number for number in range(700)]
CASES: dict[str, tuple[tuple[int, ...], str | None]] = {
    "one late span": ((45_100_000,), "35100000us"),
    "late spans start at the first": ((69_000_000, 45_100_000), "35100000us"),
    "the first that is late enough": ((30_000_000,), "20000000us"),
    "not late enough": ((29_999_999,), None),
    "an early one keeps all from it": ((0, 45_100_000), None),
}


@pytest.mark.parametrize(("starts_us", "wanted"), CASES.values(), ids=CASES)
def test_late_spans_are_sought(starts_us: tuple[int, ...], wanted: str | None, tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "plain.mp4", LONG_MS, gop_frames=33)
    source = open_source(str(path), MediaLimits())
    job = CutJob(
        ffmpeg_path="ffmpeg",
        source_path=str(path),
        folder=str(tmp_path),
        video=probe(source, MediaLimits()),
        clip=ClipFormat(),
        limits=MediaLimits(),
        first_tick=first_tick(source, MediaLimits()),
    )
    command = cut_command(job, [_span(index, start_us) for index, start_us in enumerate(starts_us)])
    assert ("-ss" in command) == (wanted is not None)
    if wanted is not None:
        assert command[command.index("-ss") + 1] == wanted
        assert command.index("-ss") < command.index("-i")


def _span(index: int, start_us: int) -> PlannedSpan:
    end_us = start_us + 1_000_000
    return PlannedSpan(
        index=index, start_us=start_us, end_us=end_us, promised=10, extent_us=1_000_000, unreadable=False
    )
