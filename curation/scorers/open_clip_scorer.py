"""Any model that open_clip loads, as a scorer. torch and open_clip are imported when one is loaded, not before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation.scorers.base import FRAME_BATCH, TEXT_BATCH, ScorerUnavailable

if TYPE_CHECKING:
    import torch

WORLD_CLIP = "world_clip"
WORLD_CLIP_FOLDER = Path(__file__).parent / WORLD_CLIP
"""The small model that ships with clipstrata, trained on the built-in world (docs/scorer.md)."""

_LOCAL = "local-dir:"
_HUB = "hf-hub:"
_CONFIG = "open_clip_config.json"

_PROBES = (
    "A photo of a cat.",
    "two  SPACES & caf\u00e9 \u2014 na\u00efve",
    "supercalifragilistic 12345 #tag http://example.com",
    "",
)
"""Texts that make a tokenizer show its ways: case, spaces, accents, long words, digits, nothing at all."""


class OpenClipScorer:
    """A `Scorer` over an open_clip model on the CPU in float32. Made by `load_open_clip`."""

    def __init__(self, name: str, model: Any, tokenizer: Any, preprocess: Mapping[str, Any], architecture: Any) -> None:
        self.name = name
        self.image_size = _square(preprocess["size"], name)
        self._model = model.eval()
        self._tokenizer = tokenizer
        self._mean = np.array(preprocess["mean"], np.float32) * 255
        self._std = np.array(preprocess["std"], np.float32) * 255
        self.digest = _digest(model, tokenizer, preprocess, architecture)

    def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [N, S, S, 3] RGB, S = image_size -> float32 [N, D], L2-normalised; ValueError for other shapes."""
        size = self.image_size
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (size, size, 3):
            raise ValueError(
                f"frames are {frames.dtype} {list(frames.shape)}; allowed is uint8 [N, {size}, {size}, 3]; "
                "resize the frames to the scorer's image_size"
            )
        return self._embed(frames, FRAME_BATCH, self._encode_frames)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """T texts -> float32 [T, D], L2-normalised; longer ones are cut to the model's context."""
        tokens: NDArray[np.int64] = self._tokenizer(list(texts)).numpy() if texts else np.zeros((0, 1), np.int64)
        return self._embed(tokens, TEXT_BATCH, self._encode_tokens)

    def truncated(self, texts: Sequence[str]) -> list[bool]:
        """For each text, whether it has more tokens, start and end included, than the model's context holds."""
        return [_token_count(self._tokenizer, text) > self._tokenizer.context_length for text in texts]

    def _embed(
        self, items: NDArray[Any], batch: int, encode: Callable[[NDArray[Any]], torch.Tensor]
    ) -> NDArray[np.float32]:
        import torch

        padded = np.zeros((max(1, -(-len(items) // batch)) * batch, *items.shape[1:]), items.dtype)
        padded[: len(items)] = items
        if len(items) == 0 and encode == self._encode_tokens:
            padded = np.zeros((batch, self._tokenizer.context_length), np.int64)
        with torch.inference_mode():
            parts = [encode(padded[start : start + batch]).numpy() for start in range(0, len(padded), batch)]
        found: NDArray[np.float32] = np.concatenate(parts)[: len(items)].astype(np.float32)
        return found

    def _encode_frames(self, frames: NDArray[np.uint8]) -> torch.Tensor:
        import torch

        pixels = (frames.astype(np.float32) - self._mean) / self._std
        images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        encoded: torch.Tensor = self._model.encode_image(images, normalize=True)
        return encoded

    def _encode_tokens(self, tokens: NDArray[np.int64]) -> torch.Tensor:
        import torch

        encoded: torch.Tensor = self._model.encode_text(torch.from_numpy(tokens), normalize=True)
        return encoded


def load_open_clip(model: str, pretrained: str | None = None) -> OpenClipScorer:
    """Load a scorer on the CPU in float32, from weights that hold no code (safetensors, or torch with weights_only).

    model: "world_clip" (shipped), an architecture of open_clip ("ViT-B-32"), a folder with open_clip's own
    open_clip_config.json and weights (also as "local-dir:<folder>"), or "hf-hub:<owner>/<name>".
    pretrained: for an architecture, a tag of open_clip ("laion2b_s34b_b79k") or a weight file; otherwise None.
    Raises ScorerUnavailable when something is missing; there is no fallback to other or to random weights.
    """
    import open_clip
    from safetensors import SafetensorError

    identifier = _identifier(model)
    if pretrained is None and not identifier.startswith((_LOCAL, _HUB)):
        raise ScorerUnavailable(_help(model, pretrained, "no weights are named for this architecture"))
    if pretrained is not None and identifier.startswith((_LOCAL, _HUB)):
        raise ScorerUnavailable(
            f"scorer {model!r} brings its own weights, and pretrained is {pretrained!r}; leave pretrained out"
        )
    try:
        loaded = open_clip.create_model(
            identifier,
            pretrained=pretrained,
            precision="fp32",
            device="cpu",
            require_pretrained=True,
            weights_only=True,
        )
        tokenizer = open_clip.get_tokenizer(identifier)
    except (RuntimeError, OSError, ValueError, KeyError, UnpicklingError, SafetensorError) as error:
        raise ScorerUnavailable(_help(model, pretrained, str(error).splitlines()[0][:300])) from error
    preprocess = open_clip.get_model_preprocess_cfg(loaded)
    return OpenClipScorer(model, loaded, tokenizer, preprocess, _architecture(identifier, loaded))


def _identifier(model: str) -> str:
    """What open_clip calls the model."""
    if model == WORLD_CLIP:
        return f"{_LOCAL}{WORLD_CLIP_FOLDER}"
    if not model.startswith((_LOCAL, _HUB)) and (Path(model) / _CONFIG).is_file():
        return f"{_LOCAL}{model}"
    return model


def _help(model: str, pretrained: str | None, cause: str) -> str:
    """What went wrong, and which file to put where."""
    import open_clip

    start = f"scorer {model!r} with pretrained={pretrained!r} cannot be loaded: {cause}. "
    identifier = _identifier(model)
    if identifier.startswith(_LOCAL):
        folder = identifier.removeprefix(_LOCAL)
        return start + f"Put {_CONFIG}, open_clip_model.safetensors and the tokenizer's files into the folder {folder}"
    known = open_clip.get_pretrained_cfg(model, pretrained) if pretrained and model in open_clip.list_models() else {}
    if known:
        wanted = (known.get("hf_hub") or known.get("url", "")).rstrip("/")
        return start + (
            f"Without access to the hub, fetch the weight file of {wanted} (open_clip_model.safetensors where there is "
            "one) elsewhere, put it on this machine and give its path as pretrained"
        )
    if identifier.startswith(_HUB):
        name = identifier.removeprefix(_HUB)
        return start + (
            f"Without access to the hub, fetch all files of {name} elsewhere, put them into one folder on this machine "
            f"(with {_CONFIG} and open_clip_model.safetensors) and give that folder as the model"
        )
    if model not in open_clip.list_models():
        return start + f"Give {WORLD_CLIP!r}, an architecture that open_clip lists, or a folder that holds {_CONFIG}"
    tags = ", ".join(open_clip.list_pretrained_tags_by_model(model)) or "none"
    return start + f"Give as pretrained the path of a weight file that is there, or one of open_clip's tags ({tags})"


def _square(size: Any, name: str) -> int:
    sides = (size, size) if isinstance(size, int) else tuple(size)
    if len(sides) != 2 or sides[0] != sides[1]:
        raise ScorerUnavailable(
            f"scorer {name!r} takes frames of {sides}; allowed are square ones; choose another model"
        )
    return int(sides[0])


def _architecture(identifier: str, loaded: Any) -> Any:
    """The architecture's config: open_clip's own, or the one in the folder; for the hub, the module tree as text."""
    import open_clip

    if identifier.startswith(_LOCAL):
        config = json.loads((Path(identifier.removeprefix(_LOCAL)) / _CONFIG).read_text(encoding="utf-8"))
        return config["model_cfg"]
    return str(loaded) if identifier.startswith(_HUB) else open_clip.get_model_config(identifier.replace("/", "-"))


def _token_count(tokenizer: Any, text: str) -> int:
    """Tokens of a text with start and end, uncut."""
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return len(tokenizer.encode(text)) + 2
    clean = getattr(tokenizer, "clean_fn", str)
    return len(inner(clean(text), truncation=False, padding=False)["input_ids"])


def _tokenizer_identity(tokenizer: Any) -> Any:
    """What a tokenizer does: its vocabulary, its context and what it makes of the probe texts."""
    inner = getattr(tokenizer, "tokenizer", None)
    vocabulary = tokenizer.encoder if inner is None else inner.get_vocab()
    probes = tokenizer(list(_PROBES)).tolist()
    return {"context_length": tokenizer.context_length, "vocabulary": sorted(vocabulary.items()), "probes": probes}


def _digest(model: Any, tokenizer: Any, preprocess: Mapping[str, Any], architecture: Any) -> str:
    """SHA-256 over length-prefixed parts: config, preprocessing and tokenizer as JSON, then each weight by name."""
    digest = hashlib.sha256()

    def add(part: bytes) -> None:
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)

    for described in (architecture, dict(preprocess), _tokenizer_identity(tokenizer)):
        add(json.dumps(described, sort_keys=True, default=str).encode("utf-8"))
    for name, weight in sorted(model.state_dict().items()):
        array = weight.detach().cpu().contiguous().numpy()
        add(f"{name} {array.dtype} {array.shape}".encode())
        add(array.tobytes())
    return digest.hexdigest()
