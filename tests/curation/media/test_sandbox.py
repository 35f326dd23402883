"""The sandbox holds: whatever stands in ffmpeg's place, the call returns in time and nothing is left behind."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from curation.media import CutOutcome, MediaSandbox
from schemas.media import MediaLimits
from tests.curation.media.conftest import make_task
from tests.curation.media.fake_ffmpeg import SCRIPTS, SLEEP_S, write_fake
from tests.curation.media.make import write_test_video

WALL_S = 2.0
TIGHT = MediaLimits(wall_s=15, cpu_s=1, frame_ms=0, memory_mb=300, output_mb=5)
ROOMY = MediaLimits(wall_s=WALL_S, cpu_s=60, frame_ms=0, memory_mb=4_000, output_mb=5)

# script -> (limits, reason, the whole video fails)
EXPECTED = {
    "sleeps": (ROOMY, "timeout", True),
    "ignores SIGTERM": (ROOMY, "timeout", True),
    "leaves a grandchild": (ROOMY, "encode_failed", False),
    "hides in a session of its own": (ROOMY, "timeout", True),
    "keeps stderr open": (ROOMY, "encode_failed", False),
    "floods stderr": (ROOMY, "encode_failed", False),
    "floods stderr for ever": (ROOMY, "timeout", True),
    "writes for ever": (ROOMY, "output_limit", False),
    "burns the CPU": (TIGHT, "cpu_limit", True),
    "eats memory": (TIGHT, "memory_limit", True),
    "exits 0 with no output": (ROOMY, "encode_failed", False),
    "exits 1": (ROOMY, "encode_failed", False),
    "segfaults": (ROOMY, "child_crashed", False),
    "kills itself": (ROOMY, "child_crashed", False),
    "writes rubbish": (ROOMY, "clip_undecodable", False),
    "writes an empty file": (ROOMY, "no_frames", False),
}


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A good video of 2 s."""
    return write_test_video(tmp_path_factory.mktemp("video") / "video.mp4")


@pytest.fixture(scope="module")
def own_sandbox() -> Iterator[MediaSandbox]:
    """A sandbox that only these tests use."""
    with MediaSandbox() as warm:
        warm.start()
        yield warm


def sleepers() -> list[int]:
    """Processes of the fakes that are still there, found by their number of seconds."""
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if SLEEP_S in " ".join(process.info["cmdline"] or ()):
            found.append(process.pid)
    return found


def descendants(sandbox: MediaSandbox) -> list[psutil.Process]:
    """Everything below the sandbox's server."""
    return psutil.Process(sandbox.pid).children(recursive=True)


def temporary_files() -> list[str]:
    """The sandbox's own files in the temporary folder."""
    return [name for name in os.listdir(tempfile.gettempdir()) if name.startswith("clipstrata-")]


def only_reason(outcome: CutOutcome) -> tuple[str, bool]:
    """The one failure's reason, and whether it is the whole video's."""
    assert outcome.clips == ()
    (failure,) = outcome.failures
    return failure.reason.value, failure.span_index is None


@pytest.mark.parametrize("name", SCRIPTS)
def test_misbehaving_ffmpeg(
    name: str, video: Path, own_sandbox: MediaSandbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    limits, reason, whole = EXPECTED[name]
    monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(write_fake(tmp_path, name)))
    server = own_sandbox.pid
    started = time.monotonic()
    outcome = own_sandbox.cut(make_task(video, tmp_path / "out", limits=limits))
    assert time.monotonic() - started < limits.wall_s + 10
    assert only_reason(outcome) == (reason, whole)
    assert len(outcome.failures[0].detail) < 2_500
    assert descendants(own_sandbox) == []
    assert sleepers() == []
    monkeypatch.delenv("CLIPSTRATA_FFMPEG")
    after = own_sandbox.cut(make_task(video, tmp_path / "after"))
    assert [clip.frames for clip in after.clips] == [50]
    assert own_sandbox.pid == server


def test_server_killed_while_it_works(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = write_fake(tmp_path, "hides in a session of its own")
    with MediaSandbox() as sandbox:
        sandbox.start()
        first = sandbox.pid
        assert first is not None
        monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(fake))
        killer = threading.Timer(1.0, os.kill, (first, signal.SIGKILL))
        killer.start()
        outcome = sandbox.cut(make_task(video, tmp_path / "out", limits=MediaLimits(wall_s=30)))
        killer.join()
        assert only_reason(outcome) == ("child_crashed", True)
        time.sleep(0.2)
        assert sleepers() == []
        monkeypatch.delenv("CLIPSTRATA_FFMPEG")
        assert len(sandbox.cut(make_task(video, tmp_path / "again")).clips) == 1
        assert sandbox.pid != first


class Interrupted(BaseException):
    """What a signal handler of the test raises in the middle of a call."""


