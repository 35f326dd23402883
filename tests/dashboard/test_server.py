"""The server: who may ask, what is served, and who may write labels."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest
from aiohttp import ClientResponse, ClientSession, web

from dashboard.address import Address
from dashboard.page import served_script
from dashboard.server import TOKEN_HEADER, Served, make_app
from schemas.examples import Label, Pair

CLIP = "ab" * 32
PAIR = Pair(sample_id="a" * 26, source="web", text_id="t" * 26, scoring="s" * 16, aggregation="mean", score_1e4=2_500)
KEPT = Label(**PAIR.model_dump(), verdict="good")
GOOD = {"sample_id": PAIR.sample_id, "verdict": "good"}
TOKEN = "the token"


class Labels:
    def __init__(self) -> None:
        self.kept: list[Label] = []

    def add(self, label: Label) -> None:
        self.kept.append(label)

    def all(self) -> tuple[Label, ...]:
        return tuple(self.kept)


@pytest.fixture
def labels() -> Labels:
    return Labels()


@pytest.fixture
def served(tmp_path: Path, labels: Labels) -> Served:
    (tmp_path / CLIP).write_bytes(bytes(range(100)))
    (tmp_path / "secret").write_bytes(b"secret")
    return Served(
        page=lambda: f"<p>{len(labels.kept)} labels</p>",
        # As careless as can be: what is asked for is looked up in the folder.
        media=lambda sha256: (tmp_path / sha256) if (tmp_path / sha256).is_file() else None,
        pair=lambda sample: PAIR if sample == PAIR.sample_id else None,
        labels=labels,
        precision=lambda: [("web", 2_500, len(labels.kept), 0, 0, 0.2, 1.0)],
        token=TOKEN,
    )


def ask(served: Served, method: str, path: str, **options: object) -> tuple[int, bytes, dict[str, str]]:
    """Ask a server that listens on a free port of 127.0.0.1."""

    async def once() -> tuple[int, bytes, dict[str, str]]:
        names: list[Address] = []
        runner = web.AppRunner(make_app(served, lambda host: names[0].admits(host)))
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        names.append(Address("127.0.0.1", port))
        async with ClientSession() as session:
            response: ClientResponse = await session.request(method, f"http://127.0.0.1:{port}{path}", **options)  # type: ignore[arg-type]  # what a test passes on
            found = response.status, await response.read(), dict(response.headers)
        await runner.cleanup()
        return found

    return asyncio.run(once())


def test_the_page_is_drawn_as_it_is_now(served: Served, labels: Labels) -> None:
    labels.add(KEPT)
    status, body, headers = ask(served, "GET", "/")
    assert (status, body) == (200, b"<p>1 labels</p>")
    assert headers["X-Content-Type-Options"] == "nosniff"
    policy = headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "media-src 'self'", "frame-ancestors 'none'"} <= set(policy)
    assert not any("unsafe" in part for part in policy)


def test_the_script_lies_beside_the_page(served: Served) -> None:
    status, body, headers = ask(served, "GET", "/page.js")
    assert (status, body.decode()) == (200, served_script())
    assert headers["Content-Type"] == "text/javascript; charset=utf-8"


def test_clips_are_served_in_ranges(served: Served) -> None:
    status, body, headers = ask(served, "GET", f"/media/{CLIP}.mp4", headers={"Range": "bytes=10-19"})
    assert (status, body) == (206, bytes(range(10, 20)))
    assert headers["Content-Type"] == "video/mp4"


@pytest.mark.parametrize(
    "path",
    [
        f"/media/{'cd' * 32}.mp4",
        "/media/secret.mp4",
        "/media/../secret.mp4",
        "/media/%2e%2e%2fsecret.mp4",
        f"/media/{CLIP}.json",
        "/labels/labels.jsonl",
        "/run.json",
    ],
)
def test_nothing_else_is_served(served: Served, path: str) -> None:
    assert ask(served, "GET", path)[0] in (404, 405)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "localhost:1", ""])
def test_another_name_of_this_address_is_refused(served: Served, host: str) -> None:
    status, body, _ = ask(served, "GET", "/", headers={"Host": host})
    assert status == 421 and b"labels" not in body


def test_a_label_with_the_token_is_kept(served: Served, labels: Labels) -> None:
    status, body, _ = ask(served, "POST", "/labels", json=GOOD, headers={TOKEN_HEADER: TOKEN})
    assert status == 200
    assert labels.kept == [KEPT]
    answer = json.loads(body)
    assert (answer["kept"], answer["labels"]["rows"]) == (PAIR.sample_id, [["web", 0.25, 1, 0, 0, 1.0, 0.2, 1.0]])


def test_what_is_kept_of_the_clip_is_what_the_run_says(served: Served, labels: Labels) -> None:
    lies = {"source": "stock", "score_1e4": 9_999, "text_id": "z" * 26, "scoring": "another", "more": 1}
    assert ask(served, "POST", "/labels", json=GOOD | lies, headers={TOKEN_HEADER: TOKEN})[0] == 200
    assert labels.kept == [KEPT]


@pytest.mark.parametrize(
    ("headers", "document", "status"),
    [
        ({}, GOOD, 403),
        ({TOKEN_HEADER: "another"}, GOOD, 403),
        ({TOKEN_HEADER: TOKEN}, {**GOOD, "verdict": "maybe"}, 400),
        ({TOKEN_HEADER: TOKEN}, {**GOOD, "sample_id": "../../etc/passwd"}, 400),
        ({TOKEN_HEADER: TOKEN}, {"sample_id": PAIR.sample_id}, 400),
        ({TOKEN_HEADER: TOKEN}, {**GOOD, "sample_id": "b" * 26}, 404),
        ({TOKEN_HEADER: TOKEN}, {**GOOD, "source": "x" * 5_000}, 413),
    ],
)
def test_what_is_no_label_is_not_kept(
    served: Served, labels: Labels, headers: dict, document: dict, status: int
) -> None:
    assert ask(served, "POST", "/labels", json=document, headers=headers)[0] == status
    assert labels.kept == []


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
def test_nothing_but_labels_is_written(served: Served, method: str) -> None:
    assert ask(served, method, "/", data=b"x")[0] == 405
