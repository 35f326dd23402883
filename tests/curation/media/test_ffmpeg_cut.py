"""The ffmpeg command: where a group is sought, and nothing else in front of the input."""

from __future__ import annotations

from pathlib import Path

import pytest

from curation.media.ffmpeg_cut import CutJob, cut_command
from curation.media.groups import Group
from curation.media.probe import first_tick, probe
from curation.media.source_file import open_source
from curation.media.spans import PlannedSpan
from schemas.media import ClipFormat, MediaLimits
from tests.curation.media.make import write_counter_video


@pytest.mark.parametrize(("seek_us", "wanted"), [(35_100_000, "35100000us"), (None, None)])
def test_a_group_is_sought_in_front_of_the_input(seek_us: int | None, wanted: str | None, tmp_path: Path) -> None:
    path = write_counter_video(tmp_path / "plain.mp4", [100 * number for number in range(100)])
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
    span = PlannedSpan(
        index=0, start_us=45_100_000, end_us=46_100_000, promised=10, extent_us=1_000_000, unreadable=False
    )
    command = cut_command(job, Group((span,), seek_us))
    assert ("-ss" in command, "-copyts" in command) == (wanted is not None, wanted is not None)
    if wanted is not None:
        assert command[command.index("-ss") + 1] == wanted
        assert command.index("-ss") < command.index("-i")
