"""config.json of a model's folder, in the words of `transformers`' VideoPrism classes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.model.config import LAYER_NORM_EPS, EncoderConfig, TextConfig
from training.model.encoder import CHANNELS
from training.model.sizes import Kind, ModelSizes

CONFIG = "config.json"
# what the models do not vary; another value would mean another model
VISION_FIXED: Mapping[str, Any] = {
    "model_type": "videoprism_vision_model",
    "num_channels": CHANNELS,
    "hidden_act": "gelu_python",  # the exact erf form
    "layer_norm_eps": LAYER_NORM_EPS,
    "qkv_bias": True,
}
TEXT_FIXED: Mapping[str, Any] = {
    "model_type": "videoprism_text_model",
    "hidden_act": "relu",
    "layer_norm_eps": LAYER_NORM_EPS,
    "qkv_bias": True,
    "apply_l2norm": True,
}
# file key -> field
VISION_SIZES: Mapping[str, str] = {
    "num_frames": "frames",
    "hidden_size": "width",
    "num_attention_heads": "heads",
    "intermediate_size": "mlp_width",
    "num_spatial_layers": "spatial_layers",
    "num_temporal_layers": "temporal_layers",
}
TEXT_SIZES: Mapping[str, str] = {
    "vocab_size": "vocabulary",
    "max_position_embeddings": "max_tokens",
    "hidden_size": "width",
    "num_attention_heads": "heads",
    "intermediate_size": "mlp_width",
    "num_hidden_layers": "layers",
}
CAP = "attn_logit_softcapping"
# `transformers` knows no model without a cap; this one changes no logit by more than float32 rounds it
NO_CAP = 1e6
CLASSES: Mapping[Kind, str] = {
    "encoder": "VideoPrismVisionModel",
    "video_text": "VideoPrismClipModel",
    "classifier": "VideoPrismForVideoClassification",
}


def folder_config(sizes: ModelSizes) -> dict[str, Any]:
    """What config.json says about a model."""
    head = {"architectures": [CLASSES[sizes.kind]], "dtype": "float32"}
    vision = _vision_document(sizes.video)
    if sizes.kind == "encoder":
        return head | vision
    # a pooler is intermediate_size wide: see `one_width`
    if sizes.kind == "classifier":
        names = dict(enumerate(sizes.labels))
        return head | vision | {"id2label": names, "label2id": {name: at for at, name in names.items()}}
    assert sizes.text is not None
    vision |= {"num_auxiliary_layers": sizes.auxiliary_layers, "apply_l2norm": True}
    return head | {"model_type": "videoprism", "vision_config": vision, "text_config": _text_document(sizes.text)}


def _vision_document(config: EncoderConfig) -> dict[str, Any]:
    return {
        "image_size": config.image_px,
        "tubelet_size": [1, config.patch_px, config.patch_px],
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        CAP: NO_CAP if config.logit_cap is None else float(config.logit_cap),
        **{key: getattr(config, field) for key, field in VISION_SIZES.items()},
        **VISION_FIXED,
    }


def _text_document(config: TextConfig) -> dict[str, Any]:
    return {
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": 0,
        "bos_token_id": None,
        "eos_token_id": None,
        CAP: NO_CAP if config.logit_cap is None else float(config.logit_cap),
        **{key: getattr(config, field) for key, field in TEXT_SIZES.items()},
        **TEXT_FIXED,
    }


def read_config(path: Path) -> ModelSizes:
    """Read config.json, refusing what our models do not compute.

    Raises:
        ValueError: it cannot be read, or describes another model.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); allowed: the config.json of an exported model") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path}: holds {type(document).__name__}; allowed: an object; export the model again")
    return sizes_in(str(path), document)


def sizes_in(where: str, document: Mapping[str, Any]) -> ModelSizes:
    """Return what a config.json describes.

    Raises:
        ValueError: another model.
    """
    named = document.get("architectures")
    name = named[0] if isinstance(named, list) and named else CLASSES["encoder"]
    if document.get("model_type") == "videoprism":
        return _video_text_sizes(where, document)
    video = _vision_sizes(where, document)
    if name == CLASSES["encoder"]:
        return ModelSizes(kind="encoder", video=video)
    if name != CLASSES["classifier"]:
        raise ValueError(
            f"{where}: architectures is {named}; allowed: {', '.join(CLASSES.values())}; give one of these models"
        )
    labels = document.get("id2label")
    if not isinstance(labels, dict) or not labels:
        raise ValueError(f"{where}: id2label is {labels!r}; allowed: a name for each label; export the model again")
    return ModelSizes(
        kind="classifier",
        video=video,
        pooling_width=video.mlp_width,
        labels=tuple(str(labels[key]) for key in sorted(labels, key=int)),
    )


def _video_text_sizes(where: str, document: Mapping[str, Any]) -> ModelSizes:
    vision, text = document.get("vision_config"), document.get("text_config")
    if not isinstance(vision, dict) or not isinstance(text, dict):
        raise ValueError(f"{where}: vision_config or text_config is absent; allowed: both; export the model again")
    if vision.get("apply_l2norm") is not True:
        raise ValueError(
            f"{where}: apply_l2norm is {vision.get('apply_l2norm')!r}; allowed: true; embeddings have length 1"
        )
    _check_fixed(where, text, TEXT_FIXED)
    _check_present(where, text, (*TEXT_SIZES, CAP))
    video = _vision_sizes(where, vision)
    return ModelSizes(
        kind="video_text",
        video=video,
        text=TextConfig(logit_cap=_cap(text), **{field: text[key] for key, field in TEXT_SIZES.items()}),
        auxiliary_layers=vision.get("num_auxiliary_layers", 0),
        pooling_width=video.mlp_width,
    )


def _vision_sizes(where: str, document: Mapping[str, Any]) -> EncoderConfig:
    _check_fixed(where, document, VISION_FIXED)
    _check_present(where, document, (*VISION_SIZES, CAP, "image_size", "tubelet_size"))
    sizes = {field: document[key] for key, field in VISION_SIZES.items()}
    return EncoderConfig(
        image_px=_side(where, document), patch_px=_patch(where, document), logit_cap=_cap(document), **sizes
    )


def _check_fixed(where: str, document: Mapping[str, Any], fixed: Mapping[str, Any]) -> None:
    for key, value in fixed.items():
        if document.get(key) != value:
            raise ValueError(f"{where}: {key} is {document.get(key)!r}; allowed: {value!r}; give a VideoPrism model")


def _check_present(where: str, document: Mapping[str, Any], keys: tuple[str, ...]) -> None:
    missing = [key for key in keys if key not in document]
    if missing:
        raise ValueError(f"{where}: {missing[0]} is absent; allowed: all of {', '.join(keys)}; export the model again")


def _cap(document: Mapping[str, Any]) -> Any:
    return None if document[CAP] == NO_CAP else document[CAP]


def _side(where: str, document: Mapping[str, Any]) -> Any:
    """The side of a frame; `transformers` may also write it as a pair."""
    size = document["image_size"]
    if not isinstance(size, list):
        return size
    if len(size) != 2 or size[0] != size[1]:
        raise ValueError(f"{where}: image_size is {size}; allowed: one side or two equal ones; give a square model")
    return size[0]


def _patch(where: str, document: Mapping[str, Any]) -> Any:
    """The side of a patch; tubes are one frame long."""
    tube = document["tubelet_size"]
    if not isinstance(tube, list) or len(tube) != 3 or tube[0] != 1 or tube[1] != tube[2]:
        raise ValueError(f"{where}: tubelet_size is {tube}; allowed: [1, P, P]; give a model with square patches")
    return tube[1]
