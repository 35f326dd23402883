"""Published checkpoints: flat npz keys joined by `/`, scanned layers stacked, to the state of our modules.

A mapping comes in (`numpy.load` gives one) and a state dict goes out, for `load_state_dict`. Layer norms are stored as
offsets from 1 on both sides and go through unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from training.model.config import EncoderConfig, TextConfig
from training.model.encoder import CHANNELS
from training.model.sizes import Kind

Arrays = Mapping[str, np.ndarray]

ROOT = "params"
# where the encoder lies in each
ROOTS: Mapping[Kind, str] = {"encoder": ROOT, "video_text": f"{ROOT}/vision_encoder", "classifier": f"{ROOT}/encoder"}


def encoder_state(arrays: Arrays, config: EncoderConfig, root: str = ROOT) -> dict[str, Tensor]:
    """State of `VideoEncoder` from an encoder checkpoint; in a video-text checkpoint `root` is one level deeper."""
    kernel = _array(arrays, f"{root}/patch_projection/linear/kernel")
    patch = config.patch_px
    if kernel.shape[0] != patch * patch * CHANNELS:
        raise ValueError(
            f"patch_px is {patch}; allowed: the checkpoint's patches of {kernel.shape[0]} values; give its patch"
        )
    projection = kernel.reshape(patch, patch, CHANNELS, -1).permute(3, 2, 0, 1).unsqueeze(2)
    state = {
        "spatial_embeddings.patch_embeddings.projection.weight": projection,
        "spatial_embeddings.patch_embeddings.projection.bias": _array(arrays, f"{root}/patch_projection/linear/bias"),
        "spatial_embeddings.position_embeddings": _array(arrays, f"{root}/spatial_pos_emb/emb_var")[None],
        "temporal_embeddings.position_embeddings": _array(arrays, f"{root}/temporal_pos_emb/emb_var")[None],
    }
    state |= _norm(arrays, f"{root}/spatial_ln", "layernorm1") | _norm(arrays, f"{root}/temporal_ln", "layernorm2")
    spatial, temporal = (f"{root}/{part}_encoder/transformers_stack/x_layers" for part in ("spatial", "temporal"))
    state |= _layers(arrays, spatial, "spatial_layers") | _layers(arrays, temporal, "temporal_layers")
    return {name: value.contiguous() for name, value in state.items()}


def video_text_state(arrays: Arrays, video: EncoderConfig, text: TextConfig) -> dict[str, Tensor]:
    """State of `VideoTextModel` from a video-text checkpoint."""
    encoder = encoder_state(arrays, video, f"{ROOT}/vision_encoder")
    state = {f"video_model.vision_model.{name}": value for name, value in encoder.items()}
    auxiliary = f"{ROOT}/auxiliary_encoder/transformers_stack/x_layers"
    if f"{auxiliary}/layer_norm/scale" in arrays:
        state |= _layers(arrays, auxiliary, "video_model.auxiliary_layers")
    state |= _pooler(arrays, f"{ROOT}/contrastive_vision_pooler", "video_model.")
    words = _array(arrays, f"{ROOT}/text_encoder/token_emb/emb_var")
    if words.shape[0] != text.vocabulary:
        raise ValueError(f"vocabulary is {text.vocabulary}; allowed: the checkpoint's {words.shape[0]}; change it")
    state["text_model.embeddings.token_embedding.weight"] = words
    state["text_model.embeddings.cls_emb"] = _array(arrays, f"{ROOT}/text_encoder/cls_emb")
    state |= _norm(arrays, f"{ROOT}/text_encoder/unimodal_ln", "text_model.layernorm")
    state |= _layers(arrays, f"{ROOT}/text_encoder/unimodal_transformer/x_layers", "text_model.layers")
    return {name: value.contiguous() for name, value in state.items()}


def classifier_state(arrays: Arrays, config: EncoderConfig) -> dict[str, Tensor]:
    """State of `VideoClassifier` from a classifier's checkpoint; its pooling is D wide."""
    encoder = encoder_state(arrays, config, f"{ROOT}/encoder")
    state = {f"vision_model.{name}": value for name, value in encoder.items()}
    state |= _pooler(arrays, f"{ROOT}/atten_pooler", "")
    state["classifier.weight"] = _array(arrays, f"{ROOT}/projection/linear/kernel").T
    state["classifier.bias"] = _array(arrays, f"{ROOT}/projection/linear/bias")
    return {name: value.contiguous() for name, value in state.items()}


