"""What finding copies by frame hashes costs at scale: time, memory, growth, a hot bucket, new clips beside old ones.

    python -m benchmarks.perceptual [--clips 1000000] [--runs 1]

Clips are made up: five seconds of four hashes each, of which about 24 of 256 bits change from one to the next; every
tenth clip is another encoding of one before it (2 % of its bits turned), cut up to a second later. Each measurement is
`find_pairs` in a process of its own:

growth  a quarter of the clips and all of them: CPU seconds per clip of all over those of the quarter (target 1.25)
hot     a quarter of the clips, of which a fifth show one title for a moment, over as many without it (target 1.5)
base    the copies as new clips, compared with each other and looked up in the index that all others have (written
        before, and not counted), over comparing all of them with all (target 0.35)
part    the same beside a quarter of the others, of which the new ones are copies as well: what four times as large a
        base costs over it (target 1.5)
anew    as `base`, where that one has no index and is read and posted anew

Prints wall and CPU seconds, peak memory and the share of planted copies that was found; ends with 1 where a target is
missed.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.memory import own_peak_bytes
from curation.arrays import array_bytes, open_array
from curation.duplicates.collisions import CollisionCounts, collide, unique_candidates
from curation.duplicates.perceptual import Copies, find_pairs, verify
from curation.duplicates.perceptual_options import PerceptualOptions
from curation.duplicates.posting_index import INDEX_ARRAYS, PostingIndex, index_postings, renumber
from curation.duplicates.postings import SLOTS, Postings, distinct, frames_to_post, post_slot
from curation.duplicates.signatures import HASH_WORDS, Signatures, take_signatures
from curation.store import LocalStore

HASHES, COPY_EVERY, MOVING, TURNED = 20, 10, 24 / 256, 0.02
HOT_SHARE = 5
QUALITY = 80
GROWTH_TARGET, HOT_TARGET, BASE_TARGET, PART_TARGET = 1.25, 1.5, 0.35, 1.5
_BLOCK = 4_000


def make_signatures(clips: int, *, hot: bool, seed: int = 1) -> Signatures:
    """Return clips of which every tenth is a copy of the one before it; with `hot`, a fifth show one title."""
    rng = np.random.default_rng(seed)
    words = np.empty((clips * HASHES, HASH_WORDS), dtype=np.uint64)
    title = _packed(rng.random((1, 256)) < 0.5)[0]
    for start in range(0, clips, _BLOCK):
        count = min(_BLOCK, clips - start)
        bits = rng.random((count, HASHES, 256), dtype=np.float32) < MOVING
        bits[:, 0] = rng.random((count, 256), dtype=np.float32) < 0.5
        shown = np.logical_xor.accumulate(bits, axis=1)
        copies = np.arange(COPY_EVERY - 1, count, COPY_EVERY)
        for copy, late in zip(copies, rng.integers(0, 5, len(copies)), strict=True):
            kept = shown[copy - 1, late:]
            shown[copy, : HASHES - late] = kept ^ (rng.random(kept.shape, dtype=np.float32) < TURNED)
        block = _packed(shown.reshape(-1, 256)).reshape(count, HASHES, HASH_WORDS)
        if hot:
            block[::HOT_SHARE, 0] = title
        words[start * HASHES : (start + count) * HASHES] = block.reshape(-1, HASH_WORDS)
    starts = np.arange(clips + 1, dtype=np.int64) * HASHES
    return Signatures(starts=starts, words=words, quality=np.full(len(words), QUALITY, dtype=np.uint8))


def _packed(bits: np.ndarray) -> np.ndarray:
    """bool [n, 256] -> uint64 [n, 4]."""
    return np.packbits(bits, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def part(signatures: Signatures, wanted: np.ndarray) -> Signatures:
    """Return the clips that a bool [clips] names, under their numbers."""
    words = signatures.words.reshape(-1, HASHES, HASH_WORDS)[wanted]
    return Signatures(
        starts=np.arange(len(words) + 1, dtype=np.int64) * HASHES,
        words=words.reshape(-1, HASH_WORDS),
        quality=np.full(words.shape[0] * HASHES, QUALITY, dtype=np.uint8),
        clips=np.flatnonzero(wanted),
    )


class KeptIndex:
    """The index of old clips in files of a folder, opened as a later build opens it."""

    def __init__(self, folder: Path, known: Signatures) -> None:
        self.store, self.clips = LocalStore(folder), known.clips
        self.numbers = np.arange(len(known), dtype=np.int32)
        begun = time.process_time()
        rows = replace(known, clips=np.arange(len(known)))
        kept = frames_to_post(rows, PerceptualOptions())
        for slot in range(SLOTS):
            index = index_postings(post_slot(rows, kept, slot))
            for name in INDEX_ARRAYS:
                self.store.write(f"{slot}-{name}.npy", array_bytes(getattr(index, name)))
        for name in ("starts", "words", "quality"):
            self.store.write(f"{name}.npy", array_bytes(getattr(known, name)))
        self.cpu_s = time.process_time() - begun
        self.bytes = sum(self.store.size(path) for path in self.store.list("."))

    def find_pairs(self, new: Signatures) -> Copies:
        """Return the pairs of a new clip with an old one."""
        options = PerceptualOptions()
        kept = frames_to_post(new, options)
        parts, counts = [], CollisionCounts()
        for slot in range(SLOTS):
            told = post_slot(new, kept, slot)
            index = PostingIndex(*(open_array(self.store, f"{slot}-{name}.npy") for name in INDEX_ARRAYS))
            met = renumber(index.find(distinct(told.key)), lambda _: (0, self.numbers))
            found = collide(told, options, Postings(met.key, self.clips[met.clip], met.frame))
            parts.append(found.candidates)
            counts += found.counts
        candidates = unique_candidates(parts)
        seconds = np.unique(candidates.second)
        starts, words, quality = (open_array(self.store, f"{name}.npy") for name in ("starts", "words", "quality"))
        known = take_signatures((starts, words, quality), np.searchsorted(self.clips, seconds), seconds)
        return replace(verify(candidates, new, options, known), counts=counts)


def measure(clips: int, kind: str) -> dict[str, Any]:
    """Be the process of one measurement."""
    signatures = make_signatures(clips, hot=kind == "hot")
    if kind in ("spread", "hot"):
        everyone = [signatures]
        return {
            "kind": kind,
            **_measured(clips, lambda: [find_pairs(own, PerceptualOptions()) for own in everyone]),
        }
    is_new = np.arange(clips) % COPY_EVERY == COPY_EVERY - 1
    old = (clips - is_new.sum()) // (4 if kind == "part" else 1)
    # A quarter of the old ones, with the original of each copy among them: what is found stays the same.
    original = np.arange(clips) % COPY_EVERY == COPY_EVERY - 2
    is_old = ~is_new & (np.cumsum(~is_new & ~original) <= old - original.sum()) | original
    new, known = part(signatures, is_new), part(signatures, is_old)
    del signatures
    if kind == "anew":
        sides = (known, None)
        facts = _measured(clips, lambda: [find_pairs(new, PerceptualOptions(), own) for own in sides])
        return {"kind": kind, "new": len(new), **facts}
    with tempfile.TemporaryDirectory() as folder:
        index = KeptIndex(Path(folder), known)
        del known
        facts = _measured(clips, lambda: [index.find_pairs(new), find_pairs(new, PerceptualOptions())])
    per_clip = {"index_bytes": index.bytes, "index_cpu_us": 10**6 * index.cpu_s}
    told = {name: round(own / len(index.clips)) for name, own in per_clip.items()}
    return {"kind": kind, "new": len(new), "old": len(index.clips), **facts, **told}


def _measured(clips: int, work: Callable[[], list[Copies]]) -> dict[str, Any]:
    """Return what finding copies took, and which share of the planted ones it found."""
    begun = time.monotonic(), time.process_time()
    found, *others = work()
    spent = time.monotonic() - begun[0], time.process_time() - begun[1]
    counts = sum((one.counts for one in others), start=found.counts)
    planted = np.arange(COPY_EVERY - 1, clips, COPY_EVERY)
    later, earlier = np.maximum(found.first, found.second), np.minimum(found.first, found.second)
    told = np.isin(planted * clips + planted - 1, later * clips + earlier)
    return {
        "clips": clips,
        "wall_s": round(spent[0], 1),
        "cpu_s": round(spent[1], 1),
        "peak_mb": own_peak_bytes() // 10**6,
        "pairs": len(found),
        "compared": counts.pairs,
        "left_out": counts.left_out,
        "found": round(float(told.mean()), 4),
    }


def _run(clips: int, kind: str) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.perceptual", "--clips", str(clips), "--kind", kind]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    facts: dict[str, Any] = json.loads(done.stdout)
    sys.stdout.write(json.dumps(facts) + "\n")
    sys.stdout.flush()
    return facts


def main() -> int:
    """Measure, print, and say whether the targets are met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--kind", choices=("spread", "hot", "base", "part", "anew"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.kind:
        sys.stdout.write(json.dumps(measure(options.clips, options.kind)) + "\n")
        return 0
    growth, hot, base, grown = [], [], [], []
    for _ in range(options.runs):
        quarter, whole = _run(options.clips // 4, "spread"), _run(options.clips, "spread")
        growth.append(whole["cpu_s"] / quarter["cpu_s"] / 4)
        hot.append(_run(options.clips // 4, "hot")["cpu_s"] / quarter["cpu_s"])
        keyed, anew = _run(options.clips, "base"), _run(options.clips, "anew")
        if (keyed["pairs"], keyed["compared"]) != (anew["pairs"], anew["compared"]):
            raise RuntimeError(f"looking up gives {keyed}, posting anew {anew}")
        base.append(keyed["cpu_s"] / whole["cpu_s"])
        grown.append(keyed["cpu_s"] / _run(options.clips, "part")["cpu_s"])
    measured = (("growth", growth), ("hot", hot), ("base", base), ("grown", grown))
    ratios = {name: statistics.median(own) for name, own in measured}
    quarter_clips = options.clips // 4
    sys.stdout.write(
        f"cost per clip, {options.clips:,} against {quarter_clips:,}: {ratios['growth']:.2f}x "
        f"(target {GROWTH_TARGET})\n"
        f"a hot bucket with a fifth of the clips: {ratios['hot']:.2f}x (target {HOT_TARGET})\n"
        f"a tenth new beside the index of the others: {ratios['base']:.2f}x of comparing all (target {BASE_TARGET})\n"
        f"the same beside four times as many: {ratios['grown']:.2f}x (target {PART_TARGET})\n"
    )
    targets = {"growth": GROWTH_TARGET, "hot": HOT_TARGET, "base": BASE_TARGET, "grown": PART_TARGET}
    return 0 if all(ratios[name] <= target for name, target in targets.items()) else 1


if __name__ == "__main__":
    sys.exit(main())