def test_interrupted_call_leaves_no_answer_behind(video: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(number: int, frame: object) -> None:
        raise Interrupted

    with MediaSandbox() as sandbox:
        sandbox.start()
        monkeypatch.setenv("CLIPSTRATA_FFMPEG", str(write_fake(tmp_path, "sleeps")))
        usual = signal.signal(signal.SIGALRM, interrupt)
        signal.setitimer(signal.ITIMER_REAL, 0.7)
        with pytest.raises(Interrupted):
            sandbox.cut(make_task(video, tmp_path / "out", limits=MediaLimits(wall_s=20)))
        signal.signal(signal.SIGALRM, usual)
        assert sleepers() == []
        monkeypatch.delenv("CLIPSTRATA_FFMPEG")
        assert len(sandbox.cut(make_task(video, tmp_path / "again")).clips) == 1


def test_server_that_hangs_is_replaced(video: Path, tmp_path: Path) -> None:
    with MediaSandbox() as sandbox:
        sandbox.start()
        assert sandbox.pid is not None
        os.kill(sandbox.pid, signal.SIGSTOP)
        started = time.monotonic()
        outcome = sandbox.cut(make_task(video, tmp_path / "out", limits=MediaLimits(wall_s=0.5)))
        assert time.monotonic() - started < 20
        assert only_reason(outcome) == ("timeout", True)
        assert len(sandbox.cut(make_task(video, tmp_path / "again")).clips) == 1


def test_killed_parent_takes_everything_along(tmp_path: Path) -> None:
    fake = write_fake(tmp_path, "sleeps")
    video = write_test_video(tmp_path / "video.mp4")
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.curation.media.conftest import make_task\n"
        "from curation.media import MediaSandbox\n"
        "MediaSandbox().cut(make_task(Path(sys.argv[1]), Path(sys.argv[2])))\n"
    )
    root = Path(__file__).parents[3]
    environment = {**os.environ, "CLIPSTRATA_FFMPEG": str(fake), "PYTHONPATH": str(root)}
    parent = psutil.Popen([sys.executable, "-c", code, str(video), str(tmp_path / "out")], env=environment, cwd=root)
    deadline = time.monotonic() + 30
    while not sleepers() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(sleepers()) == 1
    below = parent.children(recursive=True)
    parent.kill()
    parent.wait()
    gone, alive = psutil.wait_procs(below, timeout=5)
    assert (len(gone), alive) == (3, [])


def test_environment_is_scrubbed_and_network_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret-1")
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", "secret-2")
    monkeypatch.setenv("HTTPS_PROXY", "secret-3")
    with MediaSandbox() as sandbox:
        assert sandbox.network_isolated is None
        sandbox.start()
        environment = psutil.Process(sandbox.pid).environ()
        assert not [name for name in environment if name.startswith(("AWS_", "GOOGLE_", "HTTP"))]
        assert "secret" not in "".join(environment.values())
        if sandbox.network_isolated:
            assert os.readlink(f"/proc/{sandbox.pid}/ns/net") != os.readlink("/proc/self/ns/net")


def test_nothing_leaks_over_fifty_videos(video: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(video.read_bytes()[:3_000])
    with MediaSandbox() as sandbox:
        sandbox.cut(make_task(video, tmp_path / "warm"))
        server, me = psutil.Process(sandbox.pid), psutil.Process()
        before = (server.num_fds(), me.num_fds(), me.num_threads(), temporary_files())
        resident = server.memory_info().rss
        for number in range(50):
            out_dir = tmp_path / f"out{number}"
            sandbox.cut(make_task(broken if number % 5 == 0 else video, out_dir))
            left = {path.suffix for path in out_dir.iterdir()}
            assert left == (set() if number % 5 == 0 else {".mp4", ".jpg"})
        assert (server.num_fds(), me.num_fds(), me.num_threads(), temporary_files()) == before
        assert server.children() == []
        assert server.memory_info().rss - resident < 5_000_000


def test_threads_have_sandboxes_of_their_own(video: Path, tmp_path: Path) -> None:
    frames: dict[int, list[int]] = {}

    def work(number: int) -> None:
        with MediaSandbox() as sandbox:
            outcomes = [sandbox.cut(make_task(video, tmp_path / f"out{number}-{turn}")) for turn in range(3)]
            frames[number] = [clip.frames for outcome in outcomes for clip in outcome.clips]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert frames == {0: [50, 50, 50], 1: [50, 50, 50], 2: [50, 50, 50]}


def test_server_outlives_the_thread_that_started_it(video: Path, tmp_path: Path) -> None:
    with MediaSandbox() as sandbox:
        starter = threading.Thread(target=sandbox.start)
        starter.start()
        starter.join()
        time.sleep(1.5)
        assert len(sandbox.cut(make_task(video, tmp_path / "out")).clips) == 1
