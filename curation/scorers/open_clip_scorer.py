"""Any model that open_clip loads, as a scorer. torch and open_clip are imported when one is loaded, not before."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from curation.scorers.base import FRAME_BATCH, TEXT_BATCH, ScorerUnavailable
from curation.scorers.batching import PaddedBatches
from curation.scorers.numerics import PLAIN, Hardware, Numerics, ThisMachine, choose_numerics, scorer_digest

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


_ENDS = 4
"""Tokens that are none of the text's: start, end, and a space in front of the first word."""


class OpenClipScorer:
    """A `Scorer` over an open_clip model. Made by `load_open_clip`."""

    def __init__(
        self,
        name: str,
        model: Any,
        tokenizer: Any,
        preprocess: Mapping[str, Any],
        architecture: Any,
        numerics: Numerics = PLAIN,
    ) -> None:
        self.name = name
        self.numerics = numerics
        self.image_size = _square(preprocess["size"], name)
        self.digest = scorer_digest(_digest(model, tokenizer, preprocess, architecture), numerics)
        self._model = model.eval().to(numerics.device)
        self._tokenizer = tokenizer
        self._mean = np.array(preprocess["mean"], np.float32) * 255
        self._std = np.array(preprocess["std"], np.float32) * 255
        self._frames = PaddedBatches(FRAME_BATCH, self._release)
        self._texts = PaddedBatches(TEXT_BATCH, self._release)

    @property
    def halvings(self) -> int:
        """How often a batch was halved because memory ran out."""
        return self._frames.halvings + self._texts.halvings

    def embed_frames(self, frames: NDArray[np.uint8]) -> NDArray[np.float32]:
        """uint8 [N, S, S, 3] RGB, S = image_size -> float32 [N, D], L2-normalised; ValueError for other shapes."""
        size = self.image_size
        if frames.dtype != np.uint8 or frames.ndim != 4 or frames.shape[1:] != (size, size, 3):
            raise ValueError(
                f"frames are {frames.dtype} {list(frames.shape)}; allowed is uint8 [N, {size}, {size}, 3]; "
                "resize the frames to the scorer's image_size"
            )
        return self._frames.run(frames, self._encode_frames)

    def embed_texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """T texts -> float32 [T, D], L2-normalised; longer ones are cut to the model's context."""
        none = np.zeros((0, self._tokenizer.context_length), np.int64)
        tokens: NDArray[np.int64] = self._tokenizer(list(texts)).numpy() if texts else none
        return self._texts.run(tokens, self._encode_tokens)

    def tokens_cut(self, texts: Sequence[str]) -> list[int]:
        """For each text, how many of its tokens, start and end included, the model's context does not hold."""
        context = self._tokenizer.context_length
        # No tokenizer makes more tokens than there are plain characters, but for the ends: few texts need counting.
        long = [text for text in texts if not text.isascii() or len(text) + _ENDS > context]
        counts = dict(zip(long, _token_counts(self._tokenizer, long), strict=True))
        return [max(0, counts.get(text, 0) - context) for text in texts]

    def _encode_frames(self, frames: NDArray[Any]) -> NDArray[np.float32]:
        import torch

        pixels = (frames.astype(np.float32) - self._mean) / self._std
        images = torch.from_numpy(np.ascontiguousarray(pixels.transpose(0, 3, 1, 2)))
        return self._encode(self._model.encode_image, images)

    def _encode_tokens(self, tokens: NDArray[Any]) -> NDArray[np.float32]:
        import torch

        return self._encode(self._model.encode_text, torch.from_numpy(tokens))

    def _encode(self, encode: Callable[..., torch.Tensor], items: torch.Tensor) -> NDArray[np.float32]:
        import torch

        device, low = self.numerics.device, self.numerics.dtype == "bfloat16"
        with torch.inference_mode(), torch.autocast(device, dtype=torch.bfloat16, enabled=low):
            # Norms are taken in float32 whatever the products were taken in.
            found = encode(items.to(device)).float()
        with torch.inference_mode():
            vectors: NDArray[np.float32] = torch.nn.functional.normalize(found, dim=-1).cpu().numpy()
        return vectors

    def _release(self) -> None:
        """Give back what the allocator holds of a batch that did not fit."""
        import torch

        if self.numerics.device == "cuda":
            torch.cuda.empty_cache()


def load_open_clip(
    model: str,
    pretrained: str | None = None,
    *,
    device: str = "cpu",
    dtype: str = "float32",
    hardware: Hardware | None = None,
) -> OpenClipScorer:
    """Load a scorer from weights that hold no code (safetensors, or torch with weights_only).

    model: "world_clip" (shipped), an architecture of open_clip ("ViT-B-32"), a folder with open_clip's own
    open_clip_config.json and weights (also as "local-dir:<folder>"), or "hf-hub:<owner>/<name>".
    pretrained: for an architecture, a tag of open_clip ("laion2b_s34b_b79k") or a weight file; otherwise None.
    device, dtype: see `choose_numerics`; hardware: what this machine can do, found out when None.
    Raises ScorerUnavailable when something is missing; there is no fallback to other or to random weights, nor from a
    GPU that was asked for to the CPU.
    """
    import open_clip

    numerics = choose_numerics(device, dtype, hardware or ThisMachine())
    identifier = identifier_of(model)
    loaded = load_open_clip_model(model, pretrained)
    with _told(model, pretrained):
        tokenizer = open_clip.get_tokenizer(identifier)
    if numerics == Numerics(device="cuda", dtype="float32"):
        import torch

        # Convolutions would take 10 bits of the 23 otherwise, and the name says float32.
        torch.backends.cudnn.allow_tf32 = False
    preprocess = open_clip.get_model_preprocess_cfg(loaded)
    return OpenClipScorer(model, loaded, tokenizer, preprocess, _architecture(identifier, loaded), numerics)


def load_open_clip_model(model: str, pretrained: str | None = None) -> Any:
    """Load an open_clip model in float32 on the processor; arguments and refusals as in `load_open_clip`."""
    import open_clip

    identifier = identifier_of(model)
    if pretrained is None and not identifier.startswith((_LOCAL, _HUB)):
        raise ScorerUnavailable(_help(model, pretrained, "no weights are named for this architecture"))
    if pretrained is not None and identifier.startswith((_LOCAL, _HUB)):
        raise ScorerUnavailable(
            f"scorer {model!r} brings its own weights, and pretrained is {pretrained!r}; leave pretrained out"
        )
    with _told(model, pretrained):
        return open_clip.create_model(
            identifier,
            pretrained=pretrained,
            precision="fp32",
            device="cpu",
            require_pretrained=True,
            weights_only=True,
        )


@contextmanager
def _told(model: str, pretrained: str | None) -> Iterator[None]:
    """Say what to do where open_clip cannot load something."""
    from safetensors import SafetensorError

    try:
        yield
    except (RuntimeError, OSError, ValueError, KeyError, UnpicklingError, SafetensorError) as error:
        raise ScorerUnavailable(_help(model, pretrained, str(error).splitlines()[0][:300])) from error


def identifier_of(model: str) -> str:
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
    identifier = identifier_of(model)
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


def _token_counts(tokenizer: Any, texts: Sequence[str]) -> list[int]:
    """Tokens of each text with start and end, uncut."""
    inner = getattr(tokenizer, "tokenizer", None)
    if inner is None:
        return [len(tokenizer.encode(text)) + 2 for text in texts]
    if not texts:
        return []
    clean = getattr(tokenizer, "clean_fn", str)
    return [len(ids) for ids in inner([clean(text) for text in texts], truncation=False, padding=False)["input_ids"]]


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
