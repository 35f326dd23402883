"""The child process that yt-dlp runs in: one page, one file, no programs, and no connection but to a checked address.

It reads a job as JSON from its input and writes its answer as JSON to its output. Its parent kills it when its time is
over. Python tells of every connection and of every program that is to be started (PEP 578), also of those that an
extractor makes; those that may not be are refused there, after the name has been looked up.
"""

from __future__ import annotations

import io
import json
import os
import re
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from curation.fetching.guard import Guard, public_only
from curation.fetching.site_errors import reason_of, shown
from curation.media.linux import die_with_parent, limit_resources
from schemas.reasons import Reason

NAME = "fetched"
_PROGRAMS = ("subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.")
_NATIVE = "[protocol~='^(https?|http_dash_segments|m3u8_native)$']"
_LIVE = frozenset({"is_live", "is_upcoming", "post_live"})
# of memory for yt-dlp itself, with all its extractors
MEMORY_MB = 1500


class _RefusedError(Exception):
    """The video must not be taken."""

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class _Quiet:
    """Takes what yt-dlp would print, and drops it: it holds addresses with their signatures."""

    def debug(self, message: str) -> None:
        """Drop a message."""

    info = warning = error = debug


def forbid(guard: Guard, refused: list[str]) -> None:
    """Refuse, for the rest of this process, to start programs and to connect to addresses that the guard refuses."""

    def hook(event: str, args: tuple[Any, ...]) -> None:
        if event.startswith(_PROGRAMS):
            raise PermissionError(f"no programs here ({event})")
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            address = args[1]
            host = str(address[0]) if isinstance(address, tuple) else "a local socket"
            if why := guard(host):
                refused.append(f"an address that is {why}")
                raise PermissionError("the address may not be connected to")

    sys.addaudithook(hook)


