"""Scorers: models that put frames and texts into one space. Importing this package loads no model library."""

from curation.scorers.base import FRAME_BATCH, TEXT_BATCH, Scorer, ScorerUnavailable
from curation.scorers.open_clip_scorer import WORLD_CLIP, OpenClipScorer, load_open_clip
from curation.threads import SPINS as SPINS

__all__ = [
    "FRAME_BATCH",
    "TEXT_BATCH",
    "WORLD_CLIP",
    "OpenClipScorer",
    "Scorer",
    "ScorerUnavailable",
    "load_open_clip",
]
