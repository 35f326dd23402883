"""A takedown in a whole run: nothing of it is left anywhere, the rest is as it was, and it does not come back."""

from __future__ import annotations

import hashlib
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from curation.manifests import manifest_versions, read_manifest, read_pointer
from curation.verify import verify_run
from pipelines.run_folder import Run, open_run
from pipelines.stages import judge, shard
from pipelines.takedown import TakedownRequest, takedown
from pipelines.watching import Watcher
from schemas.arrow import RECORDS, read_rows
from schemas.corpus import load_corpus
from schemas.ids import ID_CHARS, clip_id, sample_id
from schemas.suppression import Receipt
from tests.builders import (
    IN_PROCESS,
    built_with_fakes,
    counted_digests,
    finish_fake_ingest,
    make_again_with_fakes,
)
from tests.searching import traces

VIDEO_A = hashlib.sha256(b"video a").hexdigest()
VIDEO_D = hashlib.sha256(b"video d").hexdigest()
CLIP_A0 = clip_id(VIDEO_A, 0, 2_000_000)
BYTES_A0 = b"video a0-2000000"
# Digests of the stored clip and of what it shows, as the fake cutter has them.
DIGESTS_A0 = [hashlib.sha256(BYTES_A0).hexdigest(), hashlib.sha256(b"shown by " + BYTES_A0).hexdigest()]
# As arrays hold it; the fake cutter takes the stored clip's digest for a frame's hash.
FRAME_HASH_A0 = bytes.fromhex(DIGESTS_A0[0])
LISTS = ("suppressed", "receipts")


@dataclass(frozen=True)
class Case:
    """What is asked for, what must be nowhere afterwards, and what must still be there."""

    ids: list[str]
    gone: list[str | bytes]
    left: list[str | bytes] = field(default_factory=list)


CASES = {
    "a record beside another of its clip": Case(
        ids=["record of a circle that is red"],
        gone=["a circle that is red"],
        left=["a red circle", BYTES_A0],
    ),
    "a sample, whose clip another source tells too": Case(
        ids=[f"sample:{sample_id('stock', CLIP_A0)}"],
        gone=["a red circle", "a circle that is red", sample_id("stock", CLIP_A0)],
        left=["a blue square", BYTES_A0, "shop now"],
    ),
    "a clip, everywhere": Case(
        ids=[CLIP_A0],
        gone=[
            "a red circle",
            "a circle that is red",
            "shop now",
            BYTES_A0,
            CLIP_A0,
            *DIGESTS_A0,
            FRAME_HASH_A0,
            sample_id("stock", CLIP_A0),
        ],
        left=["a blue square"],
    ),
    "a video, everywhere": Case(
        ids=[VIDEO_A],
        gone=[
            "red circle",
            "blue square",
            "shop now",
            b"video a",
            VIDEO_A,
            CLIP_A0,
            *DIGESTS_A0,
            "v/a.mp4",
            "v/copy.mp4",
        ],
        left=["v/d.mp4", VIDEO_D, b"video e"],
    ),
    "a place": Case(ids=["v/d.mp4"], gone=["v/d.mp4", VIDEO_D, b"video d"], left=["shop now"]),
    "a source video's id, of a video that gave nothing": Case(ids=["broken"], gone=["v/broken.mp4", "never seen"]),
}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    built_with_fakes(folder)
    return folder


@pytest.fixture
def world(built: Path, tmp_path: Path) -> Path:
    """A folder with a corpus and a run of it, both of this test alone."""
    shutil.copytree(built / "run", tmp_path / "run")
    shutil.copytree(built / "in", tmp_path / "in")
    return tmp_path


def opened(world: Path, name: str = "run") -> Run:
    return open_run(load_corpus(world / "in" / "corpus.yaml"), world / name)


