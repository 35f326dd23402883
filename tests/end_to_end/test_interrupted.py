"""A build that is killed at random moments, and builds with other worker counts, end in the same bytes."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from curation.verify import verify_run
from pipelines.run_folder import open_run
from schemas.corpus import CorpusConfig, load_corpus
from tests.builders import counted_digests

WORLD = """
corpus: world
sources:
  - {name: stock, origin: clean, format: synthetic, part: stock, location: WORLD, text_kinds: [caption], licence: &l
      {name: CC0-1.0, basis: own, terms: made by clipstrata}}
  - {name: tags, origin: noisy, format: synthetic, part: tags, location: WORLD, text_kinds: [title, tags], licence: *l}
  - {name: alt, origin: noisy, format: synthetic, part: alt_mined, location: WORLD, text_kinds: [alt], licence: *l}
world: {seed: 3, clips: 150}
clip: {short_side_px: 64}
videos_per_unit: 2
shards: {max_mb: 1}
"""
KILLS = 20


def corpus_in(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    corpus = folder / "corpus.yaml"
    corpus.write_text(WORLD.replace("WORLD", "world"))
    return corpus


def command(corpus: Path, out: Path, *flags: str) -> list[str]:
    return [sys.executable, "-m", "beam_runner", "build", str(corpus), "--out", str(out), "--", *flags]


def finish(corpus: Path, out: Path, *flags: str) -> dict[str, str]:
    subprocess.run(command(corpus, out, *flags), check=True, capture_output=True, timeout=300)
    return counted_digests(out)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, str]]:
    folder = tmp_path_factory.mktemp("undisturbed")
    digests = finish(corpus_in(folder), folder / "run")
    return folder / "corpus.yaml", folder / "run", digests


def config_of(corpus: Path) -> CorpusConfig:
    return load_corpus(corpus)


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [("--direct_running_mode=multi_processing", "--direct_num_workers=2"), ("--direct_num_workers=1",)],
    ids=["two processes", "one thread"],
)
def test_another_number_of_workers_gives_the_same_bytes(
    undisturbed: tuple[Path, Path, dict[str, str]], tmp_path: Path, flags: tuple[str, ...]
) -> None:
    _, _, digests = undisturbed
    assert finish(corpus_in(tmp_path), tmp_path / "run", *flags) == digests


@pytest.mark.slow
@pytest.mark.timeout(2400)
def test_killed_twenty_times_and_resumed_it_is_the_same(
    undisturbed: tuple[Path, Path, dict[str, str]], tmp_path: Path
) -> None:
    _, _, digests = undisturbed
    corpus, out = corpus_in(tmp_path), tmp_path / "run"
    moments = random.Random(20)
    killed = [_killed_at(corpus, out, place, moments) for place in KILLED_IN * (KILLS // len(KILLED_IN))]
    assert len(killed) == KILLS
    assert finish(corpus, out) == digests
    assert verify_run(open_run(config_of(corpus), out).store, config_of(corpus)).problems == []
    assert not list((out / "tmp").rglob("*.mp4")), "nothing of the killed attempts is left"


# Where an attempt is killed: a moment after it began to write there, so that no speed of a machine moves it elsewhere.
KILLED_IN = ("clips", "units", "tmp/duplicates", "tmp/judge", "tmp/shard")


def _killed_at(corpus: Path, out: Path, place: str, moments: random.Random) -> str:
    """Run a build and kill it, with all that it started, once `place` changed; returns the place.

    A build that ends before that had nothing to do there: then a part of its work is undone, and it runs again.
    """
    for _ in range(3):
        before = _state(out / place)
        process = subprocess.Popen(
            command(corpus, out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
        )
        while process.poll() is None and _state(out / place) == before:
            time.sleep(0.01)
        if process.poll() is None:
            time.sleep(moments.uniform(0.0, 0.4))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return place
        assert process.returncode == 0
        _undo_a_little(out, moments)
    raise AssertionError(f"three builds ended before they could be killed in {place}")


def _state(folder: Path) -> tuple[int, ...]:
    """Return what changes when a folder is made, made anew, or gets a file."""
    return (folder.stat().st_ino, folder.stat().st_mtime_ns) if folder.is_dir() else ()


def _undo_a_little(out: Path, moments: random.Random) -> None:
    """Take half of its units from a run that ended before its kill, and a file from each later stage."""
    for folder in ("units", "clips"):
        files = sorted((out / folder).glob("*.json"))
        for path in moments.sample(files, k=max(1, len(files) // 2)):
            path.unlink()
    for pattern in ("duplicates/summary.json", "selection/plan.json", "shards/*/*/*.tar"):
        moments.choice(sorted(out.glob(pattern))).unlink()


@pytest.fixture
def interrupts() -> Iterator[None]:
    """Let interrupts through: a shell starts background jobs with SIGINT ignored, and children inherit that."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_an_interrupt_is_exit_130_and_no_child_stays(tmp_path: Path, interrupts: None) -> None:
    corpus, out = corpus_in(tmp_path), tmp_path / "run"
    process = subprocess.Popen(command(corpus, out), stderr=subprocess.PIPE, start_new_session=True)
    deadline = time.monotonic() + 120
    while not list(out.glob("units/*.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert b"the same command goes on where it stopped" in errors
    time.sleep(0.5)
    assert not _members_of_session(process.pid)


def _members_of_session(session: int) -> list[int]:
    pids = [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit()]
    return [pid for pid in pids if _session_of(pid) == session]


def _session_of(pid: int) -> int | None:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return None
