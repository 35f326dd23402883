"""Shards in numbers: writing against tar, reading against webdataset and cat, and how soon a stream gives a sample.

Both sides of each pair run in turns on the same files of the same disk; the median of the pairs' ratios is what counts.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import webdataset as wds

from curation.packing import PackedSample
from curation.shard_ranges import LocalRanges
from curation.shard_writing import write_shard
from curation.store import LocalStore
from schemas.canonical import canonical_json
from schemas.ids import stable_id
from schemas.manifest import Fingerprints, LatestPointer, Manifest, ShardFacts
from schemas.run import LATEST_JSON, manifest_path, media_path
from schemas.shards import SAMPLE_SCHEMA, ShardPlace
from training.data import BatchOptions, SampleStream, plan_batches, read_index, read_run_manifest, shard_samples

CORPUS, SOURCE, TIER = "bench", "stock", "clean"
WRITE_BOUND, FIRST_SAMPLE_BOUND_S = 1.3, 2.0
WEIGHTS = {"stage1": 10_000, "stage2": 10_000}


def make_samples(store: LocalStore, count: int, mean_bytes: int) -> list[PackedSample]:
    """Store `count` clips of random bytes, of sizes spread about a mean as those of clips are, and describe them."""
    generator = np.random.default_rng(1)
    sizes = np.maximum(512, generator.lognormal(np.log(mean_bytes) - 0.125, 0.5, count).astype(int))
    samples = []
    for place, size in enumerate(sizes):
        media = generator.bytes(int(size))
        digest = hashlib.sha256(media).hexdigest()
        store.write(media_path(digest), media)
        key = stable_id("bench", place)
        samples.append(_packed(key, digest, len(media)))
    return samples


def _packed(key: str, digest: str, size: int) -> PackedSample:
    text = {"text_id": stable_id("text", key), "kind": "caption", "text": f"a clip of {size} bytes", "scores_1e4": {}}
    facts = {
        "schema": SAMPLE_SCHEMA,
        "sample_id": key,
        "source": SOURCE,
        "tier": TIER,
        "media_sha256": digest,
        "weights_1e4": WEIGHTS,
        "texts": [text],
    }
    return PackedSample(
        sample_id=key,
        facts=canonical_json(facts),
        text=str(text["text"]),
        media_sha256=digest,
        media_bytes=size,
        duration_us=5_000_000,
        weights_1e4=WEIGHTS,
    )


def write_shards(store: LocalStore, samples: Sequence[PackedSample], shards: int) -> list[ShardFacts]:
    """Write samples into so many shards, as the shard job does."""
    ordered = sorted(samples, key=lambda sample: sample.sample_id)
    size = -(-len(ordered) // shards)
    parts = [ordered[start : start + size] for start in range(0, len(ordered), size)]
    places = [ShardPlace(tier=TIER, source=SOURCE, bucket=bucket) for bucket in range(len(parts))]
    return [write_shard(part, store, CORPUS, place).facts for part, place in zip(parts, places, strict=True)]


def commit(store: LocalStore, shards: Sequence[ShardFacts]) -> None:
    """Write a manifest of shards and its pointer."""
    manifest = Manifest(
        corpus=CORPUS,
        version=1,
        base=None,
        scorer="none",
        fingerprints=Fingerprints(ingest="", judge="", shard=""),
        sources=(),
        weights_1e4={},
        plan=(),
        shards=tuple(shards),
        files={},
    )
    data = manifest.to_bytes()
    store.write(manifest_path(1), data)
    pointer = LatestPointer(version=1, path=manifest_path(1), sha256=hashlib.sha256(data).hexdigest())
    store.write(LATEST_JSON, pointer.to_bytes())


def tar_files(store: LocalStore, samples: Sequence[PackedSample], shards: int, work: Path) -> None:
    """Pack the same clips, facts and texts with tar, and bring each tar to the device as the store does."""
    ordered = sorted(samples, key=lambda sample: sample.sample_id)
    size = -(-len(ordered) // shards)
    for start in range(0, len(ordered), size):
        names = work / "names"
        paths = [
            f"members/{sample.sample_id}.{suffix}" for sample in ordered[start : start + size] for suffix in MEMBERS
        ]
        names.write_text("\n".join(paths))
        target = work / f"tar-{start}.tar"
        command = [
            "tar",
            "--create",
            "--format=ustar",
            "--dereference",
            "--file",
            str(target),
            "--files-from",
            str(names),
        ]
        subprocess.run(command, check=True, cwd=work)
        with target.open("rb") as file:
            os.fsync(file.fileno())


MEMBERS = ("json", "mp4", "txt")


def lay_out(store: LocalStore, samples: Sequence[PackedSample], folder: Path) -> None:
    """Write the members of samples as files, clips as links to the store's."""
    folder.mkdir(parents=True)
    for sample in samples:
        (folder / f"{sample.sample_id}.json").write_bytes(sample.facts)
        (folder / f"{sample.sample_id}.txt").write_text(sample.text or "")
        os.link(store.root / media_path(sample.media_sha256), folder / f"{sample.sample_id}.mp4")