def record_of(world: Path, text: str) -> str:
    for path in sorted((world / "run" / "records").iterdir()):
        for row in read_rows(path.read_bytes(), RECORDS):
            if text in [told["text"] for told in row["texts"]]:
                return str(row["record_id"])
    raise LookupError(text)


def take_down(world: Path, ids: list[str], **options: str) -> Receipt:
    (world / "ids.txt").write_text("\n".join(ids))
    request = TakedownRequest(ids=world / "ids.txt", time="2026-11-29", **options)  # type: ignore[arg-type]
    return takedown(world / "run", request, IN_PROCESS, Watcher(quiet=True), make_again_with_fakes)


def rebuilt(world: Path, lists: Path, name: str = "again") -> Run:
    """Build the sources anew under a run's suppression lists."""
    corpus = world / "in" / "corpus.yaml"
    corpus.write_text(corpus.read_text() + f"suppress: [{lists}]\n")
    run = opened(world, name)
    finish_fake_ingest(run, corpus)
    statistics = judge(run, IN_PROCESS, Watcher(quiet=True))
    shard(run, IN_PROCESS, Watcher(quiet=True), statistics)
    return run


def parts(root: Path) -> dict[str, str]:
    """Return what a rebuild must give too: all but lists, receipts, the version's number and the page that shows it."""
    return {
        path: digest
        for path, digest in counted_digests(root).items()
        if path.split("/")[0] not in (*LISTS, "manifests", "report") and "/cache/" not in path
    }


@pytest.mark.parametrize("case", CASES)
def test_nothing_of_it_is_left_and_the_rest_is_as_it_was(case: str, world: Path) -> None:
    told = CASES[case]
    ids = [record_of(world, line.removeprefix("record of ")) if "record of" in line else line for line in told.ids]
    for needle in told.gone:
        assert traces(world / "run", [needle]), f"{needle!r} was there before"
    before = read_manifest(opened(world).store, 1)
    receipt = take_down(world, ids)
    needles = {*told.gone, *(one for one in ids if len(one) >= ID_CHARS)}
    assert traces(world / "run", needles, without=LISTS) == []
    # The fake cutter's frame hashes are the digest of the clip, and the list keeps frame hashes.
    assert traces(world / "run", needles - {DIGESTS_A0[0]}) == []
    for needle in told.left:
        assert traces(world / "run", [needle]), f"{needle!r} is still there"
    run = opened(world)
    report = verify_run(run.store, run.config)
    assert (report.problems, report.leftovers) == ([], [])
    assert (receipt.asked, receipt.found, receipt.time) == (1, 1, "2026-11-29")
    latest = read_pointer(run.store)
    assert latest is not None
    assert latest.version == 2
    after = read_manifest(run.store, 2)
    kept = {facts.sha256 for facts in before.shards} & {facts.sha256 for facts in after.shards}
    assert receipt.shards_untouched == len(kept) > 0
    assert {one.sha256 for one in before.shards} - kept == set(receipt.shards_removed)
    assert (1 in manifest_versions(run.store)) != (1 in [one.version for one in receipt.versions_pruned])
    again = rebuilt(world, world / "run" / "suppressed")
    assert parts(again.root) == parts(run.root)


def test_what_was_found_of_duplicates_goes_where_nothing_is_judged(world: Path) -> None:
    """A run that was stopped after duplicates were found: no stage finds them anew."""
    run = opened(world)
    kept = tuple(done for done in run.state.stages if done.stage in ("ingest", "duplicates"))
    run.state = run.state.model_copy(update={"stages": kept})
    run.save()
    for folder in ("manifests", "shards", "stats", "selection"):
        shutil.rmtree(world / "run" / folder)
    assert FRAME_HASH_A0 in b"".join(path.read_bytes() for path in (world / "run" / "duplicates").rglob("*.npy"))
    take_down(world, [CLIP_A0])
    assert traces(world / "run", [FRAME_HASH_A0, *DIGESTS_A0], without=LISTS) == []
