"""The sources of the built-in world: how each one harvests its texts, and how often that goes wrong.

The rates are ours, chosen so that each source has a score histogram of its own; they are not measurements of real
corpora. Shares, origins and rates are printed in docs/world.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

CLEAN_PART = 17
"""One clip in 17 is clean: the proportion of 1 : 16 that VideoPrism reports for its corpus (36 M to 582 M)."""


@dataclass(frozen=True, kw_only=True)
class Track:
    """One kind of text that a source has for each clip.

    style: a name in `texts.STYLES`.     per_clip: how many texts, lowest and highest.
    own_span: whether each text has its own span (speech).     new_row: whether each text comes as a row of its own.
    """

    kind: str
    style: str
    per_clip: tuple[int, int] = (1, 1)
    own_span: bool = False
    new_row: bool = False


@dataclass(frozen=True, kw_only=True)
class Harvest:
    """A harvesting method. Rates are probabilities per text; `share` is relative among the sources of the same origin.

    wrong_rate: the text tells of another clip.   empty_rate: it tells of nothing.   motion_rate: it speaks of motion.
    neighbours: whether wrong texts come from the clip before or after (speech out of step) or from anywhere.
    """

    origin: str
    share: float
    tracks: tuple[Track, ...] = ()
    wrong_rate: float = 0.0
    empty_rate: float = 0.0
    motion_rate: float = 0.0
    neighbours: bool = False


HARVESTS: Mapping[str, Harvest] = MappingProxyType(
    {
        "stock": Harvest(
            origin="clean",
            share=1.0,
            tracks=(Track(kind="caption", style="caption", per_clip=(1, 3), new_row=True),),
            wrong_rate=0.01,
            motion_rate=0.2,
        ),
        "asr_vlog": Harvest(
            origin="noisy",
            share=0.22,
            tracks=(Track(kind="asr", style="vlog", per_clip=(2, 3), own_span=True),),
            wrong_rate=0.3,
            empty_rate=0.35,
            motion_rate=0.12,
            neighbours=True,
        ),
        "asr_howto": Harvest(
            origin="noisy",
            share=0.12,
            tracks=(Track(kind="asr", style="howto", per_clip=(1, 2), own_span=True),),
            wrong_rate=0.5,
            empty_rate=0.2,
            motion_rate=0.15,
            neighbours=True,
        ),
        "alt_mined": Harvest(
            origin="noisy",
            share=0.24,
            tracks=(Track(kind="alt", style="alt"),),
            wrong_rate=0.6,
            motion_rate=0.04,
        ),
        "tags": Harvest(
            origin="noisy",
            share=0.12,
            tracks=(Track(kind="title", style="title"), Track(kind="tags", style="tags")),
            wrong_rate=0.25,
            motion_rate=0.05,
        ),
        "machine": Harvest(
            origin="noisy",
            share=0.16,
            tracks=(Track(kind="generated", style="machine"),),
            wrong_rate=0.06,
            motion_rate=0.08,
        ),
        "web_pages": Harvest(
            origin="noisy",
            share=0.08,
            tracks=(Track(kind="title", style="title"), Track(kind="description", style="description")),
            wrong_rate=0.4,
            motion_rate=0.08,
        ),
        "silent": Harvest(origin="noisy", share=0.06),
    }
)

SOURCES: tuple[str, ...] = tuple(HARVESTS)
"""The names of the harvesting methods, the clean one first."""

SOURCE_ORIGIN: Mapping[str, str] = MappingProxyType({name: harvest.origin for name, harvest in HARVESTS.items()})
"""Source name -> "clean" or "noisy"."""

SOURCE_TEXT_KINDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {name: tuple(track.kind for track in harvest.tracks) for name, harvest in HARVESTS.items()}
)
"""Source name -> the kinds of its texts; none for a source without text."""


def clip_budgets(clips: int) -> dict[str, int]:
    """How many clips each source holds; they add up to `clips`, one in 17 of them clean (rounded, at least two)."""
    clean = max(2, round(clips / CLEAN_PART))
    noisy = [name for name in SOURCES if SOURCE_ORIGIN[name] == "noisy"]
    left = clips - clean
    total = sum(HARVESTS[name].share for name in noisy)
    budgets = {name: clean for name in SOURCES if SOURCE_ORIGIN[name] == "clean"}
    floor = 2
    spread = left - floor * len(noisy)
    budgets |= {name: floor + int(spread * HARVESTS[name].share / total) for name in noisy}
    budgets["alt_mined"] += clips - sum(budgets.values())
    return budgets
