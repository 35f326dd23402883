"""A corpus that lies on the web, from its list to the shard: a server on this machine that only the tests let in."""

from __future__ import annotations

import json
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from curation.fetching import Reach
from curation.unit_reading import count_rejects
from pipelines.build import BuildResult, build
from pipelines.finished import scored_units
from pipelines.watching import Watcher
from schemas.corpus import load_corpus
from tests.builders import IN_PROCESS
from tests.curation.fetching import bad_host as host
from tests.curation.fetching.bad_host import BadServer
from tests.curation.fetching.worlds import only_the_test_host
from tests.curation.media.make import write_counter_video, write_test_video

CORPUS = """
corpus: web
sources:
  - {{name: listed, origin: clean, format: csv, location: "{url}/lists/rows.csv", text_kinds: [caption],
     max_reject_share: 1.0,
     licence: {{name: CC-BY-4.0, basis: licensed, terms: "https://films.test/terms"}}}}
  - {{name: paged, origin: noisy, format: csv, location: pages.csv, text_kinds: [alt],
     licence: {{name: LicenseRef-paged, basis: own, terms: our own channel}},
     fetch: {{contact: data@films.test, sites: {{hosts: ["127.0.0.1"], extractors: [testpage]}}}}}}
fetch: {{contact: data@films.test, hosts: {{per_s: 1000}}, retries: {{attempts: 1}}}}
cuts: {{clean: -1.0, high: -1.0, low: -1.0}}
"""
# One video twice under addresses that differ in a signature, one that its host does not give away, one that is gone.
ROWS = """video,start_s,end_s,caption
one.mp4,0,1,a film
{url}/lists/one.mp4?Policy=canary&Signature=canary&Key-Pair-Id=canary,0,1,again
kept/two.mp4,0,1,not for us
three.mp4,0,1,not there
"""
PAGES = """video,start_s,end_s,alt
{url}/watch/one,0,1,a page
"""
TEST_REACH = Reach(guard=only_the_test_host, site_module="tests.curation.fetching.page_child")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BadServer]:
    folder = tmp_path_factory.mktemp("served")
    write_test_video(folder / "one.mp4")
    write_counter_video(folder / "page.mp4", list(range(0, 2000, 40)))
    film, page = (folder / "one.mp4").read_bytes(), (folder / "page.mp4").read_bytes()
    server = BadServer({"/robots.txt": host.text("User-agent: *\nDisallow: /lists/kept/")})
    info = {"url": server.url("/page.mp4?sig=canary"), "ext": "mp4", "license": "CC-BY-SA", "duration": 3}
    server.routes |= {
        "/lists/rows.csv": host.text(ROWS.format(url=server.url(""))),
        "/lists/one.mp4": lambda asked: host.whole(
            asked, film, Link='<https://films.test/by>; rel="license"', tdm_reservation="0"
        ),
        "/lists/kept/two.mp4": lambda asked: host.whole(asked, film),
        "/watch/one": host.text(json.dumps({"info": info})),
        "/page.mp4": lambda asked: host.whole(asked, page),
    }
    yield server
    server.stop()


def built(server: BadServer, folder: Path, **parts: Any) -> BuildResult:
    (folder / "corpus.yaml").write_text(CORPUS.format(url=server.url("")))
    (folder / "pages.csv").write_text(PAGES.format(url=server.url("")))
    config = load_corpus(folder / "corpus.yaml")
    return build(config, folder / "run", IN_PROCESS, watcher=Watcher(quiet=True), **parts)


@pytest.fixture(scope="module")
def result(server: BadServer, tmp_path_factory: pytest.TempPathFactory) -> BuildResult:
    return built(server, tmp_path_factory.mktemp("web"), reach=TEST_REACH)


def members(result: BuildResult) -> dict[str, list[tuple[dict[str, Any], bytes]]]:
    """Return source -> (facts, media) of each sample in its shards."""
    found: dict[str, list[tuple[dict[str, Any], bytes]]] = {}
    assert result.manifest is not None
    for shard in result.manifest.shards:
        with tarfile.open(result.run.root / shard.path) as tar:
            by_name = {info.name: tar.extractfile(info).read() for info in tar if info.isfile()}  # type: ignore[union-attr]
        for name in (name for name in by_name if name.endswith(".json")):
            key = name.removesuffix(".json")
            found.setdefault(shard.source, []).append((json.loads(by_name[name]), by_name[f"{key}.mp4"]))
    return found


def test_a_video_of_the_web_reaches_a_shard_with_its_rights(result: BuildResult, server: BadServer) -> None:
    ((facts, media),) = members(result)["listed"]
    assert facts["rights"] == {
        "licence": "CC-BY-4.0",
        "basis": "licensed",
        "terms": "https://films.test/terms",
        "fetched_from": server.url("/lists/one.mp4"),
        "licence_link": "https://films.test/by",
        "robots": "allowed",
        "tdm": "none",
        "tdm-reservation": "0",
    }
    assert media[4:8] == b"ftyp"


def test_a_video_of_a_site_s_page_reaches_a_shard_with_its_rights(result: BuildResult) -> None:
    ((facts, media),) = members(result)["paged"]
    assert facts["rights"] == {
        "licence": "LicenseRef-paged",
        "basis": "own",
        "terms": "our own channel",
        "fetched_from": "testpage:one",
        "site_licence": "CC-BY-SA",
        "robots": "allowed",
        "tdm": "none",
    }
    assert media[4:8] == b"ftyp"


def rejects(result: BuildResult) -> Counter[tuple[str, str]]:
    """Return (source, reason) -> rejected records."""
    units = scored_units(result.run)
    found: Counter[tuple[str, str]] = Counter()
    for commit in (units.read(name) for name in units.names):
        for (_, _, reason), count in count_rejects(units.store, commit).items():
            found[commit.source, reason] += count
    return found


def test_what_was_not_had_is_told(result: BuildResult) -> None:
    assert rejects(result) == {("listed", "robots"): 1, ("listed", "gone"): 1}


def test_each_address_was_asked_for_once(result: BuildResult, server: BadServer) -> None:
    asked = {path: server.counts[path] for path in ("/lists/one.mp4", "/lists/kept/two.mp4", "/page.mp4")}
    assert asked == {"/lists/one.mp4": 1, "/lists/kept/two.mp4": 0, "/page.mp4": 1}


def test_no_signature_reaches_the_disk(result: BuildResult) -> None:
    files = [path for path in Path(result.run.root).rglob("*") if path.is_file()]
    assert len(files) > 20
    assert [path for path in files if b"canary" in path.read_bytes()] == []


def test_without_the_tests_guard_nothing_is_fetched(server: BadServer, tmp_path: Path) -> None:
    before = server.counts["/lists/one.mp4"]
    result = built(server, tmp_path, stages=("ingest",))
    assert rejects(result) == {("listed", "address_refused"): 4, ("paged", "address_refused"): 1}
    assert server.counts["/lists/one.mp4"] == before