def published_kind(arrays: Arrays) -> Kind:
    """Say what a checkpoint holds.

    Raises:
        ValueError: none of the three models.
    """
    for kind, root in ROOTS.items():
        if f"{root}/patch_projection/linear/kernel" in arrays:
            return kind
    raise ValueError(
        f"no {ROOT}/.../patch_projection/linear/kernel is in the checkpoint; allowed: a published VideoPrism npz; "
        "give that file"
    )


def _array(arrays: Arrays, key: str) -> Tensor:
    if key not in arrays:
        raise ValueError(f"{key} is absent from the checkpoint; allowed: a published VideoPrism npz; give that file")
    return torch.from_numpy(np.asarray(arrays[key], dtype=np.float32))


def _norm(arrays: Arrays, source: str, target: str) -> dict[str, Tensor]:
    return {f"{target}.weight": _array(arrays, f"{source}/scale"), f"{target}.bias": _array(arrays, f"{source}/bias")}


def _pooler(arrays: Arrays, source: str, target: str) -> dict[str, Tensor]:
    """The pooling head and the norm behind it."""
    attention = f"{source}/pooling_attention"
    state = {f"{target}head.{name}": value[0] for name, value in _attention(arrays, attention, stacked=False).items()}
    state[f"{target}head.per_dim_scale"] = _array(arrays, f"{attention}/per_dim_scale/per_dim_scale")
    state[f"{target}head.pooling_attention_query"] = _array(arrays, f"{source}/pooling_attention_query")[None]
    return state | _norm(arrays, f"{source}/pooling_attention_layer_norm", f"{target}head_layernorm")


def _attention(arrays: Arrays, source: str, stacked: bool) -> dict[str, Tensor]:
    """Projections with a leading layer axis; stored are query, key, value and post as [L, D, heads, H]."""
    found: dict[str, Tensor] = {}
    for part, name in (("query", "q_proj"), ("key", "k_proj"), ("value", "v_proj"), ("post", "o_proj")):
        weight, bias = _array(arrays, f"{source}/{part}/w"), _array(arrays, f"{source}/{part}/b")
        if not stacked:
            weight, bias = weight[None], bias[None]
        flat = weight.flatten(2)  # [L, D, heads * H]: already outputs x inputs for post, inputs x outputs for the rest
        found[f"{name}.weight"] = flat if part == "post" else flat.transpose(1, 2)
        found[f"{name}.bias"] = bias.flatten(1)
    return found


def _layers(arrays: Arrays, source: str, target: str) -> dict[str, Tensor]:
    """State of a list of blocks from the stacked arrays of one transformer."""
    stacks = {
        f"attention.{name}": value for name, value in _attention(arrays, f"{source}/self_attention", True).items()
    }
    stacks |= _norm(arrays, f"{source}/layer_norm", "layernorm_before")
    stacks |= _norm(arrays, f"{source}/ff_layer/layer_norm", "layernorm_after")
    for part, name in (("ffn_layer1", "mlp.fc1"), ("ffn_layer2", "mlp.fc2")):
        linear = f"{source}/ff_layer/{part}/linear"
        stacks[f"{name}.weight"] = _array(arrays, f"{linear}/kernel").transpose(1, 2)
        stacks[f"{name}.bias"] = _array(arrays, f"{linear}/bias")
    return {
        f"{target}.{index}.{name}": layer
        for name, stack in stacks.items()
        for index, layer in enumerate(stack.unbind(0))
    }
