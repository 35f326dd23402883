"""Hashes of a benchmark: the file, and how a folder's videos become clips of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from curation.duplicates.benchmark_folder import benchmark_videos, hash_video
from curation.duplicates.benchmarks import HASHES, HashedClip, read_hashes, write_hashes
from curation.media import CutFailure, CutOutcome, CutTask
from curation.media.tasks import video_failure
from schemas.config_file import ConfigError
from schemas.reasons import Reason, Stage
from tests.fakes import fake_clip_facts

CLIP = HashedClip(clip="a.mp4", duration_us=1, content_sha256="0" * 64, frame_hashes=b"\x01" * 32, hash_quality=b"\x64")


def test_a_file_survives_and_its_bytes_do_not_hang_on_the_order(tmp_path: Path) -> None:
    other = replace(CLIP, clip="b.mp4", frame_hashes=b"", hash_quality=b"")
    data = write_hashes([other, CLIP])
    assert data == write_hashes([CLIP, other])
    (tmp_path / "h.parquet").write_bytes(data)
    assert read_hashes(tmp_path / "h.parquet").rows() == [
        ("a.mp4", 1, "0" * 64, b"\x01" * 32, b"\x64"),
        ("b.mp4", 1, "0" * 64, b"", b""),
    ]


def other_format() -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(HASHES.with_metadata({"format": "clipstrata.hashes/9"}).empty_table(), sink)
    return sink.getvalue().to_pybytes()


WRONG = {"no Parquet": b"no", "another format": other_format()}


@pytest.mark.parametrize("name", WRONG)
def test_another_file_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / "h.parquet").write_bytes(WRONG[name])
    with pytest.raises(ConfigError, match="allowed: a file that `clipstrata hashes"):
        read_hashes(tmp_path / "h.parquet")
    with pytest.raises(ConfigError, match="cannot be read"):
        read_hashes(tmp_path / "absent.parquet")


def test_videos_are_found_below_a_folder(tmp_path: Path) -> None:
    for name in ("b.mp4", "sub/a.WEBM", "sub/a.txt", "note.md"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert benchmark_videos(tmp_path) == ["b.mp4", "sub/a.WEBM"]


def test_a_long_video_is_several_clips_and_a_failure_is_told(tmp_path: Path) -> None:
    parts = [
        replace(fake_clip_facts(0, name), made_us=(start, start + 1)) for name, start in ((b"two", 60), (b"one", 0))
    ]
    rest = CutFailure(span_index=0, stage=Stage.CUT, reason=Reason.TOO_SHORT, detail="0.1 s", made_us=(120, 121))

    def cut(task: CutTask) -> CutOutcome:
        assert (task.path, task.spans, task.cutting.long_spans) == (str(tmp_path / "v.mp4"), ((None, None),), "split")
        return replace(video_failure(Reason.NOT_MEDIA, ""), clips=tuple(parts), failures=(rest,))

    found = hash_video(tmp_path, "v.mp4", cut)
    assert [(clip.clip, clip.content_sha256) for clip in found.clips] == [
        ("v.mp4", parts[1].content_sha256),
        ("v.mp4#1", parts[0].content_sha256),
    ]
    assert found.failures == (rest,)
