"""The client of the media sandbox, one per worker thread; hostile media is opened only on the far side of its pipe."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any

from curation.media.build import ffmpeg_path
from curation.media.framing import PeerGoneError, read_message, write_message
from curation.media.linux import kill_marked
from curation.media.tasks import MAX_STDERR_BYTES, CutOutcome, CutTask, outcome_from_json, task_to_json, video_failure
from schemas.reasons import Reason

START_TIMEOUT_S = 60.0
# the server keeps the deadline; this much later the client takes it that the server hangs
GRACE_S = 5.0
CLOSE_S = 3.0
MARK_ENV = "CLIPSTRATA_SANDBOX"
# everything else of the environment stays outside: cloud keys and tokens have no business near hostile media
KEPT_ENV = ("PATH", "LD_LIBRARY_PATH", "TMPDIR")
MODULE = "curation.media.sandbox_server"


class MediaSandbox:
    """A long-lived server process that forks a limited child per video.

    Not to be shared between threads; many may live in one process. `cut` starts the server when it is first needed and
    starts it again when it died.
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._stderr: int | None = None
        self._mark = ""
        self._network_isolated: bool | None = None

    def __enter__(self) -> MediaSandbox:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def network_isolated(self) -> bool | None:
        """Whether the server left the network behind; None before it was started."""
        return self._network_isolated

    @property
    def pid(self) -> int | None:
        """The server's process id; None while there is none."""
        return None if self._process is None else self._process.pid

    def start(self) -> None:
        """Start the server if it is not running; returns when it is ready.

        Raises:
            RuntimeError: it does not start; the message holds the end of its stderr.
        """
        if self._process is not None and self._process.poll() is None:
            return
        self.close()
        self._mark = secrets.token_hex(16)
        self._stderr = _nameless_file()
        # a session of its own: Ctrl-C at the terminal is for the job, which then closes the sandbox
        self._process = subprocess.Popen(
            [sys.executable, "-m", MODULE],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._stderr,
            start_new_session=True,
            cwd="/",
            env=_scrubbed_environment(self._mark),
        )
        try:
            hello = read_message(self._read_end(), START_TIMEOUT_S)
        except (PeerGoneError, TimeoutError) as error:
            said = self._last_words()
            self._kill()
            raise RuntimeError(f"the media sandbox does not start: {error}; {said}") from error
        self._network_isolated = bool(hello["network_isolated"])

    def cut(self, task: CutTask) -> CutOutcome:
        """Cut all spans of one video.

        Whatever the media is, the outcome tells. The call ends within the deadline, which grows with the work that the
        container promises up to `limits.max_wall_s`, and a few seconds; what was finished by then is kept. A server
        that dies in the middle costs this video (`child_crashed`) and is started again for the next.

        Raises:
            RuntimeError: the sandbox itself cannot be started here.
            FileNotFoundError: there is no ffmpeg.
            ValueError: the task wants shots of a model; `curation.media.with_models` has it.
        """
        if task.lacks_shots and not task.shot_frames:
            raise ValueError("the task wants shots by TransNetV2, which is not in the child; cut it with ModelCut")
        started_ns = time.monotonic_ns()
        self.start()
        absolute = replace(task, path=_absolute(task.path), out_dir=_absolute(task.out_dir))
        request = task_to_json(absolute, ffmpeg_path())
        answered = False
        try:
            write_message(self._write_end(), request)
            outcome = outcome_from_json(self._answer(task.limits.wall_s))
            answered = True
        except TimeoutError as error:
            outcome = video_failure(Reason.TIMEOUT, f"the sandbox hangs: {error}")
        except PeerGoneError as error:
            outcome = video_failure(Reason.CHILD_CRASHED, f"the sandbox died: {error}; {self._last_words()}")
        finally:
            # also when the caller is interrupted: a late answer must not be taken for the next video's
            if not answered:
                self._kill()
        return replace(outcome, wall_us=(time.monotonic_ns() - started_ns) // 1000)

    def _answer(self, wall_s: float) -> dict[str, Any]:
        """Return the server's answer, waiting as long as it says that it needs.

        Raises:
            TimeoutError: it says nothing.
        """
        started_s = time.monotonic()
        while True:
            left_s = started_s + wall_s + GRACE_S - time.monotonic()
            message = read_message(self._read_end(), left_s)
            if "wait_s" not in message:
                return message
            wall_s = message["wait_s"]

    def close(self) -> None:
        """End the server and everything it started; safe to call twice."""
        process = self._process
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(CLOSE_S)
        except subprocess.TimeoutExpired:
            self._kill()
            return
        self._forget(clean=process.returncode == 0)

    def _kill(self) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        self._forget(clean=False)

    def _forget(self, *, clean: bool) -> None:
        process, self._process = self._process, None
        for stream in () if process is None else (process.stdin, process.stdout):
            if stream is not None:
                stream.close()
        if self._stderr is not None:
            os.close(self._stderr)
        self._stderr = None
        if not clean:
            # children die with their server; what they started may not, and is found by the sandbox's own mark
            deadline_s = time.monotonic() + CLOSE_S
            while kill_marked(f"{MARK_ENV}={self._mark}") and time.monotonic() < deadline_s:
                time.sleep(0.005)

    def _last_words(self) -> str:
        if self._stderr is None:
            return ""
        size_bytes = os.fstat(self._stderr).st_size
        tail = os.pread(self._stderr, MAX_STDERR_BYTES, max(0, size_bytes - MAX_STDERR_BYTES))
        return tail.decode("utf-8", "replace").strip()

    def _read_end(self) -> int:
        if self._process is None or self._process.stdout is None:
            raise PeerGoneError("not started")
        return self._process.stdout.fileno()

    def _write_end(self) -> int:
        if self._process is None or self._process.stdin is None:
            raise PeerGoneError("not started")
        return self._process.stdin.fileno()


def _nameless_file() -> int:
    descriptor, name = tempfile.mkstemp(prefix="clipstrata-")
    os.unlink(name)
    return descriptor


def _absolute(path: str) -> str:
    # not resolve(): the name is checked as the source wrote it, and a loop of links must not raise here
    return os.path.abspath(path) if "\0" not in path else path


def _scrubbed_environment(mark: str) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    places = [root, *(place for place in sys.path if place and place != root)]
    environment = {name: os.environ[name] for name in KEPT_ENV if name in os.environ}
    # safe path: neither the working directory nor a script's folder may shadow a module
    fixed = {"PYTHONPATH": os.pathsep.join(places), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "LANG": "C.UTF-8"}
    return {**environment, **fixed, MARK_ENV: mark}
