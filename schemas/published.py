"""Published figures to stand beside ours: VideoPrism, arXiv 2402.13217, tables 1 and 8 and figure 5c.

The paper's score is CLIP-like; its model, frames and averaging are not published, so the figures give an order of
size and are not comparable digit by digit.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedSource:
    """One corpus of VideoPrism with its mean grounding score."""

    name: str
    captions: str
    quality: str
    clips_millions: float
    mean_score: float


VIDEOPRISM_SOURCES = (
    PublishedSource(name="Stock #1", captions="manual", quality="high", clips_millions=36.1, mean_score=0.30),
    PublishedSource(name="InternVid", captions="generated", quality="medium", clips_millions=7.0, mean_score=0.32),
    PublishedSource(name="Corpus #3", captions="generated", quality="medium", clips_millions=71.5, mean_score=0.30),
    PublishedSource(name="VideoCC", captions="mined alt-text", quality="low", clips_millions=191.1, mean_score=0.27),
    PublishedSource(name="WTS-70M", captions="metadata", quality="low", clips_millions=55.1, mean_score=0.26),
    PublishedSource(name="ASR corpus #2", captions="asr", quality="low", clips_millions=170.3, mean_score=0.26),
    PublishedSource(name="YT-Temporal-180M", captions="asr", quality="low", clips_millions=87.8, mean_score=0.24),
)

# Figure 5c, on a sample of 100,000 clips of the whole corpus: (from, to, share).
VIDEOPRISM_BUCKETS = (
    (-1.0, 0.20, 0.041),
    (0.20, 0.25, 0.204),
    (0.25, 0.30, 0.358),
    (0.30, 0.35, 0.322),
    (0.35, 1.0, 0.076),
)

# Figure 5, on the same sample: (from, in seconds, share); a bucket ends where the next one begins.
VIDEOPRISM_LENGTHS = ((0, 0.034), (3, 0.065), (5, 0.631), (10, 0.243), (20, 0.028))
