"""Scoring through clipstrata against a bare open_clip loop over the same frames in memory: the ratio of their seconds.

    python -m benchmarks.scoring [--model world_clip | ViT-B-32] [--clips 768] [--texts 2] [--threads 1] [--rounds 3]

Both sides run in this process, on the same frames and texts, in batches of the same size, with the same threads, in
turns. The bare side has frames and texts in memory and does what anybody would write: normalise, encode, multiply. Ours
reads score frames from a store as JPEG, goes through Beam's RunInference on the embedded runner, aggregates, counts
tokens and writes its cache. Beam's own start shows in short runs, so there are many clips. An architecture without
weights here gets random ones: they cost what real ones cost. Ends with 1 over the target.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import numpy as np
import torch

from curation.media import FramePlan
from curation.media.strips import write_strip
from curation.score_batches import BatchTools, ClipToScore, ScoreBatch, TextToScore, cut_batches, score_batches
from curation.score_cache import ScoreCache
from curation.scorers import FRAME_BATCH, TEXT_BATCH, OpenClipScorer, Scorer, load_open_clip
from curation.store import LocalStore
from pipelines.engine import EngineOptions, running
from pipelines.scoring import ScoreBatches, ScorerSpec, ScoringOptions

TARGET = 1.10
FRAMES = 8
LOADED: dict[str, OpenClipScorer] = {}


@dataclass(frozen=True, kw_only=True)
class Work:
    """The same clips for both sides.

    Attributes:
        frames: uint8 [clips * FRAMES, S, S, 3].
        texts: of each clip.
    """

    store: LocalStore
    plan: FramePlan
    batches: list[ScoreBatch]
    frames: np.ndarray
    texts: list[list[str]]


def loaded(spec: ScorerSpec) -> Scorer:
    """Return the scorer that is in memory already: loading is not what is compared."""
    return LOADED[spec.model]


def scorer_for(model: str, folder: Path) -> OpenClipScorer:
    """Return a shipped scorer or a folder's; another architecture is given random weights."""
    import open_clip
    from safetensors.torch import save_file

    if model not in open_clip.list_models():
        return load_open_clip(model)
    torch.manual_seed(1)
    network = open_clip.create_model(model)
    save_file({name: weight.contiguous() for name, weight in network.state_dict().items()}, folder / "random.st")
    path = folder / "random.safetensors"
    (folder / "random.st").rename(path)
    return load_open_clip(model, str(path))


