"""The encoder as a folder that `transformers`' `VideoPrismVisionModel.from_pretrained` opens, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from training.model.config import LAYER_NORM_EPS, EncoderConfig
from training.model.encoder import CHANNELS, VideoEncoder

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

# what the encoder does not vary; another value would mean another model
FIXED: Mapping[str, Any] = {
    "model_type": "videoprism_vision_model",
    "num_channels": CHANNELS,
    "hidden_act": "gelu_python",  # the exact erf form
    "layer_norm_eps": LAYER_NORM_EPS,
    "qkv_bias": True,
}
# file key -> field
SIZES: Mapping[str, str] = {
    "num_frames": "frames",
    "hidden_size": "width",
    "num_attention_heads": "heads",
    "intermediate_size": "mlp_width",
    "num_spatial_layers": "spatial_layers",
    "num_temporal_layers": "temporal_layers",
    "attn_logit_softcapping": "logit_cap",
}


def folder_config(config: EncoderConfig) -> dict[str, Any]:
    """What config.json says about an encoder."""
    sizes = {key: getattr(config, field) for key, field in SIZES.items()}
    return {
        "architectures": ["VideoPrismVisionModel"],
        "dtype": "float32",
        "image_size": config.image_px,
        "tubelet_size": [1, config.patch_px, config.patch_px],
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        **sizes,
        **FIXED,
    }


def export_encoder(model: VideoEncoder, folder: Path) -> None:
    """Write config.json and model.safetensors (float32) into `folder`; equal weights are equal bytes.

    Each file appears whole: it is written under another name first. An older config goes first and the new one comes
    last, so a folder that has one is complete.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)
    state = {name: value.detach().to("cpu", torch.float32).contiguous() for name, value in model.state_dict().items()}
    unfinished = folder / f"{WEIGHTS}.part"
    save_file(state, unfinished, metadata={"format": "pt"})  # transformers refuses a file without this mark
    unfinished.chmod(0o644)  # safetensors makes it readable for its owner only
    unfinished.replace(folder / WEIGHTS)
    unfinished = folder / f"{CONFIG}.part"
    unfinished.write_text(json.dumps(folder_config(model.config), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(folder / CONFIG)


def load_encoder(folder: Path) -> VideoEncoder:
    """Read a folder of `export_encoder` or of `VideoPrismVisionModel.save_pretrained`; float32, on the CPU, in eval.

    Raises:
        ValueError: a file is missing or broken, or describes another model.
    """
    model = VideoEncoder(read_config(folder / CONFIG))
    path = folder / WEIGHTS
    try:
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); allowed: the file of an exported encoder") from error
    wanted = model.state_dict()
    wrong = sorted(name for name in wanted.keys() | state.keys() if _shape(wanted, name) != _shape(state, name))
    if wrong:
        raise ValueError(
            f"{path}: {wrong[0]} is {_shape(state, wrong[0])}; allowed by {CONFIG}: {_shape(wanted, wrong[0])} "
            f"({len(wrong)} such names); export the encoder again"
        )
    model.load_state_dict(state)
    return model.eval()


def _shape(state: Mapping[str, torch.Tensor], name: str) -> tuple[int, ...] | str:
    return tuple(state[name].shape) if name in state else "absent"


def read_config(path: Path) -> EncoderConfig:
    """Read config.json, refusing what this encoder does not compute."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(
            f"{path}: cannot be read ({error}); allowed: the config.json of an exported encoder"
        ) from error
    if not isinstance(document, dict):
        raise ValueError(f"{path}: holds {type(document).__name__}; allowed: an object; export the encoder again")
    for key, value in FIXED.items():
        if document.get(key) != value:
            raise ValueError(f"{path}: {key} is {document.get(key)!r}; allowed: {value!r}; give a VideoPrism encoder")
    missing = [key for key in (*SIZES, "image_size", "tubelet_size") if key not in document]
    if missing:
        raise ValueError(
            f"{path}: {missing[0]} is absent; allowed: all of {', '.join(SIZES)}; export the encoder again"
        )
    sizes = {field: document[key] for key, field in SIZES.items()}
    return EncoderConfig(image_px=_side(path, document), patch_px=_patch(path, document), **sizes)


def _side(path: Path, document: Mapping[str, Any]) -> Any:
    """The side of a frame; `transformers` may also write it as a pair."""
    size = document["image_size"]
    if not isinstance(size, list):
        return size
    if len(size) != 2 or size[0] != size[1]:
        raise ValueError(f"{path}: image_size is {size}; allowed: one side or two equal ones; give a square model")
    return size[0]


def _patch(path: Path, document: Mapping[str, Any]) -> Any:
    """The side of a patch; tubes are one frame long."""
    tube = document["tubelet_size"]
    if not isinstance(tube, list) or len(tube) != 3 or tube[0] != 1 or tube[1] != tube[2]:
        raise ValueError(f"{path}: tubelet_size is {tube}; allowed: [1, P, P]; give a model with square patches")
    return tube[1]
