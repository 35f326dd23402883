"""Scorers: models that put frames and texts into one space. Importing this package loads no model library."""

from curation.scorers.base import FRAME_BATCH, TEXT_BATCH, Scorer, ScorerUnavailable
from curation.scorers.batching import ScorerOutOfMemory
from curation.scorers.numerics import Numerics, choose_numerics, scorer_digest
from curation.scorers.open_clip_scorer import WORLD_CLIP, OpenClipScorer, load_open_clip
from curation.threads import SPINS as SPINS

__all__ = [
    "FRAME_BATCH",
    "TEXT_BATCH",
    "WORLD_CLIP",
    "Numerics",
    "OpenClipScorer",
    "Scorer",
    "ScorerOutOfMemory",
    "ScorerUnavailable",
    "choose_numerics",
    "load_open_clip",
    "scorer_digest",
]