def make_work(scorer: OpenClipScorer, clips: int, texts: int, root: Path) -> Work:
    """Write the score frames of some clips and keep what a reader decodes of them."""
    from curation.media import read_strip

    store, plan = LocalStore(root), FramePlan(count=FRAMES, size_px=scorer.image_size)
    rng = np.random.default_rng(7)
    told, frames, said = [], [], []
    for number in range(clips):
        # Smooth frames, as video has: noise would make JPEG slower than it is.
        coarse = rng.integers(0, 256, (FRAMES, 8, 8, 3), np.uint8)
        repeat = -(-plan.size_px // 8)
        squares = coarse.repeat(repeat, 1).repeat(repeat, 2)[:, : plan.size_px, : plan.size_px]
        path, data = f"frames/{number}.jpg", write_strip(list(squares))
        store.write(path, data)
        frames.append(read_strip(data, plan))
        said.append([f"a red ring on the grass, number {number * texts + place}" for place in range(texts)])
        pairs = tuple(TextToScore(text_id=f"{number}-{place}", text=text) for place, text in enumerate(said[-1]))
        told.append(ClipToScore(sample_id=f"{number}", media_sha256=f"{number:064d}", strip_path=path, texts=pairs))
    batches = cut_batches("unit", ["media"], told, FRAMES)
    return Work(store=store, plan=plan, batches=batches, frames=np.concatenate(frames), texts=said)


def bare_loop(model: str, work: Work) -> list[np.ndarray]:
    """Return the mean cosines of each clip's texts: open_clip, and nothing of ours but the weights."""
    scorer = LOADED[model]
    network, tokenizer = scorer._model, scorer._tokenizer
    mean, std = torch.tensor(scorer._mean), torch.tensor(scorer._std)
    texts = [text for own in work.texts for text in own]
    seen, said = [], []
    with torch.inference_mode():
        for start in range(0, len(work.frames), FRAME_BATCH):
            pixels = (torch.from_numpy(work.frames[start : start + FRAME_BATCH]).float() - mean) / std
            seen.append(network.encode_image(pixels.permute(0, 3, 1, 2).contiguous(), normalize=True))
        for start in range(0, len(texts), TEXT_BATCH):
            said.append(network.encode_text(tokenizer(texts[start : start + TEXT_BATCH]), normalize=True))
    frames, words = torch.cat(seen).numpy(), torch.cat(said).numpy()
    count = len(work.texts[0])
    return [
        (frames[place * FRAMES : (place + 1) * FRAMES] @ words[place * count : (place + 1) * count].T).mean(axis=0)
        for place in range(len(work.texts))
    ]


def through_beam(model: str, work: Work) -> None:
    """Score every clip through RunInference on the embedded runner, in this thread."""
    scorer = LOADED[model]
    spec = ScorerSpec(model=model, pretrained=None, device="cpu", dtype="float32", digest=scorer.digest)
    options = ScoringOptions(root=work.store.address, scorer=spec, plan=work.plan)
    engine = EngineOptions(flags=("--direct_running_mode=in_memory", "--direct_num_workers=1"))
    with running(engine) as pipeline:
        _ = pipeline | beam.Create(work.batches) | ScoreBatches(options, loaded)


def through_function(model: str, work: Work) -> list[np.ndarray]:
    """Score every clip through the function that the step calls; returns the mean scores in units of 1."""
    scorer = LOADED[model]
    cache = ScoreCache(work.store, scorer.digest)
    tools = BatchTools(store=work.store, scorer=scorer, plan=work.plan, cache=cache)
    return [
        np.array([dict(text.scores_1e4)["mean"] / 10_000 for text in clip.texts])
        for scored in score_batches(work.batches, tools)
        for clip in scored.clips
    ]


def seconds(act: Callable[[str, Work], object], model: str, work: Work, *, forget: bool = True) -> tuple[float, float]:
    """Return (wall, CPU) seconds of one go; what earlier ones left in the cache goes first when `forget`."""
    if forget:
        for path in list(work.store.list("scores")):
            work.store.delete(path)
    wall, cpu = time.perf_counter(), time.process_time()
    act(model, work)
    return time.perf_counter() - wall, time.process_time() - cpu


def measure(model: str, work: Work, rounds: int) -> dict[str, Any]:
    """Return the medians of all sides, taken in turns after one go each that does not count."""
    same = np.abs(np.array(bare_loop(model, work)) - np.array(through_function(model, work))).max()
    if same > 2e-4:
        raise SystemExit(f"the two sides differ by {same}: they do not do the same work")
    sides = {"bare": bare_loop, "beam": through_beam, "function": through_function}
    seconds(through_beam, model, work)
    taken: dict[str, list[tuple[float, float]]] = {name: [] for name in (*sides, "known")}
    for _ in range(rounds):
        for name, act in sides.items():
            taken[name].append(seconds(act, model, work))
        taken["known"].append(seconds(through_function, model, work, forget=False))
    wall = {name: statistics.median(pair[0] for pair in pairs) for name, pairs in taken.items()}
    cpu = {name: statistics.median(pair[1] for pair in pairs) for name, pairs in taken.items()}
    ratios = {f"{name}_ratio": round(wall[name] / wall["bare"], 3) for name in ("beam", "function")}
    return {
        "model": model,
        "clips": len(work.texts),
        "frames": len(work.frames),
        "texts": sum(len(own) for own in work.texts),
        "wall_s": {name: round(value, 3) for name, value in wall.items()},
        "cpu_s": {name: round(value, 3) for name, value in cpu.items()},
        **ratios,
        "target": TARGET,
    }


def main() -> int:
    """Measure, print JSON, and say whether the target is met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="world_clip")
    parser.add_argument("--clips", type=int, default=768)
    parser.add_argument("--texts", type=int, default=2)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    with tempfile.TemporaryDirectory() as folder:
        LOADED[arguments.model] = scorer_for(arguments.model, Path(folder))
        work = make_work(LOADED[arguments.model], arguments.clips, arguments.texts, Path(folder) / "run")
        found = measure(arguments.model, work, arguments.rounds)
    sys.stdout.write(json.dumps(found, indent=2) + "\n")
    return 0 if found["beam_ratio"] <= TARGET else 1


if __name__ == "__main__":
    # Beam sends functions by the name of their module, and this one must not be `__main__`.
    from benchmarks.scoring import main as run

    sys.exit(run())
