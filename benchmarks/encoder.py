"""Both stages and their evaluation over several seeds, on the shards of a run: the table of docs/experiments.md.

    python -m benchmarks.encoder RUN --work FOLDER [--seeds 1 2 3]

Each seed draws its own weights, batches, masks, held-out clips and probes. Finished stages in FOLDER are kept.
"""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

from curation.scorers import WORLD_CLIP, load_open_clip
from schemas.run import stage_folder
from schemas.training import TrainingSummary
from training.data import read_run_manifest
from training.evaluation import ShapesOptions, markdown_table
from training.frozen import evaluate
from training.loop import train
from training.recipe import demo_stages


def train_seed(run: Path, folder: Path, seed: int) -> list[TrainingSummary]:
    """Train both stages of the demo with another seed, into a folder of their own."""
    samples = sum(shard.samples for shard in read_run_manifest(run).shards)
    first, second = demo_stages(run, samples)
    teacher = str(folder / stage_folder(1))
    summaries = [train(first.model_copy(update={"seed": seed, "out": teacher}))]
    places = {"seed": seed, "out": str(folder / stage_folder(2)), "teacher": teacher}
    return [*summaries, train(second.model_copy(update=places))]


def main() -> None:
    """Train, evaluate and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    parser.add_argument("--work", type=Path, required=True, help="folder for the stages of each seed")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    logging.getLogger("clipstrata").setLevel(logging.INFO)
    scorer = load_open_clip(WORLD_CLIP, None)
    evaluations = []
    for seed in arguments.seeds:
        folder = arguments.work.resolve() / f"seed{seed}"
        for summary in train_seed(arguments.run.resolve(), folder, seed):
            sys.stdout.write(
                f"seed {seed} stage {summary.stage}: {summary.samples_per_s} samples/s, "
                f"{summary.wait_share:.2%} waiting, {summary.seconds} s, final loss {summary.final_loss}\n"
            )
        evaluations.append(evaluate(folder, scorer, ShapesOptions(seed=seed)))
    sys.stdout.write(markdown_table(evaluations))


if __name__ == "__main__":
    main()
