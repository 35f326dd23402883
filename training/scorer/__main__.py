"""`python -m training.scorer train` makes the scorer that ships, `… evaluate` measures one."""

from __future__ import annotations

import argparse
import json
import logging
import platform
import sys
import time
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from typing import Any

import torch

from curation.scorers import WORLD_CLIP, ScorerUnavailable, load_open_clip
from curation.scorers.open_clip_scorer import WORLD_CLIP_FOLDER
from training.scorer.data import draw_pool
from training.scorer.export import QUALITY, save_model, save_recipe, write_json
from training.scorer.fit import fit
from training.scorer.measure import measure
from training.scorer.recipe import Recipe
from training.scorer.tokens import batch_encoder, learn_tokenizer

_NUMBERS = ("seed", "clips", "factor_steps", "steps", "batch", "held_out_clips")
"""The numbers of the recipe that the command line can change."""

log = logging.getLogger("training.scorer")


def _arguments() -> argparse.ArgumentParser:
    defaults = Recipe()
    parser = argparse.ArgumentParser(prog="python -m training.scorer", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    train = commands.add_parser("train", help="train on a world drawn in memory; about twelve minutes on two cores")
    train.add_argument("--out", type=Path, default=WORLD_CLIP_FOLDER, help="folder of the model (default: the shipped)")
    for name in _NUMBERS:
        train.add_argument(
            f"--{name.replace('_', '-')}", type=int, default=getattr(defaults, name), help="default: %(default)s"
        )
    evaluate = commands.add_parser("evaluate", help="measure a scorer on a held-out world; about half a minute")
    evaluate.add_argument("--model", default=WORLD_CLIP, help="anything load_open_clip takes (default: %(default)s)")
    evaluate.add_argument("--pretrained", default=None, help="tag or weight file, for an architecture of open_clip")
    evaluate.add_argument("--seed", type=int, default=defaults.held_out_seed, help="default: %(default)s")
    evaluate.add_argument("--clips", type=int, default=defaults.held_out_clips, help="default: %(default)s")
    evaluate.add_argument("--write", type=Path, default=None, help="also write the JSON to this file")
    for command in (train, evaluate):
        command.add_argument("--threads", type=int, default=2, help="threads of torch (default: %(default)s)")
    return parser


def _machine(threads: int) -> str:
    return f"{platform.machine()} CPU, {threads} threads, torch {torch.__version__}"


def _train(options: argparse.Namespace) -> None:
    recipe = Recipe(**{name: getattr(options, name) for name in _NUMBERS})
    started = time.monotonic()
    tokenizer = learn_tokenizer(recipe.seed)
    log.info("drawing %d clips", recipe.clips)
    pool = draw_pool(recipe)
    log.info("training for %d steps", recipe.steps)
    model = fit(recipe, pool, batch_encoder(tokenizer))
    save_model(model, tokenizer, options.out)
    scorer = load_open_clip(str(options.out))
    numbers = " ".join(f"--{name.replace('_', '-')} {getattr(recipe, name)}" for name in _NUMBERS)
    command = f"python -m training.scorer train {numbers} --threads {options.threads}"
    made = {
        "command": command,
        "date": date.today().isoformat(),
        "machine": _machine(options.threads),
        "training_s": round(time.monotonic() - started),
        "digest": scorer.digest,
    }
    save_recipe(options.out, recipe, made)
    quality = measure(scorer, recipe.held_out_seed, recipe.held_out_clips)
    write_json(options.out / QUALITY, quality)
    log.info("AUC on held-out clean captions: %s", quality["clean_captions"]["auc"])


def _evaluate(options: argparse.Namespace) -> None:
    quality: dict[str, Any] = measure(load_open_clip(options.model, options.pretrained), options.seed, options.clips)
    sys.stdout.write(json.dumps(quality, indent=2) + "\n")
    if options.write is not None:
        write_json(options.write, quality)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 0 when it is done, 2 when an option or a model is wrong."""
    options = _arguments().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    logging.getLogger("root").setLevel(logging.WARNING)
    log.setLevel(logging.INFO)
    logging.getLogger("training.scorer.fit").setLevel(logging.INFO)
    torch.set_num_threads(options.threads)
    try:
        {"train": _train, "evaluate": _evaluate}[options.command](options)
    except (ScorerUnavailable, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
