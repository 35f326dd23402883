"""Texts of samples that were left out as duplicates, on their way to the sample that stands for them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from curation.unit_reading import WholeSample, merge_whole

# What one keeper takes at most: its own texts may fill as much again, and an element of a shuffle stays under 64 kB.
MAX_TEXTS = 32
MAX_BYTES = 16_384


@dataclass(frozen=True, kw_only=True)
class MovedText:
    """A text that another sample had.

    Attributes:
        text: as in `WholeSample.texts`.
        sample_id, source: where it stood.
    """

    text: dict[str, Any]
    sample_id: str
    source: str


def texts_to_move(tellings: Sequence[WholeSample]) -> list[MovedText]:
    """Return the texts of a sample that was left out, from all units that tell of it."""
    whole = merge_whole(tellings)
    row = whole.row
    return [MovedText(text=text, sample_id=row["sample_id"], source=row["source"]) for text in whole.texts]


def take_over(own: Sequence[dict[str, Any]], moved: Iterable[MovedText]) -> tuple[list[dict[str, Any]], int]:
    """Return the texts that a keeper takes over, each with `from_sample` and `from_source`, and how many it does not.

    One that the keeper has already is not taken. The best scored come first, by their mean; what goes beyond MAX_TEXTS
    or MAX_BYTES stays in the `texts/` of the run only.
    """
    known = {(text["kind"], text["text"]) for text in own}
    taken: list[dict[str, Any]] = []
    left = size = 0
    for found in sorted(moved, key=_order):
        text = found.text
        if (text["kind"], text["text"]) in known:
            continue
        known.add((text["kind"], text["text"]))
        text_bytes = len(text["text"].encode("utf-8"))
        if len(taken) == MAX_TEXTS or size + text_bytes > MAX_BYTES:
            left += 1
            continue
        size += text_bytes
        taken.append({**text, "from_sample": found.sample_id, "from_source": found.source})
    return taken, left


def _order(found: MovedText) -> tuple[int, str, str]:
    return (-found.text["scores_1e4"].get("mean", -10_001), found.text["text_id"], found.sample_id)
