"""The demo's corpus: every harvesting method of the built-in world as a source, with cuts of its own."""

from __future__ import annotations

from pathlib import Path

from curation.world import SOURCE_ORIGIN, SOURCE_TEXT_KINDS, SOURCES
from schemas.corpus import CorpusConfig

DEMO_CLIPS = 3000

# Cosines of the shipped scorer: right pairs lie at 0.25 to 0.45, wrong ones and filler below 0.15 (docs/scorer.md).
# Short titles and speech that do fit score higher than whole captions, so their sources are cut higher.
_CUTS: dict[str, dict[str, float]] = {
    "stock": {"clean": 0.24, "high": 0.2, "low": 0.1},
    "machine": {"high": 0.24, "low": 0.1},
    "tags": {"high": 0.3, "low": 0.15},
}
_OTHER_CUTS = {"high": 0.27, "low": 0.1}

# The world's clips are 96 px wide; a clip format above that would only store interpolated pixels.
_CLIP = {"short_side_px": 96, "gop_frames": 24, "min_s": 0.3, "max_s": 20.0}


def demo_config(out: Path, *, clips: int | None = None) -> CorpusConfig:
    """Return the corpus of the demo; the world is rendered into `out`/world."""
    return CorpusConfig.model_validate(demo_document(str(out.resolve() / "world"), clips or DEMO_CLIPS))


def demo_document(location: str, clips: int) -> dict[str, object]:
    """Return the demo's corpus as a document, as it would stand in a YAML file."""
    licence = {"name": "CC0-1.0", "basis": "own", "terms": "made by clipstrata itself"}
    sources = [
        {
            "name": name,
            "origin": SOURCE_ORIGIN[name],
            "format": "synthetic",
            "part": name,
            "location": location,
            "media_root": location,
            "licence": licence,
            "text_kinds": list(SOURCE_TEXT_KINDS[name]),
            "cuts": _CUTS.get(name, _OTHER_CUTS),
        }
        for name in SOURCES
    ]
    return {
        "corpus": "world",
        "sources": sources,
        "clip": _CLIP,
        "media": {"wall_s": 30.0, "max_duration_s": 600.0},
        "shards": {"max_mb": 4},
        "world": {"seed": 1, "clips": clips},
    }
