"""The measured sheets as one markdown table and as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from benchmarks.copies.changes import KINDS, PROMISED
from benchmarks.copies.evaluate import GROUPS, TWO_COPIES, Sheet, Split, Tally
from benchmarks.copies.points import EVERYTHING, wilson
from benchmarks.copies.truth import HARD_KINDS, LEFT_OUT, STRANGE

_NAMES = {
    "promised": "**promised kinds, together**",
    "all": "**all kinds, together**",
    "real": "promised kinds, real videos",
    "drawn": "promised kinds, drawn videos",
    TWO_COPIES: "two changed copies of one base",
    STRANGE: "strangers",
    LEFT_OUT: "left out (partly the same, or the same picture)",
}


def markdown(sheets: Sequence[Sheet], kinds: Sequence[str] = KINDS) -> str:
    """Return one table: recall / precision by kind of copy, then the share joined by kind of negative."""
    lines = [_row("", "pairs", [sheet.method for sheet in sheets]), "|---|---:|" + "---:|" * len(sheets)]
    lines.append(_row("threshold, from `tune`", "", [_threshold(sheet) for sheet in sheets]))
    lines.append(_row("**copies: recall / precision**", "", [""] * len(sheets)))
    for kind in (*kinds, *GROUPS, "real", "drawn", TWO_COPIES):
        tallies = [sheet.copies[kind] for sheet in sheets]
        if tallies[0].pairs:
            name = _NAMES.get(kind, f"`{kind}`" + (" (promised)" if kind in PROMISED else ""))
            lines.append(_row(name, f"{tallies[0].pairs:,}", [_copies_cell(tally) for tally in tallies]))
    lines.append(_row("**negatives: joined**", "", [""] * len(sheets)))
    for kind in (*HARD_KINDS, STRANGE, LEFT_OUT):
        tallies = [sheet.negatives[kind] for sheet in sheets]
        cells = [f"{tally.joined:,} ({_percent(tally.share)})" if tally.joined else "0" for tally in tallies]
        lines.append(
            _row(
                _NAMES.get(kind, f"`{kind}`"),
                f"{tallies[0].pairs:,}",
                cells if tallies[0].pairs else [""] * len(sheets),
            )
        )
    return "\n".join(lines)


def _row(name: str, pairs: str, cells: Sequence[str]) -> str:
    return "| " + " | ".join([name, pairs, *cells]) + " |"


def _threshold(sheet: Sheet) -> str:
    if sheet.point.threshold_1e4 == EVERYTHING:
        return "as it comes"
    level = f"{sheet.point.threshold_1e4 / 10_000:.4f}"
    return level if sheet.point.reached else f"{level} (precision {_percent(sheet.point.precision)} at best)"


def _copies_cell(tally: Tally) -> str:
    return f"{_percent(tally.share)} / {_percent(tally.precision) if tally.joined + tally.wrong else '-'}"


def _percent(share: float) -> str:
    """Return a share with one digit, never rounded up to all."""
    return f"{int(share * 1000) / 10:.1f} %" if share < 1 else "100 %"


def summary(split: Split) -> dict[str, int]:
    """Return what a split holds."""
    counted = split.counted
    return {
        "clips": len(split.clips),
        "true_pairs": int((counted & (split.relation == "true")).sum()),
        "hard_negative_pairs": int((counted & np.isin(split.relation, HARD_KINDS)).sum()),
        "stranger_pairs": int((counted & (split.relation == STRANGE)).sum()),
        "left_out_pairs": int((counted & (split.relation == LEFT_OUT)).sum()),
        "two_copies_pairs": int((~counted & (split.relation == "true")).sum()),
    }


def as_json(
    precise: Sequence[Sheet], balanced: Sequence[Sheet], splits: dict[str, Split], about: dict[str, Any]
) -> dict[str, Any]:
    """Return all that was measured, with a 95 % interval for each recall."""
    held = {name: summary(split) for name, split in splits.items()}
    return {**about, "splits": held, "precise": _plain(precise), "balanced": _plain(balanced)}


def _plain(sheets: Sequence[Sheet]) -> list[dict[str, Any]]:
    found = []
    for sheet in sheets:
        row = asdict(sheet)
        for kind, tally in sheet.copies.items():
            interval = [round(end, 4) for end in wilson(tally.joined, tally.pairs)]
            row["copies"][kind] |= {"recall": tally.share, "precision": tally.precision, "recall_95": interval}
        found.append(row)
    return found
