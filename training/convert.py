"""`clipstrata convert`: published weights, or those of `transformers`, as a folder of ours."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from schemas.canonical import canonical_json
from schemas.config_file import ConfigError
from training.data.sentence_pieces import read_sentencepiece
from training.loop.files import write_whole
from training.model.config import TextConfig
from training.model.described import Described, described
from training.model.digest import weights_digest
from training.model.exchange import WEIGHTS, export_model, filled, load_model, read_weights
from training.model.folder_config import CONFIG
from training.model.published import classifier_state, encoder_state, published_kind, video_text_state
from training.model.sizes import Kind, Model, ModelSizes, sizes_of
from training.model.video_text import VideoTextModel

PROVENANCE_JSON = "provenance.json"
SENTENCEPIECE = "spiece.model"  # transformers' name for it
SCHEMA = "clipstrata.converted/1"
DIGEST_CHUNK_BYTES = 1 << 22


@dataclass(frozen=True, kw_only=True)
class Converted:
    """What was converted.

    Attributes:
        weights_sha256: digest of the folder's weights, by `weights_digest`.
    """

    folder: Path
    kind: Kind
    parameters: int
    weights_sha256: str


def convert_weights(weights: Path, config: str | None, out: Path, tokenizer: Path | None = None) -> Converted:
    """Write the folder of a model whose weights lie in a file or folder of another kind.

    Args:
        weights: a published npz, a safetensors file with the names of `transformers`, or a folder of `save_pretrained`
            or of `clipstrata export`.
        config: a preset, the name of a published model, or a JSON file of sizes. None where a config.json lies beside
            the weights.
        out: gets config.json, model.safetensors and provenance.json. An older provenance goes first and the new one
            comes last.

    Raises:
        ConfigError: the weights cannot be read, or are of other sizes.
    """
    try:
        path = weights / WEIGHTS if weights.is_dir() else weights
        model = _opened(path, config)
        source_sha256 = _file_digest(path)
        words = None if tokenizer is None else _fitting(tokenizer, model)
        (out / PROVENANCE_JSON).unlink(missing_ok=True)
        export_model(model, out)
        written = load_model(out)
    except (OSError, ValueError) as error:
        raise ConfigError(f"WEIGHTS is {weights}: {error}") from error
    found = Converted(
        folder=out,
        kind=sizes_of(written).kind,
        parameters=sum(weight.numel() for weight in written.parameters()),
        weights_sha256=weights_digest(written),
    )
    facts = {
        "schema": SCHEMA,
        "kind": found.kind,
        "source": path.name,
        "source_sha256": source_sha256,
        "weights_sha256": found.weights_sha256,
    }
    if words is not None:
        write_whole(out / SENTENCEPIECE, words)
    write_whole(out / PROVENANCE_JSON, canonical_json(facts, indent=2))
    return found


def _opened(path: Path, config: str | None) -> Model:
    if config is None:
        if path.name != WEIGHTS or not (path.parent / CONFIG).is_file():
            raise ValueError(f"no {CONFIG} lies beside it; allowed: a folder with one, or sizes; give --config")
        return load_model(path.parent)
    sizes = described(config)
    if path.suffix == ".npz":
        state = _published_state(path, sizes)
        return filled(_all_sizes(state, sizes), state, str(path))
    return read_weights(path, lambda state: _all_sizes(state, sizes))


def _fitting(tokenizer: Path, model: Model) -> bytes:
    """Return a tokenizer's file if its ids are those of a model."""
    if not isinstance(model, VideoTextModel):
        raise ValueError(f"reads no texts, and --tokenizer is {tokenizer}; allowed: none; leave it out")
    text = model.text_model.config
    found = read_sentencepiece(tokenizer, text.max_tokens).vocabulary
    if found > text.vocabulary:
        raise ValueError(f"--tokenizer {tokenizer} has {found} ids; allowed: up to the model's {text.vocabulary}")
    return tokenizer.read_bytes()


def _published_state(path: Path, sizes: Described) -> dict[str, Tensor]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (zipfile.BadZipFile, ValueError, EOFError) as error:
        raise ValueError(f"cannot be read ({error}); allowed: a published npz; download it again") from error
    kind = published_kind(arrays)
    if kind == "encoder":
        return encoder_state(arrays, sizes.video)
    if kind == "classifier":
        return classifier_state(arrays, sizes.video)
    return video_text_state(arrays, sizes.video, _text(sizes))


def _all_sizes(state: Mapping[str, Tensor], sizes: Described) -> ModelSizes:
    """Return the towers' sizes, and of what else a model has those of its weights."""
    if "classifier.weight" in state:
        labels = tuple(f"LABEL_{index}" for index in range(len(state["classifier.weight"])))
        inner = _rows(state, "head.q_proj.weight")
        return ModelSizes(kind="classifier", video=sizes.video, labels=labels, pooling_width=inner)
    if "text_model.layernorm.weight" in state:
        prefix = "video_model.auxiliary_layers."
        layers = {name.removeprefix(prefix).split(".")[0] for name in state if name.startswith(prefix)}
        return ModelSizes(
            kind="video_text",
            video=sizes.video,
            text=_text(sizes),
            auxiliary_layers=len(layers),
            pooling_width=_rows(state, "video_model.head.q_proj.weight"),
        )
    return ModelSizes(kind="encoder", video=sizes.video)


def _rows(state: Mapping[str, Tensor], name: str) -> int:
    if name not in state:
        raise ValueError(f"{name} is absent; allowed: all weights of a VideoPrism model; give that file")
    return int(state[name].shape[0])


def _text(sizes: Described) -> TextConfig:
    if sizes.text is None:
        raise ValueError("holds a text tower, and --config describes none; allowed: vocabulary_size and so on; add it")
    return sizes.text


def _file_digest(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(DIGEST_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()