def timed(work: Callable[[], object]) -> float:
    """Return how long something takes, in seconds."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def bench_writing(work: Path, clips: int, rounds: int) -> tuple[float, LocalStore]:
    """Print how long writing takes beside tar; returns the median ratio and the store with its shards."""
    store = LocalStore(work / "run")
    samples = make_samples(store, clips, 250_000)
    lay_out(store, samples, work / "tar" / "members")
    total_mb = sum(sample.media_bytes for sample in samples) / 1e6
    ratios, ours, theirs = [], [], []
    for _ in range(rounds):
        shutil.rmtree(store.root / "shards", ignore_errors=True)
        ours.append(timed(lambda: write_shards(store, samples, 8)))
        for path in (work / "tar").glob("*.tar"):
            path.unlink()
        theirs.append(timed(lambda: tar_files(store, samples, 8, work / "tar")))
        ratios.append(ours[-1] / theirs[-1])
    again_s = timed(lambda: commit(store, write_shards(store, samples, 8)))
    print_line(f"writing {total_mb:,.0f} MB of {clips:,} clips into 8 shards, {rounds} rounds in turns")
    print_line(f"  clipstrata {statistics.median(ours):.2f} s, tar {statistics.median(theirs):.2f} s")
    print_line(f"  ratio: median {statistics.median(ratios):.2f}, of {', '.join(f'{ratio:.2f}' for ratio in ratios)}")
    print_line(f"  again, with nothing changed: {again_s:.2f} s")
    return statistics.median(ratios), store


def bench_reading(store: LocalStore, rounds: int) -> None:
    """Print samples per second of the checked reader and of the stream beside plain webdataset and cat."""
    manifest = read_run_manifest(store.root)
    tars = [str(store.root / facts.path) for facts in manifest.shards]
    count = sum(facts.samples for facts in manifest.shards)
    index = read_index(LocalRanges(store.root), manifest)
    plan = plan_batches(index.samples, BatchOptions(size=16, seed=1))

    def stream() -> None:
        batches = SampleStream(LocalRanges(store.root), index, plan).batches()
        for _ in range(count // 16):
            next(batches)
        batches.close()

    ways: dict[str, Callable[[], object]] = {
        "cat": lambda: subprocess.run(["cat", *tars], check=True, stdout=subprocess.DEVNULL),
        "webdataset": lambda: sum(1 for _ in wds.WebDataset(tars, shardshuffle=False)),
        "clipstrata, shard by shard": lambda: sum(1 for _ in shard_samples(store.root, manifest)),
        "clipstrata, drawn by step": stream,
    }
    taken: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            taken[name].append(timed(way))
    print_line(f"reading {count:,} samples from the page cache, {rounds} rounds in turns")
    for name, seconds in taken.items():
        ratio = statistics.median(own / other for own, other in zip(seconds, taken["webdataset"], strict=True))
        print_line(f"  {name}: {count / statistics.median(seconds):,.0f} samples/s, {ratio:.2f}x webdataset's time")


FIRST = """
import sys, time
started = time.perf_counter()
from curation.shard_ranges import LocalRanges
from training.data import BatchOptions, SampleStream, plan_batches, read_index, read_run_manifest
loaded = time.perf_counter()
root, step = sys.argv[1], int(sys.argv[2])
index = read_index(LocalRanges(root), read_run_manifest(root))
plan = plan_batches(index.samples, BatchOptions(size=16, seed=1))
next(SampleStream(LocalRanges(root), index, plan).batches(step))
print(time.perf_counter() - loaded, loaded - started)
"""


def bench_first_sample(work: Path, shards: int, rounds: int) -> float:
    """Print how soon a fresh process has its first batch of many shards, at the beginning and in mid-epoch."""
    store = LocalStore(work / "many")
    samples = make_samples(store, 100 * shards, 2_000)
    commit(store, write_shards(store, samples, shards))
    worst = 0.0
    for name, step in (("from the beginning", 0), ("in the middle of an epoch", 100 * shards // 32)):
        runs = [_first(store.root, step) for _ in range(rounds)]
        seconds, imports = (statistics.median(column) for column in zip(*runs, strict=True))
        print_line(f"first batch of {shards:,} shards, {name}: {seconds:.2f} s after {imports:.1f} s of imports")
        worst = max(worst, seconds)
    return worst


def _first(root: Path, step: int) -> tuple[float, float]:
    command = [sys.executable, "-c", FIRST, str(root), str(step)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(printed[0]), float(printed[1])


def print_line(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run all of it; exit 1 where a bound is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, required=True, help="a new folder; about 4 GB are written")
    parser.add_argument("--clips", type=int, default=4_000)
    parser.add_argument("--shards", type=int, default=1_000, help="of the many small ones")
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    arguments.work.mkdir(parents=True)
    ratio, store = bench_writing(arguments.work, arguments.clips, arguments.rounds)
    bench_reading(store, arguments.rounds)
    first_s = bench_first_sample(arguments.work, arguments.shards, 3)
    missed = [] if ratio <= WRITE_BOUND else [f"writing is {ratio:.2f}x tar; bound {WRITE_BOUND}"]
    missed += (
        [] if first_s <= FIRST_SAMPLE_BOUND_S else [f"first batch after {first_s:.2f} s; bound {FIRST_SAMPLE_BOUND_S}"]
    )
    for line in missed:
        print_line(f"MISSED: {line}")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
