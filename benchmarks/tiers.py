"""What tiers and cuts are worth on the built-in world, whose truth is known.

    python -m benchmarks.tiers RUN          RUN: a run of `clipstrata demo`

Prints the precision and recall of each tier (a sample is right when its chosen text is about its clip), the AUC of the
score per source, and what cuts of each source's own gain over the best single cut for all: both are set on one half of
the samples (by the last letter of their ids) so that they make the fewest mistakes, and measured on the other half. A
mistake is a wrong text that is trusted, or a right one that is not.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from curation.store import LocalStore
from pipelines.world import TRUTH_FILE

TIERS = ("clean", "noisy_high", "noisy_low", "video_only")
CUT_STEP_1E4 = 10
FIRST_HALF = "abcdefghijklmnop"
NO_SCALES = (
    "The built-in world gives its sources no differences of scale: one cut parts right from wrong in all of them, so "
    "it cannot show a gain of cuts per source."
)


@dataclass(frozen=True, kw_only=True)
class Decisions:
    """What cuts come to on samples of known truth."""

    trusted: int
    right_trusted: int
    right: int
    samples: int

    @property
    def precision(self) -> float:
        """Share of the trusted texts that are right."""
        return self.right_trusted / self.trusted if self.trusted else 0.0

    @property
    def recall(self) -> float:
        """Share of the right texts that are trusted."""
        return self.right_trusted / self.right if self.right else 0.0

    @property
    def mistakes(self) -> int:
        """Wrong texts that are trusted, and right ones that are not."""
        return (self.trusted - self.right_trusted) + (self.right - self.right_trusted)


def known_samples(root: Path) -> pl.DataFrame:
    """Return source, tier, score_1e4, right and sample_id of each sample that has a text and a known truth."""
    truth = [json.loads(line) for line in (root / "world" / TRUTH_FILE).read_text("utf-8").splitlines()]
    told = [
        (clip["source"], clip["locator"], clip["start_us"], clip["end_us"], text["text"], text["about"] == "clip")
        for clip in truth
        for text in clip["texts"]
    ]
    place = ["source", "locator", "start_us", "end_us"]
    right = pl.DataFrame(told, schema=[*place, "text", "right"], orient="row")
    # One text may stand twice at a clip, for two reasons: it is right when either is.
    right = right.group_by(*place, "text").agg(pl.col("right").any())
    store = LocalStore(root)

    def part(folder: str, columns: list[str]) -> pl.DataFrame:
        files = [root / path for path in store.list(folder) if path.endswith(".parquet")]
        return pl.concat([pl.read_parquet(path, columns=columns) for path in files])

    samples = part("samples", ["sample_id", *place])
    texts = part("texts", ["text_id", "text"]).unique("text_id")
    selection = part("selection", ["sample_id", "tier", "text_id", "score_1e4"])
    return (
        selection.filter(pl.col("text_id").is_not_null())
        .join(samples.unique("sample_id"), on="sample_id")
        .join(texts, on="text_id")
        .join(right, on=[*place, "text"], nulls_equal=True)
        .select("source", "tier", "score_1e4", "right", "sample_id")
    )


def decide(samples: pl.DataFrame, cuts: dict[str, int]) -> Decisions:
    """Return what trusting each source's texts from its cut on comes to."""
    cut = pl.col("source").replace_strict(cuts, return_dtype=pl.Int64)
    trusted = samples.filter(pl.col("score_1e4") >= cut)
    return Decisions(
        trusted=trusted.height,
        right_trusted=int(trusted["right"].sum()),
        right=int(samples["right"].sum()),
        samples=samples.height,
    )


def best_cut(samples: pl.DataFrame) -> int:
    """Return the cut of one edge of 0.001 that makes the fewest mistakes, the lowest of several."""
    names = [str(name) for name in samples["source"].unique()]
    lowest = int(samples.select(pl.col("score_1e4").min()).item()) // CUT_STEP_1E4 * CUT_STEP_1E4
    edges = range(lowest, 10_000, CUT_STEP_1E4)
    return min(edges, key=lambda edge: (decide(samples, {name: edge for name in names}).mistakes, edge))


def auc(samples: pl.DataFrame) -> float | None:
    """Return the chance that a right text scores above a wrong one, ties counting half; None without both."""
    rank = samples.with_columns(rank=pl.col("score_1e4").rank("average"))
    right, wrong = samples.filter("right").height, samples.filter(~pl.col("right")).height
    if not right or not wrong:
        return None
    total = float(rank.filter("right").select(pl.col("rank").sum()).item())
    return (total - right * (right + 1) / 2) / (right * wrong)


def report(samples: pl.DataFrame) -> list[str]:
    """Return the tables as Markdown."""
    right = int(samples["right"].sum())
    lines = [
        f"{samples.height} samples with a text, {right} right",
        "",
        "| tier | samples | precision | recall |",
        "|---|---|---|---|",
    ]
    for tier in TIERS:
        own = samples.filter(tier=tier)
        good = int(own["right"].sum())
        share = f"{good / own.height:.3f}" if own.height else "-"
        lines.append(f"| `{tier}` | {own.height} | {share} | {good / right:.3f} |")
    lines += ["", "| source | samples | right | AUC |", "|---|---|---|---|"]
    for (source,), own in sorted(samples.partition_by("source", as_dict=True).items()):
        found = auc(own)
        lines.append(
            f"| `{source}` | {own.height} | {int(own['right'].sum())} | {'-' if found is None else f'{found:.3f}'} |"
        )
    return [*lines, "", *_gain(samples)]


def _gain(samples: pl.DataFrame) -> list[str]:
    first = pl.col("sample_id").str.slice(-1).is_in(list(FIRST_HALF))
    setting, measured = samples.filter(first), samples.filter(~first)
    names = sorted(str(name) for name in samples["source"].unique())
    everywhere: dict[str, int] = dict.fromkeys(names, best_cut(setting))
    own = {name: best_cut(setting.filter(source=name)) for name in names if setting.filter(source=name).height}
    lines = ["| cuts | mistakes per 1,000 | precision | recall |", "|---|---|---|---|"]
    rates = []
    for words, cuts in (
        (f"the best one for all ({everywhere[names[0]] / 10_000:.3f})", everywhere),
        ("each source's own", {**everywhere, **own}),
    ):
        found = decide(measured, cuts)
        rates.append(1_000 * found.mistakes / found.samples)
        lines.append(f"| {words} | {rates[-1]:.1f} | {found.precision:.3f} | {found.recall:.3f} |")
    lines.append(f"| gain | {rates[0] - rates[1]:.1f} | | |")
    return [*lines, "", f"Set on {setting.height} samples, measured on {measured.height} others. {NO_SCALES}"]


def main() -> int:
    """Read the command line and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path)
    sys.stdout.write("\n".join(report(known_samples(parser.parse_args().run))) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
