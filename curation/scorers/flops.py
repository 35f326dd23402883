"""What a scorer computes for a frame and for a text, counted without computing it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from curation.scorers.base import ScorerUnavailable
from curation.scorers.open_clip_scorer import identifier_of

_G = 1e9


@dataclass(frozen=True, kw_only=True)
class ScorerWork:
    """Multiplications and additions of one frame and of one text, in units of 10**9; a multiply-add is two.

    Attributes:
        side_px: of the square frames that the model takes.
    """

    frame_gflop: float
    text_gflop: float
    side_px: int

    def clip_mpx(self, frames: int) -> float:
        """Return millions of pixels of a clip's score frames."""
        return frames * self.side_px * self.side_px / 1e6

    def clip_gflop(self, frames: int, texts: float = 1.0) -> float:
        """Return those of a clip with so many score frames and texts."""
        return frames * self.frame_gflop + texts * self.text_gflop


def scorer_work(model: str) -> ScorerWork:
    """Count what a model does (`torch.utils.flop_counter`); its weights are not needed where it is an architecture.

    Args:
        model: as `load_open_clip` takes it.

    Raises:
        ScorerUnavailable: open_clip knows no such model.
    """
    import open_clip
    import torch

    try:
        made = open_clip.create_model(identifier_of(model), pretrained=None, load_weights=False, device="meta").eval()
    except (RuntimeError, OSError, ValueError, KeyError) as error:
        raise ScorerUnavailable(f"scorer {model!r}: {error}; name a model that open_clip makes") from error
    side_px = open_clip.get_model_preprocess_cfg(made)["size"]
    side_px = side_px if isinstance(side_px, int) else side_px[0]
    context = open_clip.get_tokenizer(identifier_of(model)).context_length
    return ScorerWork(
        frame_gflop=_gflop(made.encode_image, torch.empty(1, 3, side_px, side_px, device="meta")),
        side_px=side_px,
        text_gflop=_gflop(made.encode_text, torch.zeros(1, context, dtype=torch.long, device="meta")),
    )


def _gflop(encode: Any, item: Any) -> float:
    import torch
    from torch.utils.flop_counter import FlopCounterMode

    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        encode(item)
    return counter.get_total_flops() / _G
