"""The video of a site's page, found by yt-dlp in a child process that is killed as a group when its time is over."""

from __future__ import annotations

import hashlib
import json
import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from curation.fetching.base import FETCHED_NAME, Fetched, FetchError
from curation.fetching.clock import Deadline
from curation.fetching.guard import Target, parse_target
from curation.fetching.http_fetch import WebTools, counted
from schemas.fetching import FetchPolicy
from schemas.reasons import Reason

CHILD_MODULE = "curation.fetching.site_child"
MAX_ANSWER_BYTES = 65_536
# Certificates and look-up of libraries; cloud keys and proxies stay outside.
KEPT_ENV = ("PATH", "LD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR")


def child_command(module: str = CHILD_MODULE) -> tuple[str, ...]:
    """Return what starts a module as yt-dlp's child, with the Python of this process."""
    return (sys.executable, "-m", module)


class SiteFetcher:
    """Fetches the videos of pages.

    Args:
        command: what runs the child.
    """

    def __init__(self, tools: WebTools, policy: FetchPolicy, command: Sequence[str]) -> None:
        self._tools = tools
        self._policy = policy
        self._command = tuple(command)

    def serves(self, address: str) -> bool:
        """Return whether an http(s) address is a page of one of the sites."""
        host = parse_target(address).host
        return any(host == site or host.endswith(f".{site}") for site in self._policy.sites.hosts)

    def fetch(self, address: str, folder: Path) -> Fetched:
        """Return the video of a page.

        Raises:
            FetchError: there is none, or it may not be had.
            HostBrokenError: its site stopped answering as it did.
        """
        target = parse_target(address)
        deadline = Deadline(self._tools.retry.clock, self._policy.deadline_s)
        with counted(target.host, self._tools.hosts):
            return self._tools.retry.run(lambda: self._try(target, folder, deadline), deadline)

    def _try(self, target: Target, folder: Path, deadline: Deadline) -> Fetched:
        rights = self._tools.rules.check(target, self._policy.rights, deadline)
        with self._tools.hosts.turn(target.host, deadline):
            scratch = Path(tempfile.mkdtemp(prefix="site.", dir=folder))
            try:
                answer = run_child(self._command, self._job(target, scratch, deadline), scratch, deadline)
                if "reason" in answer:
                    raise FetchError(Reason(answer["reason"]), answer["detail"])
                path = folder / FETCHED_NAME
                os.replace(scratch / Path(answer["name"]).name, path)
            finally:
                shutil.rmtree(scratch, ignore_errors=True)
        return _checked(path, self._policy, {**rights, **answer["rights"]})

    def _job(self, target: Target, scratch: Path, deadline: Deadline) -> dict[str, Any]:
        sites = self._policy.sites
        return {
            "url": target.origin + target.path,
            "folder": str(scratch),
            "extractors": sites.extractors,
            "height_px": sites.height_px,
            "audio": sites.audio,
            "max_duration_s": sites.max_duration_s,
            "max_bytes": self._policy.max_bytes,
            "max_bytes_per_s": sites.max_bytes_per_s,
            "cookies_file": sites.cookies_file,
            "stall_s": self._policy.stall_s,
            "user_agent": self._policy.user_agent,
            "cpu_s": max(60.0, deadline.left_s()),
        }


def run_child(command: Sequence[str], job: dict[str, Any], scratch: Path, deadline: Deadline) -> dict[str, Any]:
    """Have a child do a job and return its answer; neither it nor anything that it started lives on.

    Raises:
        FetchError: `deadline`, or `site_broken` for a child that dies or does not answer as it should.
    """
    left_s = deadline.left_s()
    process = subprocess.Popen(
        list(command),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd=scratch,
        env=_environment(scratch),
    )
    assert process.stdin is not None and process.stdout is not None
    try:
        with process.stdin:
            process.stdin.write(json.dumps(job).encode("utf-8"))
        said = _read_all(process.stdout.fileno(), time.monotonic() + left_s)
    except BrokenPipeError:
        said = b""
    finally:
        # before it is waited for, so that its number cannot be another's yet
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        process.stdout.close()
    if said is None:
        raise deadline.passed()
    return _understood(said)


def _read_all(descriptor: int, until_s: float) -> bytes | None:
    """Return all that is written to a pipe until it is closed; None if it is not closed in time."""
    said = b""
    while len(said) <= MAX_ANSWER_BYTES:
        readable, _, _ = select.select([descriptor], [], [], max(0.0, until_s - time.monotonic()))
        if not readable:
            return None
        data = os.read(descriptor, 65_536)
        if not data:
            break
        said += data
    return said


def _understood(said: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(said)
    except ValueError:
        answer = None
    if not isinstance(answer, dict) or not (
        {"reason", "detail"} <= answer.keys() or {"name", "rights"} <= answer.keys()
    ):
        raise FetchError(Reason.SITE_BROKEN, "the child ended without an answer")
    return answer


def _checked(path: Path, policy: FetchPolicy, rights: dict[str, str]) -> Fetched:
    size_bytes = path.stat().st_size
    problem = None
    if size_bytes == 0:
        problem = FetchError(Reason.FILE_EMPTY, "the video is 0 bytes")
    elif size_bytes > policy.max_bytes:
        problem = FetchError(Reason.FILE_TOO_LARGE, f"{size_bytes} bytes; allowed: {policy.max_bytes}")
    if problem is not None:
        path.unlink()
        raise problem
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Fetched(path=path, bytes=size_bytes, sha256=digest, is_copy=True, rights=rights)


def _environment(scratch: Path) -> dict[str, str]:
    root = str(Path(__file__).resolve().parents[2])
    places = [root, *(place for place in sys.path if place and place != root)]
    kept = {name: os.environ[name] for name in KEPT_ENV if name in os.environ}
    fixed = {"PYTHONPATH": os.pathsep.join(places), "PYTHONSAFEPATH": "1", "PYTHONUTF8": "1", "LANG": "C.UTF-8"}
    # yt-dlp looks for plug-ins and settings in the home folder
    return {**kept, **fixed, "HOME": str(scratch), "TMPDIR": str(scratch), "YTDLP_NO_PLUGINS": "1"}