def options_of(job: dict[str, Any], hook: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Return yt-dlp's parameters for a job."""
    height = f"[height<=?{job['height_px']}]{_NATIVE}"
    with_sound, pictures = f"b{height}/w{_NATIVE}", f"bv*{height}/b{height}/wv*{_NATIVE}"
    return {
        "allowed_extractors": [re.escape(name.lower()) for name in job["extractors"]],
        "format": with_sound if job["audio"] else pictures,
        "outtmpl": {"default": f"{NAME}.%(ext)s"},
        "paths": {"home": job["folder"]},
        "max_filesize": job["max_bytes"],
        "ratelimit": job["max_bytes_per_s"],
        "socket_timeout": job["stall_s"],
        "http_headers": {"User-Agent": job["user_agent"]},
        "cookiefile": _cookies(job["cookies_file"]),
        "progress_hooks": [hook],
        "logger": _Quiet(),
        # a video with holes must not count as one, and the parent tries again
        **{"skip_unavailable_fragments": False, "retries": 1, "fragment_retries": 2, "extractor_retries": 0},
        # no lists of videos
        **{"noplaylist": True, "extract_flat": "in_playlist", "lazy_playlist": True, "playlist_items": "1"},
        # nothing from the machine, and nothing that would need a program
        **{"cachedir": False, "proxy": "", "enable_file_urls": False, "js_runtimes": {}, "fixup": "never"},
        **{"hls_prefer_native": True, "allow_unplayable_formats": False, "postprocessors": [], "updatetime": False},
        **{"quiet": True, "noprogress": True, "overwrites": True, "continuedl": False, "color": "no_color"},
    }


def _cookies(path: str | None) -> io.StringIO | None:
    # as a stream: yt-dlp writes changed cookies back to where they came from
    return None if path is None else io.StringIO(Path(path).read_text(encoding="utf-8"))


def _check(info: dict[str, Any] | None, job: dict[str, Any]) -> dict[str, Any]:
    """Return what a page came to if it is one finished video within the limits."""
    if info is None:
        raise _RefusedError(Reason.SITE_BROKEN, "the page came to nothing")
    if info.get("_type", "video") != "video":
        raise _RefusedError(Reason.PLAYLIST, "the page is a list of videos")
    if info.get("is_live") or info.get("live_status") in _LIVE:
        raise _RefusedError(Reason.LIVE_STREAM, "the video is live")
    duration_s = info.get("duration")
    if isinstance(duration_s, int | float) and duration_s > job["max_duration_s"]:
        raise _RefusedError(Reason.TOO_LONG, f"{duration_s:g} s; allowed: {job['max_duration_s']:g} s")
    size_bytes = info.get("filesize") or info.get("filesize_approx")
    if isinstance(size_bytes, int | float) and size_bytes > job["max_bytes"]:
        raise _RefusedError(Reason.FILE_TOO_LARGE, f"{size_bytes:.0f} bytes; allowed: {job['max_bytes']}")
    return info


def _watcher(job: dict[str, Any]) -> Callable[[dict[str, Any]], None]:
    def watch(progress: dict[str, Any]) -> None:
        if (progress.get("downloaded_bytes") or 0) > job["max_bytes"]:
            raise _RefusedError(Reason.FILE_TOO_LARGE, f"more than {job['max_bytes']} bytes come")

    return watch


def take(job: dict[str, Any], register: Sequence[type] = ()) -> dict[str, Any]:
    """Do a job; returns the name of the file, and what the page said of the video.

    Args:
        register: extractors beside yt-dlp's own; they too must be on the job's list.
    """
    import yt_dlp

    allowed = {name.lower() for name in job["extractors"]}
    with yt_dlp.YoutubeDL(options_of(job, _watcher(job))) as downloader:
        for extractor in register:
            if str(getattr(extractor, "IE_NAME", "")).lower() in allowed:
                downloader.add_info_extractor(extractor())
        info = _check(downloader.extract_info(job["url"], download=False), job)
        downloader.process_ie_result(info, download=True)
    names = sorted(name for name in os.listdir(job["folder"]) if name.startswith(f"{NAME}."))
    if not names:
        raise _RefusedError(Reason.FILE_TOO_LARGE, f"nothing was written; allowed: {job['max_bytes']} bytes")
    if len(names) > 1 or names[0].endswith((".part", ".ytdl")):
        raise _RefusedError(Reason.WRONG_LENGTH, "the download did not come to one whole file")
    facts = {"fetched_from": f"{info.get('extractor')}:{info.get('id')}", "site_licence": info.get("license")}
    return {"name": names[0], "rights": {name: shown(str(value)) for name, value in facts.items() if value}}


def answer_to(job: dict[str, Any], register: Sequence[type], refused: list[str]) -> dict[str, Any]:
    """Return the answer to a job, whatever yt-dlp does; its errors are of many kinds, extractors' bugs among them."""
    from yt_dlp.utils import YoutubeDLError

    try:
        return take(job, register)
    except _RefusedError as error:
        return {"reason": error.reason.value, "detail": str(error)}
    except (YoutubeDLError, OSError, ValueError, LookupError, TypeError, AttributeError, AssertionError) as error:
        cause = _planned(error)
        if cause is not None:
            return {"reason": cause.reason.value, "detail": str(cause)}
        if refused:
            return {"reason": Reason.ADDRESS_REFUSED.value, "detail": f"the page leads to {refused[0]}"}
        reason, words = reason_of(str(error)), shown(str(error))
        if reason == Reason.SITE_BROKEN and not _meant_for_people(error):
            # an error that nobody planned quotes whatever it stumbled over
            words = f"yt-dlp fails with {type(error).__name__}"
        return {"reason": reason.value, "detail": words or type(error).__name__}


def _meant_for_people(error: BaseException) -> bool:
    """Return whether the words are those of an extractor that saw the case coming."""
    wrapped = getattr(error, "exc_info", None)
    return bool(getattr(wrapped[1] if wrapped else error, "expected", False))


def _planned(error: BaseException | None) -> _RefusedError | None:
    """Return the refusal of ours that yt-dlp wrapped into an error of its own, if there is one."""
    seen = 0
    while error is not None and seen < 10:
        if isinstance(error, _RefusedError):
            return error
        wrapped = getattr(error, "exc_info", None)
        error = wrapped[1] if wrapped else error.__cause__ or error.__context__
        seen += 1
    return None


def main(guard: Guard = public_only, register: Sequence[type] = ()) -> None:
    """Answer the job on standard input."""
    die_with_parent()
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.read())
    max_mb = job["max_bytes"] // 1_000_000 + 1
    limit_resources(cpu_s=int(job["cpu_s"]), memory_mb=MEMORY_MB, output_mb=max_mb)
    refused: list[str] = []
    forbid(guard, refused)
    json.dump(answer_to(job, register, refused), answers)
    answers.close()


if __name__ == "__main__":
    main()
