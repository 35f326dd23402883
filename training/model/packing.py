"""Sequences of unequal length without padding: only what is there is projected, normed and mapped."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, eq=False)
class Packing:
    """Where S tokens lie among R rows of L places.

    Attributes:
        present: bool [R, L], S of them True.
        slots: int64 [S], row * L + place of each token, ascending.
    """

    present: Tensor
    slots: Tensor

    @classmethod
    def of(cls, present: Tensor) -> Packing:
        """Return the packing of bool [R, L]; on a GPU this waits for the device once."""
        return cls(present=present, slots=present.flatten().nonzero()[:, 0])

    @property
    def visible(self) -> Tensor:
        """The keys that every query of a row sees: bool [R, 1, 1, L]."""
        return self.present[:, None, None, :]

    def spread(self, x: Tensor) -> Tensor:
        """[S, W] -> [R, L, W], 0 where nothing is."""
        rows, places = self.present.shape
        # slots are all different, so this has one order of sums, and its gradient is a plain choice of rows
        return x.new_zeros(rows * places, x.shape[1]).index_copy(0, self.slots, x).unflatten(0, (rows, places))

    def collect(self, x: Tensor) -> Tensor:
        """[R, L, W] -> [S, W]."""
        return x.flatten(0, 1).index_select(0, self.slots)


def check_visible(visible: Tensor, shape: tuple[int, int, int]) -> None:
    """Refuse a mask of patches of the wrong shape or type, or a clip of which nothing is visible.

    Args:
        visible: bool [B, T, N].
        shape: what B, T and N must be.
    """
    if tuple(visible.shape) != shape:
        raise ValueError(f"visible has shape {tuple(visible.shape)}; allowed: {shape}; give a value a patch")
    if visible.dtype != torch.bool:
        raise ValueError(f"visible is {visible.dtype}; allowed: torch.bool, True for what is seen; compare it with 0")
    # on other devices this would wait for the device
    if visible.device.type == "cpu" and not torch.compiler.is_compiling() and not bool(visible.flatten(1).any(1).all()):
        raise ValueError("visible hides all patches of a clip; allowed: at least one visible patch a clip; show one")


def frames_visible(paddings: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Return the patches that are in real frames: paddings [B, T] (1 or True is padding) -> bool [B, T, N].

    Raises:
        ValueError: the paddings are not [B, T].
    """
    if tuple(paddings.shape) != shape[:2]:
        raise ValueError(
            f"frame_paddings has shape {tuple(paddings.shape)}; allowed: {shape[:2]}; give a value a frame"
        )
    return (paddings == 0)[:, :, None].expand(shape)


def tokens_present(tokens: Tensor, frame_paddings: Tensor | None) -> Tensor | None:
    """Return which of a clip's time-major tokens [B, T*N, D] are in real frames: bool [B, T*N], or None for all."""
    if frame_paddings is None:
        return None
    return (frame_paddings == 0).repeat_interleave(tokens.shape[1] // frame_paddings.shape[1], dim=1)
