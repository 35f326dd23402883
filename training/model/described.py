"""Sizes as people give them to `clipstrata convert`: a name, or a JSON file in the published words or transformers'."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.model.config import PRESETS, EncoderConfig, TextConfig
from training.model.folder_config import sizes_in

# names of published weights -> preset
PUBLISHED: Mapping[str, str] = {
    f"videoprism_{kind}public_v1_{preset}": preset for kind in ("", "lvt_") for preset in ("base", "large")
}
# what the published arguments may say that our models do not vary
PUBLISHED_FIXED: Mapping[str, Any] = {"norm_policy": "pre", "enable_causal_atten": True}
TEXT_FACTOR = 4  # published code: the text tower's MLP is 4 * D wide


@dataclass(frozen=True)
class Described:
    """Sizes of the towers; what else a model has shows in its weights.

    text: None where no text tower is described.
    """

    video: EncoderConfig
    text: TextConfig | None


def described(name: str) -> Described:
    """Return the sizes that a preset, a published model's name or a JSON file gives.

    Raises:
        ValueError: it is none of these, or describes what our models do not compute.
    """
    preset = PUBLISHED.get(name, name)
    if preset in PRESETS:
        video, text = PRESETS[preset]
        return Described(video(), text())
    path = Path(name)
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        names = ", ".join((*PRESETS, *PUBLISHED))
        raise ValueError(f"{name}: cannot be read ({error}); allowed: a JSON file, or one of {names}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{name}: holds {type(document).__name__}; allowed: an object of sizes; give such a file")
    if "model_type" in document:
        sizes = sizes_in(name, document)
        return Described(sizes.video, sizes.text)
    return published_sizes(name, document.get("encoder_params", document))


def published_sizes(where: str, arguments: Mapping[str, Any]) -> Described:
    """Return sizes from the arguments of the published code's models.

    Raises:
        ValueError: an argument is missing, or is one that our models do not compute.
    """
    needed = ("pos_emb_shape", "model_dim", "num_heads", "mlp_dim", "num_spatial_layers", "num_temporal_layers")
    missing = [key for key in needed if key not in arguments]
    if missing:
        raise ValueError(f"{where}: {missing[0]} is absent; allowed: all of {', '.join(needed)}; add it")
    for key, value in PUBLISHED_FIXED.items():
        if arguments.get(key, value) != value:
            raise ValueError(f"{where}: {key} is {arguments[key]!r}; allowed: {value!r}; no published weights differ")
    shape = arguments["pos_emb_shape"]
    if not isinstance(shape, list) or len(shape) != 3 or shape[1] != shape[2]:
        raise ValueError(f"{where}: pos_emb_shape is {shape!r}; allowed: [T, S, S]; give a square model")
    shared = {
        "width": arguments["model_dim"],
        "heads": arguments["num_heads"],
        "logit_cap": arguments.get("atten_logit_cap", 0.0) or None,  # published code: 0 is no cap
    }
    patch = arguments.get("patch_size", 18)
    video = EncoderConfig(
        frames=shape[0],
        image_px=shape[1] * patch,
        patch_px=patch,
        mlp_width=arguments["mlp_dim"],
        spatial_layers=arguments["num_spatial_layers"],
        temporal_layers=arguments["num_temporal_layers"],
        **shared,
    )
    if "vocabulary_size" not in arguments:
        return Described(video, None)
    text = TextConfig(
        vocabulary=arguments["vocabulary_size"],
        layers=arguments.get("num_unimodal_layers", 12),
        mlp_width=TEXT_FACTOR * arguments["model_dim"],
        **shared,
    )
    return Described(video, text)
