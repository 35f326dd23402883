"""The amounts of a build to come: from what its user says of its clips, or from a finished run of the same kind."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from curation.judging.rows import read_columns
from curation.store import Store
from curation.unit_media import read_clips
from schemas.corpus import CorpusConfig
from schemas.costs import CostModel, Workload
from schemas.units import UnitCommit

_US_PER_S = 1e6
_M = 1e6


@dataclass(frozen=True, kw_only=True)
class ClipShape:
    """What the clips of a corpus are like, on average.

    Attributes:
        clip_s: length of a clip.
        clips_per_video: that are cut from one file.
        decoded_s: of a video for each clip: its length and what lies between it and the next one.
        source_px: width times height of the videos.
        fps: of the videos, and of clips where the corpus keeps it.
        aspect: width over height of a clip.
    """

    clip_s: float = 10.0
    clips_per_video: float = 1.0
    decoded_s: float | None = None
    source_px: float = 1280 * 720
    fps: float = 25.0
    aspect: float = 16 / 9

    def words(self) -> str:
        """Return it in words."""
        decoded_s = self.clip_s if self.decoded_s is None else self.decoded_s
        return (
            f"clips of {self.clip_s:g} s, {self.clips_per_video:g} of a video, {decoded_s:g} s decoded for each, "
            f"{self.source_px / _M:.2f} million pixels at {self.fps:g} frames a second"
        )


@dataclass(frozen=True, kw_only=True)
class ClipScoring:
    """What scoring one clip takes: millions of pixels of its frames, and 10**9 multiplications and additions."""

    frames_mpx: float
    gflop: float


def wanted_workload(
    config: CorpusConfig, clips: float, shape: ClipShape, scoring: ClipScoring, model: CostModel
) -> Workload:
    """Return the amounts of a corpus of so many clips of a shape.

    Args:
        scoring: what the corpus's scorer does for a clip.
    """
    side_px = config.clip.short_side_px
    clip_mpx = clips * shape.clip_s * shape.fps * side_px * side_px * shape.aspect / _M
    decoded_s = shape.clip_s if shape.decoded_s is None else shape.decoded_s
    return Workload(
        videos=clips / shape.clips_per_video,
        clips=clips,
        source_s=clips * decoded_s,
        source_mpx=clips * decoded_s * shape.fps * shape.source_px / _M,
        clip_mpx=clip_mpx,
        frames_mpx=clips * scoring.frames_mpx,
        score_gflop=clips * scoring.gflop,
        media_mb=clip_mpx * model.media_mb_per_mpx,
    )


def pilot_workload(store: Store, commits: list[UnitCommit], scoring: ClipScoring) -> Workload:
    """Return the amounts of a finished ingest, as its units state them."""
    columns = ("clip_id", "video_sha256", "start_us", "end_us", "frames", "width_px", "height_px", "media_bytes")
    tables = [pl.DataFrame(pl.from_arrow(read_columns(store, commit, "samples", columns))) for commit in commits]
    if not tables:
        return Workload(**dict.fromkeys(Workload.model_fields, 0.0))
    clips = pl.concat(tables).unique("clip_id")
    px = pl.col("frames").cast(pl.Float64) * pl.col("width_px") * pl.col("height_px")
    decoded = clips.group_by("video_sha256").agg(pl.col("start_us").min(), pl.col("end_us").max())
    told = _videos(store, commits).join(decoded, on="video_sha256", how="left")
    whole_us = pl.col("duration_us")
    from_us, to_us = pl.col("start_us").fill_null(0), pl.col("end_us").fill_null(whole_us)
    source_s = (to_us - from_us).clip(0, whole_us) / _US_PER_S
    source_px = source_s * pl.col("fps") * pl.col("px")
    return Workload(
        videos=told.height,
        clips=clips.height,
        source_s=float(told.select(source_s.sum()).item() or 0),
        source_mpx=float(told.select(source_px.sum()).item() or 0) / _M,
        clip_mpx=float(clips.select(px.sum()).item() or 0) / _M,
        frames_mpx=clips.height * scoring.frames_mpx,
        score_gflop=clips.height * scoring.gflop,
        media_mb=float(clips["media_bytes"].sum() or 0) / _M,
    )


def _videos(store: Store, commits: list[UnitCommit]) -> pl.DataFrame:
    """Return `video_sha256`, `duration_us`, `fps` and `px` of each video that was opened."""
    rows = []
    for name in sorted({commit.clips for commit in commits}):
        found = read_clips(store, name)
        facts = [] if found is None else [video.outcome["video"] for video in found.videos]
        rows += [
            (own["sha256"], own["duration_us"], own["fps_1e3"] / 1e3, float(own["width_px"] * own["height_px"]))
            for own in facts
            if own is not None
        ]
    schema = {"video_sha256": pl.String, "duration_us": pl.Int64, "fps": pl.Float64, "px": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row").unique("video_sha256")
