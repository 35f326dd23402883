"""The recipe: every number that the trained weights are a function of."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

IMAGE_SIZE_PX = 64
CONTEXT_TOKENS = 48
VOCABULARY_LIMIT = 1400
EMBED_DIM = 96
MEAN = (0.5, 0.5, 0.5)
STD = (0.25, 0.25, 0.25)


@dataclass(frozen=True, kw_only=True)
class Recipe:
    """What is trained on, for how long and how.

    seed: of the training world; the demo uses 1, the held-out world 9001.     clips: drawn in memory, two frames each.
    factor_steps: steps in which the image tower alone learns to tell the factors apart, before the `steps` on texts.
    factor_weight: weight of that loss among the texts.     margin: the cosine that parts right from wrong pairs.
    """

    seed: int = 4001
    clips: int = 16_000
    factor_steps: int = 2200
    steps: int = 1500
    batch: int = 128
    peak_rate: float = 2e-3
    warmup_steps: int = 150
    weight_decay: float = 0.05
    factor_weight: float = 0.1
    margin: float = 0.2
    text_share_filler: float = 0.05
    held_out_seed: int = 9001
    held_out_clips: int = 900

    def __post_init__(self) -> None:
        for name in ("clips", "factor_steps", "steps", "batch", "warmup_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; allowed are integers from 1; give a larger {name}")
        if self.seed == self.held_out_seed:
            raise ValueError(f"seed and held_out_seed are both {self.seed}; they must differ; change one of them")


def model_config(vocabulary: int) -> dict[str, Any]:
    """The `model_cfg` of open_clip_config.json: a small ModifiedResNet and a text transformer."""
    return {
        "embed_dim": EMBED_DIM,
        "vision_cfg": {"image_size": IMAGE_SIZE_PX, "layers": [1, 1, 1, 1], "width": 16, "head_width": 64},
        "text_cfg": {
            "context_length": CONTEXT_TOKENS,
            "vocab_size": vocabulary,
            "hf_tokenizer_name": "world_clip",
            "width": 96,
            "heads": 4,
            "layers": 2,
            "pad_id": 0,
            "eos_id": 2,
            "pool_type": "eos",
        },
    }


def open_clip_config(vocabulary: int) -> dict[str, Any]:
    """The whole open_clip_config.json."""
    preprocess = {"size": IMAGE_SIZE_PX, "mean": list(MEAN), "std": list(STD), "interpolation": "bicubic"}
    return {"model_cfg": model_config(vocabulary), "preprocess_cfg": {**preprocess, "resize_mode": "squash"}}
