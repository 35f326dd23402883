"""The corpus of 79 files: each comes to what its row says, in time and little memory, and none leads anywhere else."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from curation.media import CutOutcome, MediaSandbox, decode_clip
from curation.media.source_file import open_source
from curation.media.tasks import MediaError
from schemas.media import MediaLimits
from schemas.reasons import Reason
from tests.curation.media.conftest import make_task
from tests.curation.media.corpus import INDEX, ROWS, Row, make_corpus
from tests.curation.media.peak_memory import PeakMemory

MAX_RESIDENT_BYTES = 400_000_000
MAX_WALL_S = 15.0
"""Of any file, on a busy machine."""
BOMBS = (11, 12, 18, 49, 50, 68, 77)
MAX_BOMB_BYTES = 200_000_000


@dataclass(frozen=True)
class Done:
    """What came of a file, and the most memory that it took."""

    outcome: CutOutcome
    peak_bytes: int


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    make_corpus(folder)
    return folder


@pytest.fixture(scope="module")
def done(corpus: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, Done]:
    """All files of the corpus, cut whole."""
    outs, found = tmp_path_factory.mktemp("outs"), {}
    with MediaSandbox() as sandbox:
        sandbox.start()
        assert sandbox.pid is not None
        for row in ROWS:
            task = make_task(corpus / row.name, outs / str(row.number))
            with PeakMemory(sandbox.pid) as memory:
                outcome = sandbox.cut(task)
            found[row.number] = Done(outcome, memory.peak_bytes)
    return found


def test_each_number_has_its_row_and_its_file(corpus: Path) -> None:
    assert [row.number for row in ROWS] == list(range(79))
    assert {path.name for path in corpus.iterdir()} == {row.name for row in ROWS} | {INDEX}
    told = [json.loads(line) for line in (corpus / INDEX).read_text(encoding="utf-8").splitlines()]
    assert [row["number"] for row in told] == list(range(79))


def as_listed(row: Row) -> bool:
    """Whether a row comes to what the list expects."""
    return row.expected == ("written" if row.reason is None else row.reason.value)


def test_what_differs_from_the_list_says_why() -> None:
    different = [row.number for row in ROWS if not as_listed(row)]
    assert different == [10, 45, 47, 69] + ([73] if os.geteuid() == 0 else [])
    assert [row.number for row in ROWS if row.deviation] == different


def test_each_file_comes_to_what_its_row_says(done: dict[int, Done]) -> None:
    found = {}
    for number, one in done.items():
        clips, failures = one.outcome.clips, one.outcome.failures
        assert len(clips) + len(failures) == 1, number
        found[number] = (failures[0].reason if failures else None, clips[0].frames if clips else 0)
    assert found == {row.number: (row.reason, row.frames) for row in ROWS}


def test_none_takes_long_or_much_memory(done: dict[int, Done]) -> None:
    assert {number for number, one in done.items() if one.outcome.wall_us > MAX_WALL_S * 1e6} == set()
    peaks = {number: one.peak_bytes for number, one in done.items()}
    assert {number: peak for number, peak in peaks.items() if peak > MAX_RESIDENT_BYTES} == {}
    assert {number: peaks[number] for number in BOMBS if peaks[number] > MAX_BOMB_BYTES} == {}
    assert max(peaks.values()) > 50_000_000, "the watch saw nothing"


def test_clips_decode_and_are_of_our_format(done: dict[int, Done]) -> None:
    for number, one in done.items():
        for clip in one.outcome.clips:
            frames = list(decode_clip(Path(clip.media_path)))
            assert len(frames) == clip.frames, number
            assert frames[0].shape == (clip.height_px, clip.width_px, 3), number
            assert clip.width_px % 2 == clip.height_px % 2 == 0, number


def test_black_and_static_are_written_with_their_signals(done: dict[int, Done]) -> None:
    black, static = (done[number].outcome.clips[0].signals for number in (59, 60))
    assert (black.black_share_1e4, static.black_share_1e4, static.static_share_1e4) == (10_000, 0, 10_000)


@pytest.fixture
def canary() -> Iterator[tuple[str, list[str]]]:
    """The address of a server on this machine, and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    thread.join()
    server.server_close()


def test_no_playlist_asks_a_server(canary: tuple[str, list[str]], sandbox: MediaSandbox, tmp_path: Path) -> None:
    address, asked = canary
    texts = {
        "concat": f"ffconcat version 1.0\nfile {address}/a.mp4\n",
        "hls": f"#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\n{address}/a.ts\n#EXT-X-ENDLIST\n",
        "dash": f'<?xml version="1.0"?><MPD type="static"><BaseURL>{address}/a.mp4</BaseURL></MPD>',
        "svg": f'<svg xmlns="http://www.w3.org/2000/svg"><image href="{address}/a.png"/></svg>',
    }
    for name, text in texts.items():
        (tmp_path / f"{name}.mp4").write_text(text, encoding="utf-8")
        assert sandbox.cut(make_task(tmp_path / f"{name}.mp4", tmp_path / f"{name}.out")).clips == ()
    assert asked == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only the superuser can become somebody who may not read")
def test_a_file_that_may_not_be_read_is_an_error_of_reading() -> None:
    folder = Path(tempfile.mkdtemp(prefix="clipstrata-test-"))
    try:
        folder.chmod(0o755)
        path = folder / "a.mp4"
        path.write_bytes(b"\0\0\0\x18ftypmp42")
        path.chmod(0)
        os.seteuid(65_534)
        with pytest.raises(MediaError) as caught:
            open_source(str(path), MediaLimits())
        assert caught.value.reason is Reason.IO_ERROR
    finally:
        os.seteuid(0)
        shutil.rmtree(folder)
