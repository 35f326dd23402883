"""The folder that ships: config, weights in half precision, tokenizer, recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.scorer.recipe import Recipe, open_clip_config
from training.scorer.tokens import save_tokenizer

WEIGHTS = "open_clip_model.safetensors"
RECIPE = "recipe.json"
QUALITY = "quality.json"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """JSON with a fixed layout, so that equal content is equal bytes."""
    path.write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")


def stored(name: str, weight: torch.Tensor) -> torch.Tensor:
    """A weight as it is stored: half precision, except batch statistics and counters, whose range is wider."""
    keep = "running_" in name or not weight.is_floating_point()
    return weight.detach().contiguous() if keep else weight.detach().to(torch.float16).contiguous()


def save_model(model: Any, tokenizer: Tokenizer, folder: Path) -> None:
    """Write what `load_open_clip` needs. open_clip reads the half-precision weights into float32."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({name: stored(name, weight) for name, weight in model.state_dict().items()}, folder / WEIGHTS)
    (folder / WEIGHTS).chmod(0o644)  # safetensors makes it readable for its owner only
    write_json(folder / "open_clip_config.json", open_clip_config(tokenizer.get_vocab_size()))
    save_tokenizer(tokenizer, folder)


def save_recipe(folder: Path, recipe: Recipe, made: Mapping[str, Any]) -> None:
    """Write recipe.json: the recipe's numbers and `made` (command, date, machine, seconds, digest)."""
    write_json(folder / RECIPE, {**made, "recipe": asdict(recipe)})
