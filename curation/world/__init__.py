"""The built-in world: real mp4 files with texts of known truth, a pure function of a seed.

`plan_world` says what there is, `render_world` writes the files, `World.rows` is what the sources hand out, and
`write_truth` puts down what only tests and reports may read. See docs/world.md.
"""

from curation.world.factors import APPEARANCE, FACTORS, MOTION, Factors
from curation.world.plan import plan_world
from curation.world.records import (
    FRAME_SIZE_PX,
    FRAMES_PER_SECOND,
    PlannedText,
    World,
    WorldClip,
    WorldOptions,
    WorldRow,
    WorldText,
    WorldVideo,
)
from curation.world.render import RenderError, render_video, render_world
from curation.world.sources import SOURCE_ORIGIN, SOURCE_TEXT_KINDS, SOURCES
from curation.world.truth import truth_rows, write_truth

__all__ = [
    "APPEARANCE",
    "FACTORS",
    "FRAMES_PER_SECOND",
    "FRAME_SIZE_PX",
    "MOTION",
    "SOURCES",
    "SOURCE_ORIGIN",
    "SOURCE_TEXT_KINDS",
    "Factors",
    "PlannedText",
    "RenderError",
    "World",
    "WorldClip",
    "WorldOptions",
    "WorldRow",
    "WorldText",
    "WorldVideo",
    "plan_world",
    "render_video",
    "render_world",
    "truth_rows",
    "write_truth",
]
