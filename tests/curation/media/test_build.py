"""Which ffmpeg is used, and the fingerprint of what the bytes depend on."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from curation.media import FramePlan, ffmpeg_build, media_fingerprint
from tests.curation.media.fake_ffmpeg import write_fake


def test_the_wheel_s_ffmpeg_is_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CLIPSTRATA_FFMPEG", raising=False)
    build = ffmpeg_build()
    assert "imageio_ffmpeg" in build.path
    assert build.version.startswith("ffmpeg version n9.0.2")
    assert build.sha256 == hashlib.sha256(Path(build.path).read_bytes()).hexdigest()


def test_another_ffmpeg_changes_the_fingerprint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = media_fingerprint()
    fake = write_fake(tmp_path, "exits 1")
    fake.write_text("#!/bin/sh\necho ffmpeg version of mine\n", encoding="utf-8")
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(fake))
    other = media_fingerprint()
    assert other["ffmpeg_version"] == "ffmpeg version of mine"
    assert {key for key in usual if usual[key] != other[key]} == {"ffmpeg_version", "ffmpeg_sha256"}
    assert str(tmp_path) not in str(other)


def test_a_wrong_path_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(tmp_path / "none"))
    with pytest.raises(FileNotFoundError, match="CLIPSTRATA_FFMPEG"):
        ffmpeg_build()
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(write_fake(tmp_path, "exits 1")))
    with pytest.raises(RuntimeError, match="exit code 1"):
        ffmpeg_build()


def test_frame_plan_name() -> None:
    assert FramePlan(count=8, size_px=64).name == "u8-64"


def test_importing_loads_no_decoder() -> None:
    code = "import sys, curation.media; print({'av', 'ffmpeg', 'PIL.Image', 'torch', 'apache_beam'} & set(sys.modules))"
    root = Path(__file__).parents[3]
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=root, check=True)
    assert done.stdout.strip() == "set()"
