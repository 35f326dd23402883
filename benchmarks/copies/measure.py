"""Precision and recall of duplicate finding on the planted set, ours and other ways on the same clips.

    python -m benchmarks.copies.measure --work FOLDER [--size small|full] [--other-videos FOLDER]
        [--scorer world_clip | FOLDER | ViT-B-32]

The set is made first where it is not there. Every clip is decoded once, all methods see the same frames. A method's
threshold is the one with the highest recall at a precision of 0.99 on the `tune` split; the table is of the `test`
split. An architecture of open_clip without weights here gets random ones, and the table says so.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.copies.changes import KINDS, PROMISED, PROMISED_PRECISION, PROMISED_RECALL
from benchmarks.copies.evaluate import Sheet, Split, fill_sheet, make_split, points_of
from benchmarks.copies.looks import Look, embed, load_looks, save_looks, take_looks
from benchmarks.copies.methods import perceptual, semantic
from benchmarks.copies.originals import SIZES, all_originals
from benchmarks.copies.peers import Found, near_hashes, semdedup
from benchmarks.copies.plant import plant
from benchmarks.copies.records import CLIPS_FILE, TEST, TUNE, read_records
from benchmarks.copies.report import as_json, markdown, summary
from benchmarks.scoring import scorer_for

log = logging.getLogger(__name__)

Seen = tuple[Sequence[Look], NDArray[np.float32]]
Method = Callable[[Sequence[Look], NDArray[np.float32]], Found]
"""From the looks and the embeddings of a split's clips to the pairs found among them."""


def methods(scorer: str) -> dict[str, Method]:
    """Return all methods by their names in the table."""
    return {
        "clipstrata, perceptual": lambda looks, _: perceptual(looks),
        f"clipstrata, semantic ({scorer})": lambda _, vectors: semantic(vectors),
        "collage hash": lambda looks, _: near_hashes(np.stack([look.collage for look in looks]), "64 bits, 1 frame/s"),
        "`phash` of the middle frame": lambda looks, _: near_hashes(
            np.stack([look.middle for look in looks]), "64 bits"
        ),
        f"SemDeDup's rule ({scorer})": lambda _, vectors: semdedup(vectors),
    }


def measure(
    splits: dict[str, Split], seen: dict[str, Seen], by_name: dict[str, Method], real: dict[str, bool], table: str
) -> tuple[list[Sheet], list[Sheet]]:
    """Return two sheets of a split for each method: at the precise and at the balanced point of `tune`."""
    precise, balanced = [], []
    for name, method in by_name.items():
        started = time.monotonic()
        points = points_of(splits[TUNE], method(*seen[TUNE]), PROMISED_PRECISION)
        found = method(*seen[table])
        for sheets, point in zip((precise, balanced), points, strict=True):
            sheets.append(fill_sheet(name, splits[table], found, point, real))
        log.info("%s: %.1f s", name, time.monotonic() - started)
    return precise, balanced


def looks_of(folder: Path, files: Sequence[str], size_px: int, arguments: argparse.Namespace) -> list[Look]:
    """Return the looks of all clips: decoded, or those that an earlier run kept."""
    if arguments.looks is not None and arguments.looks.exists():
        return load_looks(arguments.looks)
    found = take_looks([folder / file for file in files], size_px, arguments.processes)
    if arguments.looks is not None:
        save_looks(arguments.looks, found)
    return found


def verdict(sheet: Sheet) -> str:
    """Say whether the promised kinds are found as promised."""
    tally = sheet.copies["promised"]
    kept = tally.share >= PROMISED_RECALL and tally.precision >= PROMISED_PRECISION
    return (
        f"{sheet.method}: promised kinds, recall {tally.share:.4f} (target {PROMISED_RECALL}), precision "
        f"{tally.precision:.4f} (target {PROMISED_PRECISION}): {'kept' if kept else 'MISSED'}"
    )


def main() -> int:
    """Plant what is missing, measure all methods, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--size", choices=sorted(SIZES), default="small")
    parser.add_argument("--other-videos", type=Path, help="real videos for `test`: benchmarks.copies.other_videos")
    parser.add_argument("--spans-seed", type=int, default=0, help="another one cuts real videos at other times")
    parser.add_argument("--table", choices=(TUNE, TEST), default=TEST, help="the split that the figures are of")
    parser.add_argument("--scorer", default="world_clip", help="world_clip, a model folder, or an architecture")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--looks", type=Path, help="keep what the decode gave in this file, or reuse it")
    parser.add_argument("--markdown", type=Path, help="write the table there too")
    parser.add_argument("--json", type=Path, help="write all figures there, with the pairs that went wrong")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    torch.set_num_threads(1)
    folder = arguments.work.resolve() / arguments.size
    originals = all_originals(SIZES[arguments.size], arguments.other_videos, arguments.spans_seed)
    if not (folder / CLIPS_FILE).exists():
        plant(folder, originals, arguments.processes)
    bases, clips = read_records(folder)
    with tempfile.TemporaryDirectory() as weights:
        scorer = scorer_for(arguments.scorer, Path(weights))
    looks = looks_of(folder, [clip.file for clip in clips], scorer.image_size, arguments)
    vectors = embed(looks, scorer)
    splits = {name: make_split(name, clips, bases) for name in (TUNE, TEST)}
    seen = {}
    for name in splits:
        own = [place for place, clip in enumerate(clips) if clip.split == name]
        seen[name] = ([looks[place] for place in own], vectors[own])
    files = {original.name for original in originals if original.file is not None}
    real = {base.base_id: base.video in files for base in bases}
    precise, balanced = measure(splits, seen, methods(_label(arguments.scorer)), real, arguments.table)
    others = [kind for kind in KINDS if kind not in PROMISED]
    table = f"{markdown(precise)}\n\nThe others at the highest F1:\n\n{markdown(balanced, others)}"
    held = {name: summary(split) for name, split in splits.items()}
    sys.stdout.write(f"{json.dumps(held)}\n\n{table}\n\n{verdict(precise[0])}\n")
    if arguments.markdown is not None:
        arguments.markdown.write_text(table + "\n", encoding="utf-8")
    if arguments.json is not None:
        about = {"size": arguments.size, "scorer": arguments.scorer, "real_videos": len(files)}
        arguments.json.write_text(
            json.dumps(as_json(precise, balanced, splits, about), indent=1) + "\n", encoding="utf-8"
        )
    return 0


def _label(scorer: str) -> str:
    """Return what the table calls a scorer."""
    import open_clip

    return f"{scorer}, random weights" if scorer in open_clip.list_models() else Path(scorer).name


if __name__ == "__main__":
    sys.exit(main())
