"""Models as folders that `transformers`' VideoPrism classes open with `from_pretrained`, and back."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from training.model.classifier import VideoClassifier
from training.model.encoder import VideoEncoder
from training.model.folder_config import CONFIG, folder_config, read_config
from training.model.positions import sinusoids
from training.model.sizes import Model, ModelSizes, sizes_of
from training.model.video_text import VideoTextModel
from training.model.widening import one_width

WEIGHTS = "model.safetensors"
State = dict[str, Tensor]
# fixed tables that `transformers` keeps among the weights
POSITIONS = "text_model.embeddings.position_embedding"
POSITION_IDS = "text_model.embeddings.position_ids"
TABLE_TOLERANCE = 1e-4  # sines of up to 64 radians in float32, computed another way


def export_model(model: Model, folder: Path) -> None:
    """Write config.json and model.safetensors (float32) into `folder`; equal weights are equal bytes.

    Each file appears whole: it is written under another name first. An older config goes first and the new one comes
    last, so a folder that has one is complete.

    `transformers` has one width for a pooler and the encoder's MLPs: the narrower is widened by zeros, which changes no
    output. Of the published models classifiers alone need it.
    """
    sizes, state = _portable(sizes_of(model), model.state_dict())
    folder.mkdir(parents=True, exist_ok=True)
    (folder / CONFIG).unlink(missing_ok=True)
    unfinished = folder / f"{WEIGHTS}.part"
    save_file(state, unfinished, metadata={"format": "pt"})  # transformers refuses a file without this mark
    unfinished.chmod(0o644)  # safetensors makes it readable for its owner only
    unfinished.replace(folder / WEIGHTS)
    unfinished = folder / f"{CONFIG}.part"
    unfinished.write_text(json.dumps(folder_config(sizes), indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished.replace(folder / CONFIG)


def export_encoder(model: VideoEncoder, folder: Path) -> None:
    """Write an encoder's folder; see `export_model`."""
    export_model(model, folder)


def load_model(folder: Path) -> Model:
    """Read a folder of `export_model` or of `save_pretrained` of `transformers`; float32, on the CPU, in eval.

    Raises:
        ValueError: a file is missing or broken, or describes another model.
    """
    sizes = read_config(folder / CONFIG)
    return read_weights(folder / WEIGHTS, lambda state: sizes)


def load_encoder(folder: Path) -> VideoEncoder:
    """Read the encoder of a folder, which may hold more than that; see `load_model`."""
    model = load_model(folder)
    if isinstance(model, VideoTextModel):
        return model.video_model.vision_model
    return model.vision_model if isinstance(model, VideoClassifier) else model


def load_video_text(folder: Path) -> VideoTextModel:
    """Read a video-text model's folder; see `load_model`.

    Raises:
        ValueError: it holds another model.
    """
    model = load_model(folder)
    if not isinstance(model, VideoTextModel):
        raise ValueError(f"{folder}: holds a {type(model).__name__}; allowed here: a VideoTextModel; give its folder")
    return model


def read_weights(path: Path, sizes_for: Callable[[State], ModelSizes]) -> Model:
    """Return the model of a safetensors file with the names of `transformers`.

    Args:
        sizes_for: says the sizes; it is given the file's weights.

    Raises:
        ValueError: the file cannot be read, or holds other weights.
    """
    try:
        state = {name: value.float() for name, value in load_file(path).items() if name != POSITION_IDS}
    except (OSError, SafetensorError) as error:
        raise ValueError(f"{path}: cannot be read ({error}); allowed: the weights of an exported model") from error
    table = state.pop(POSITIONS, None)
    sizes = sizes_for(state)
    if sizes.text is not None:
        sizes = _with_wavelengths(path, sizes, table)
    return filled(sizes, state, str(path))


def filled(sizes: ModelSizes, state: Mapping[str, Tensor], where: str) -> Model:
    """Return a model with these weights, frozen into eval.

    Raises:
        ValueError: a weight is missing, too many or of another shape; `where` says whose.
    """
    with torch.random.fork_rng(devices=[]):
        model = sizes.build()
    wanted = model.state_dict()
    wrong = sorted(name for name in wanted.keys() | state.keys() if _shape(wanted, name) != _shape(state, name))
    if wrong:
        raise ValueError(
            f"{where}: {wrong[0]} is {_shape(state, wrong[0])}; allowed by {CONFIG}: {_shape(wanted, wrong[0])} "
            f"({len(wrong)} such names); give the sizes of these weights"
        )
    model.load_state_dict(state)
    return model.eval()


def _shape(state: Mapping[str, Tensor], name: str) -> tuple[int, ...] | str:
    return tuple(state[name].shape) if name in state else "absent"


def _with_wavelengths(path: Path, sizes: ModelSizes, table: Tensor | None) -> ModelSizes:
    """Say which fixed positions a file's text tower has; without its own table `transformers` takes its kind."""
    assert sizes.text is not None
    text = replace(sizes.text, wavelengths="transformers")
    if table is None or _near(table, sinusoids(text.max_tokens, text.width, "transformers")):
        return replace(sizes, text=text)
    if _near(table, sinusoids(text.max_tokens, text.width)):
        return replace(sizes, text=replace(text, wavelengths="published"))
    raise ValueError(
        f"{path}: {POSITIONS} is neither the published table nor transformers'; allowed: one of them; give such a model"
    )


def _near(table: Tensor, other: Tensor) -> bool:
    return table.shape == other.shape and bool((table - other).abs().max() < TABLE_TOLERANCE)


def _portable(sizes: ModelSizes, state: Mapping[str, Tensor]) -> tuple[ModelSizes, State]:
    """Return sizes and float32 weights as `transformers` wants them."""
    found = {name: value.detach().to("cpu", torch.float32).contiguous() for name, value in state.items()}
    if sizes.text is not None:
        found[POSITIONS] = sinusoids(sizes.text.max_tokens, sizes.text.width, sizes.text.wavelengths)
        found[POSITION_IDS] = torch.arange(sizes.text.max_tokens)[None]
    return one_width(sizes, found)
