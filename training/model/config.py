"""Sizes of the models, as frozen dataclasses that refuse what cannot be built."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

LAYER_NORM_EPS = 1e-6  # published VideoPrism code: every layer norm
LOGIT_CAP = 50.0  # published configurations: attention logits become cap * tanh(logits / cap)
Wavelengths = Literal["published", "transformers"]
PATCH_PX = 18  # paper (arXiv 2402.13217), section 3 and the published configurations


def check_count(name: str, value: object) -> None:
    """Refuse anything but an integer from 1 (True is no integer here)."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError(f"{name} is {value!r}; allowed: integers from 1; give {name} such a number")


def check_cap(value: object) -> None:
    """Refuse a logit cap that is neither None nor a finite number above 0."""
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool) and 0 < value < math.inf):
        return
    raise ValueError(
        f"logit_cap is {value!r}; allowed: finite numbers above 0, or None for no cap; the published one is {LOGIT_CAP}"
    )


def check_heads(width: int, heads: int) -> None:
    """Refuse a width that the heads cannot share evenly."""
    if width % heads:
        raise ValueError(f"width is {width} with heads {heads}; allowed: a multiple of heads; change one of them")


@dataclass(frozen=True, kw_only=True)
class EncoderConfig:
    """The factorised video encoder. The defaults are the published base model.

    frames: T of the temporal position table.     image_px: side of a frame for which the spatial table is learned.
    patch_px: side of a patch.     width: D.     spatial_layers, temporal_layers: blocks in each transformer.
    logit_cap: soft cap of the attention logits. None is no cap: faster, but the published weights had one.
    """

    frames: int = 16
    image_px: int = 288
    patch_px: int = PATCH_PX
    width: int = 768
    heads: int = 12
    mlp_width: int = 3072
    spatial_layers: int = 12
    temporal_layers: int = 4
    logit_cap: float | None = LOGIT_CAP

    def __post_init__(self) -> None:
        counts = ("frames", "image_px", "patch_px", "width", "heads", "mlp_width", "spatial_layers", "temporal_layers")
        for name in counts:
            check_count(name, getattr(self, name))
        check_cap(self.logit_cap)
        check_heads(self.width, self.heads)
        if self.image_px % self.patch_px:
            raise ValueError(
                f"image_px is {self.image_px} with patch_px {self.patch_px}; allowed: a multiple of patch_px; "
                f"give {max(1, round(self.image_px / self.patch_px)) * self.patch_px}"
            )

    @property
    def grid(self) -> int:
        """Patches along a side of the frame for which the spatial table is learned."""
        return self.image_px // self.patch_px

    @property
    def patches(self) -> int:
        """N: patches of such a frame."""
        return self.grid**2

    @classmethod
    def tiny(cls) -> EncoderConfig:
        """A model that two CPU cores train in minutes: 8 frames of 32 px, 16 tokens each."""
        return cls(
            frames=8,
            image_px=32,
            patch_px=8,
            width=96,
            heads=4,
            mlp_width=384,
            spatial_layers=4,
            temporal_layers=2,
        )

    @classmethod
    def small(cls) -> EncoderConfig:
        """A model for studies on two CPU cores: 8 frames of 48 px, 36 tokens each, so that motion spans patches."""
        return cls(
            frames=8,
            image_px=48,
            patch_px=8,
            width=128,
            heads=4,
            mlp_width=512,
            spatial_layers=4,
            temporal_layers=2,
        )

    @classmethod
    def base(cls) -> EncoderConfig:
        """The published base model: 114,365,184 parameters."""
        return cls()

    @classmethod
    def large(cls) -> EncoderConfig:
        """The published large model: 353,965,056 parameters."""
        return cls(frames=8, width=1024, heads=16, mlp_width=4096, spatial_layers=24)

    @classmethod
    def giant(cls) -> EncoderConfig:
        """The giant model of the published configurations; its weights are not published."""
        return cls(frames=8, width=1408, heads=16, mlp_width=6144, spatial_layers=40)


@dataclass(frozen=True, kw_only=True)
class TextConfig:
    """The causal text tower. The defaults are the published base model.

    vocabulary: token ids are 0 to vocabulary - 1.     max_tokens: longest text.
    width: D, equal to the encoder's: there is no projection between the towers.
    wavelengths: of the fixed position table; `transformers` has others unless a file brings its table.
    """

    vocabulary: int = 32_000
    max_tokens: int = 64
    width: int = 768
    heads: int = 12
    mlp_width: int = 3072
    layers: int = 12
    logit_cap: float | None = LOGIT_CAP
    wavelengths: Wavelengths = "published"

    def __post_init__(self) -> None:
        for name in ("vocabulary", "max_tokens", "width", "heads", "mlp_width", "layers"):
            check_count(name, getattr(self, name))
        check_cap(self.logit_cap)
        check_heads(self.width, self.heads)
        if self.wavelengths not in get_args(Wavelengths):
            raise ValueError(f"wavelengths is {self.wavelengths!r}; allowed: {', '.join(get_args(Wavelengths))}")
        if self.width % 2 or self.width < 4:
            raise ValueError(
                f"width is {self.width}; allowed: even numbers from 4 (sines, cosines); give {max(4, self.width + 1)}"
            )

    @classmethod
    def tiny(cls) -> TextConfig:
        """The text tower that goes with `EncoderConfig.tiny`."""
        return cls(vocabulary=2048, max_tokens=48, width=96, heads=4, mlp_width=384, layers=2)

    @classmethod
    def small(cls) -> TextConfig:
        """The text tower that goes with `EncoderConfig.small`."""
        return cls(vocabulary=2048, max_tokens=48, width=128, heads=4, mlp_width=512, layers=2)

    @classmethod
    def base(cls) -> TextConfig:
        """The published base model's text tower."""
        return cls()

    @classmethod
    def large(cls) -> TextConfig:
        """The published large model's text tower."""
        return cls(width=1024, heads=16, mlp_width=4096)

    @classmethod
    def giant(cls) -> TextConfig:
        """The text tower that goes with `EncoderConfig.giant`.

        The published configuration norms each branch a second time behind it (Primer); no weights have that, and it is
        not built: this one is pre-norm as all others.
        """
        return cls(width=1408, heads=16, mlp_width=5632, layers=16)


# name -> how the sizes of both towers are made
PRESETS: Mapping[str, tuple[Callable[[], EncoderConfig], Callable[[], TextConfig]]] = {
    "tiny": (EncoderConfig.tiny, TextConfig.tiny),
    "small": (EncoderConfig.small, TextConfig.small),
    "base": (EncoderConfig.base, TextConfig.base),
    "large": (EncoderConfig.large, TextConfig.large),
    "giant": (EncoderConfig.giant, TextConfig.giant),
}
