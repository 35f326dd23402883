"""Pages whose video yt-dlp finds: an extractor of the tests, against pages served here, in the real child."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from curation.fetching import Fetched, FetchError
from curation.fetching.base import FETCHED_NAME
from curation.fetching.clock import Deadline, SystemClock
from curation.fetching.site_child import options_of
from curation.fetching.site_errors import reason_of as reason_of_words
from curation.fetching.site_errors import shown
from curation.fetching.sites import run_child
from schemas.reasons import Reason
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.conftest import Serve
from tests.curation.fetching.worlds import fetch, policy, reason_of

CHILD = (sys.executable, "-m", "tests.curation.fetching.page_child")
SITES = {"hosts": ("127.0.0.1",), "extractors": ("testpage",), "max_duration_s": 100.0}


def page(server: host.BadServer, found: dict[str, Any]) -> str:
    """Serve a page; returns its address."""
    server.routes["/watch/one"] = host.text(json.dumps(found))
    return server.url("/watch/one")


def take(address: str, folder: Path, **parts: Any) -> Fetched | FetchError:
    use = policy(**{"sites": SITES, "deadline_s": 30.0, "retries": {"attempts": 1}, **parts})
    return fetch(address, folder, use, clock=SystemClock(), site_command=CHILD)


def test_the_video_of_a_page_comes_with_what_the_site_says(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video.mp4": host.good()})
    info = {"url": server.url("/video.mp4?sig=canary"), "ext": "mp4", "license": "CC-BY", "duration": 9}
    found = take(page(server, {"info": info}), tmp_path)
    assert isinstance(found, Fetched), found
    assert found.path.read_bytes() == host.BODY
    assert found.path == tmp_path / FETCHED_NAME
    assert found.rights["fetched_from"] == "testpage:one"
    assert found.rights["site_licence"] == "CC-BY"
    assert [path.name for path in tmp_path.iterdir()] == [FETCHED_NAME]


def test_the_format_is_the_highest_that_is_not_too_high(serve: Serve, tmp_path: Path) -> None:
    server = serve({f"/{height}.mp4": host.good() for height in (240, 480, 1080)})
    formats = [
        {"url": server.url(f"/{height}.mp4"), "ext": "mp4", "height": height, "format_id": str(height)}
        for height in (240, 480, 1080)
    ]
    assert isinstance(take(page(server, {"info": {"formats": formats}}), tmp_path), Fetched)
    assert (server.counts["/240.mp4"], server.counts["/480.mp4"], server.counts["/1080.mp4"]) == (0, 1, 0)


def bad_pages(server: host.BadServer, mark: Path) -> dict[str, tuple[dict[str, Any], Reason | None]]:
    """Return pages that want something else than to give a video, and what is to become of them."""
    good = {"url": server.url("/video.mp4"), "ext": "mp4"}
    many = {"_type": "playlist", "entries": [{"_type": "url", "url": server.url("/watch/two")}]}
    return {
        "private": ({"says": "Private video. Sign in if you've been granted access"}, Reason.LOGIN_REQUIRED),
        "removed": ({"says": "This video has been removed by the uploader"}, Reason.GONE),
        "live": ({"info": {**good, "is_live": True}}, Reason.LIVE_STREAM),
        "long": ({"info": {**good, "duration": 101}}, Reason.TOO_LONG),
        "large by its own words": ({"info": {**good, "filesize": 1_000_001}}, Reason.FILE_TOO_LARGE),
        "large, silently": ({"info": {**good, "url": server.url("/large.mp4")}}, Reason.FILE_TOO_LARGE),
        "leads inside": ({"info": {**good, "url": "http://127.0.0.2:8080/v.mp4"}}, Reason.ADDRESS_REFUSED),
        "leads to a file": ({"info": {**good, "url": "file:///etc/passwd"}}, Reason.NO_VIDEO),
        "needs a program": ({"info": {"url": "rtmp://127.0.0.1/v", "ext": "flv"}}, Reason.NO_VIDEO),
        "is a list": ({"info": many}, Reason.PLAYLIST),
        "runs a program": ({"does": "runs a program", "path": str(mark)}, Reason.SITE_BROKEN),
        "runs a shell": ({"does": "runs a shell", "path": str(mark)}, Reason.SITE_BROKEN),
        "dies": ({"does": "dies"}, Reason.SITE_BROKEN),
        "prints": ({"does": "prints", "info": good}, None),
        "has a bug": ({"does": "has a bug"}, Reason.SITE_BROKEN),
    }


def test_a_page_may_do_no_more_than_give_a_video(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video.mp4": host.good(), "/large.mp4": host.endless})
    pages = bad_pages(server, tmp_path / "mark")
    folder = tmp_path / "folder"
    folder.mkdir()
    ended = {}
    for name, (found, _) in pages.items():
        ended[name] = take(page(server, found), folder)
        (folder / FETCHED_NAME).unlink(missing_ok=True)
        assert list(folder.iterdir()) == [], name
    assert {name: reason_of(found) for name, found in ended.items()} == {
        name: reason for name, (_, reason) in pages.items()
    }
    assert not (tmp_path / "mark").exists()
    assert not any("canary" in str(found) for found in ended.values())


def test_an_extractor_that_is_not_allowed_does_not_run(serve: Serve, tmp_path: Path) -> None:
    server = serve({})
    found = take(page(server, {}), tmp_path, sites={**SITES, "extractors": ("youtube",)})
    assert reason_of(found) == Reason.ADDRESS_REFUSED
    assert server.counts["/watch/one"] == 0


def test_a_page_that_hangs_is_left_at_the_deadline_and_nothing_lives_on(serve: Serve, tmp_path: Path) -> None:
    server = serve({})
    began_s = time.monotonic()
    found = take(page(server, {"does": "hangs"}), tmp_path, deadline_s=2.0)
    assert reason_of(found) == Reason.DEADLINE
    assert time.monotonic() - began_s < 15.0
    assert list(tmp_path.iterdir()) == []


GRANDCHILD = """
import subprocess, sys
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
open("../pid", "w").write(str(child.pid))
print("no JSON", flush=True)
import time
time.sleep(60)
"""


def test_the_child_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with pytest.raises(FetchError) as found:
        run_child((sys.executable, "-c", GRANDCHILD), {}, scratch, Deadline(SystemClock(), 1.0))
    assert found.value.reason == Reason.DEADLINE
    pid = int((tmp_path / "pid").read_text())
    until_s = time.monotonic() + 20.0
    while _lives(pid) and time.monotonic() < until_s:
        time.sleep(0.01)
    assert not _lives(pid)


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_site_whose_robots_txt_forbids_its_pages_is_not_asked(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/robots.txt": host.text("User-agent: *\nDisallow: /watch")})
    found = take(page(server, {}), tmp_path, rights={})
    assert reason_of(found) == Reason.ROBOTS
    assert server.counts["/watch/one"] == 0


def test_a_busy_site_is_asked_again(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/video.mp4": host.good()})
    address = page(server, {"info": {"url": server.url("/video.mp4"), "ext": "mp4"}})
    server.routes["/watch/one"] = host.first(1, host.status(429), server.routes["/watch/one"])
    found = take(address, tmp_path, retries={"attempts": 2, "first_wait_s": 0.0})
    assert isinstance(found, Fetched), found
    assert server.counts["/watch/one"] == 2


def test_cookies_are_sent_and_neither_written_back_nor_told(serve: Serve, tmp_path: Path) -> None:
    server = serve({"/watch/one": host.good(Content_Type="application/json", Set_Cookie="session=changed")})
    cookies = tmp_path / "cookies.txt"
    line = "127.0.0.1\tFALSE\t/\tFALSE\t0\tsession\tcanary-secret"
    cookies.write_text(f"# Netscape HTTP Cookie File\n{line}\n")
    before = cookies.read_bytes()
    folder = tmp_path / "folder"
    folder.mkdir()
    found = take(server.url("/watch/one"), folder, sites={**SITES, "cookies_file": str(cookies)})
    assert isinstance(found, FetchError)
    assert server.requests[0][1]["Cookie"] == "session=canary-secret"
    assert cookies.read_bytes() == before
    assert "canary" not in str(found)


def test_the_child_sees_no_keys_of_the_machine(tmp_path: Path) -> None:
    os.environ["CANARY_SECRET_KEY"] = "canary"
    try:
        script = 'import json, os; print(json.dumps({"name": "x", "rights": dict(os.environ)}))'
        answer = run_child((sys.executable, "-c", script), {}, tmp_path, Deadline(SystemClock(), 10.0))
    finally:
        del os.environ["CANARY_SECRET_KEY"]
    assert "canary" not in json.dumps(answer)
    assert answer["rights"]["YTDLP_NO_PLUGINS"] == "1"


WORDS = {
    "ERROR: [youtube] abc: Private video. Sign in if you've been granted access": Reason.LOGIN_REQUIRED,
    "[youtube] abc: Video unavailable. This video is no longer available": Reason.GONE,
    "[youtube] abc: Sign in to confirm your age. This video may be inappropriate": Reason.LOGIN_REQUIRED,
    "[youtube] abc: Sign in to confirm you\u2019re not a bot. Use --cookies": Reason.BOT_WALL,
    "The uploader has not made this video available in your country: not available in your country": Reason.GEO_BLOCKED,
    "[youtube] abc: This live event will begin in 3 hours.": Reason.LIVE_STREAM,
    "[youtube] abc: Join this channel to get access to members-only content": Reason.LOGIN_REQUIRED,
    "Unable to download webpage: HTTP Error 404: Not Found": Reason.GONE,
    "Unable to download webpage: HTTP Error 429: Too Many Requests": Reason.RATE_LIMITED,
    "unable to download video data: HTTP Error 403: Forbidden": Reason.FORBIDDEN,
    "Unable to download API page: HTTP Error 503: Service Unavailable": Reason.SERVER_ERROR,
    "[x] This video is DRM protected": Reason.ENCRYPTED,
    "[x] abc: Requested format is not available. Use --list-formats": Reason.NO_VIDEO,
    "Unable to download webpage: The read operation timed out": Reason.STALLED,
    "Unable to download webpage: [Errno -3] Temporary failure in name resolution": Reason.CONNECTION_FAILED,
    "Unsupported URL: https://example.org/not-found": Reason.ADDRESS_REFUSED,
    "something that nobody has seen": Reason.SITE_BROKEN,
}


@pytest.mark.parametrize("words", WORDS)
def test_what_yt_dlp_says_becomes_a_reason(words: str) -> None:
    assert reason_of_words(words) == WORDS[words]


def test_its_words_are_shown_without_secrets() -> None:
    said = "ERROR: \x1b[0;31mno\x1b[0m https://me:pw@h.test/a?sig=x#y and\nhttp://h.test; please report this issue on x"
    assert shown(said) == "no https://h.test/a and http://h.test"


def test_the_parameters_name_extractors_exactly() -> None:
    job = {
        **{"folder": "f", "extractors": ["youtube"], "height_px": 480, "audio": False, "max_bytes": 1},
        **{"max_bytes_per_s": None, "cookies_file": None, "stall_s": 1.0, "user_agent": "a/1.0"},
    }
    options = options_of(job, lambda progress: None)
    assert options["allowed_extractors"] == ["youtube"]
    for name in ("exec_cmd", "external_downloader", "netrc_cmd", "cookiesfrombrowser", "usenetrc"):
        assert name not in options
