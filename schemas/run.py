"""A run on disk: where each thing lies, and `run.json` with its chain of fingerprints.

Every path here is relative to the run folder, so that the same layout serves a local folder and an object store.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from schemas.canonical import canonical_json, digest_of
from schemas.statistics import ScorerFacts

# Where a run lies: a folder of this machine, or an address of a bucket (`s3://...`, `gs://...`).
RunAddress = Path | str

RUN_SCHEMA = "clipstrata.run/1"
CODE_VERSION = "0.3.0"

RUN_JSON = "run.json"
STATISTICS_JSON = "stats/statistics.json"
HISTOGRAMS_PARQUET = "stats/histograms.parquet"
YIELDS_PARQUET = "stats/yields.parquet"
DISTRIBUTIONS_PARQUET = "stats/distributions.parquet"
JOINT_PARQUET = "stats/joint.parquet"
EXAMPLES_PARQUET = "stats/examples.parquet"
REJECT_EXAMPLES_PARQUET = "stats/reject_examples.parquet"
EDGES_FOLDER = "duplicates/edges"
MEMBERS_FOLDER = "duplicates/members"
TEXTS_FOLDER = "duplicates/texts"
BASE_FOLDER = "duplicates/base"
INDEX_FOLDER = "duplicates/index"
# States the digests of all other files of the index, so that these need not be read to tell whether a stage is done.
INDEX_JSON = "duplicates/index/index.json"
DUPLICATES_JSON = "duplicates/summary.json"
LABELS_JSONL = "labels/labels.jsonl"
SUPPRESSED_FOLDER = "suppressed"
RECEIPTS_FOLDER = "receipts"
TAKEDOWN_JSON = "progress/takedown.json"
BUILD_LOCK = "progress/build.lock"
FLINK_JOB_JSON = "progress/flink-job.json"
LATEST_JSON = "manifests/latest.json"
REPORT_HTML = "report/index.html"
HANDOFF_FOLDER = "handoff"
ENCODER_FOLDER = "models/encoder"
EVALUATION_JSON = "models/evaluation.json"
DECODED_FOLDER = "tmp/decoded"

# Folders that hold a clock, an attempt or a path of this machine; nothing in them has part in a digest (nor has
# run.json, nor the page of a trained run, which shows how fast that went).
UNCOUNTED = ("progress", "tmp", "models", "labels", HANDOFF_FOLDER)


def address_of(text: str) -> RunAddress:
    """Return an address of a bucket as it is, and anything else as a path of this machine."""
    return text.rstrip("/") if "://" in text else Path(text)


def media_path(media_sha256: str) -> str:
    """Return where a clip lies, by its content."""
    return f"media/{media_sha256[:2]}/{media_sha256}.mp4"


def frames_path(clip_id: str, frame_plan: str) -> str:
    """Return where the score frames of a clip lie: one JPEG strip."""
    return f"frames/{clip_id[:2]}/{clip_id}-{frame_plan}.jpg"


def unit_path(unit: str) -> str:
    """Return the file that makes an ingest unit exist; it is written last of the unit's files."""
    return f"units/{unit}.json"


def clips_path(unit: str) -> str:
    """Return the file that makes a unit's clips exist; `unit` is the name of its media work."""
    return f"clips/{unit}.json"


def part_path(kind: str, unit: str) -> str:
    """Return where a unit's part of one kind lies: `records`, `samples`, `texts` or `rejects`."""
    return f"{kind}/{unit}.parquet"


def scores_path(scoring: str, unit: str) -> str:
    """Return the file that makes a unit's scores exist; `scoring` names model, prompt and frame plan."""
    return f"scores/{scoring}/{unit}.json"


def score_part_path(kind: str, scoring: str, unit: str) -> str:
    """Return where a unit's part of one scoring lies: `scores`, `embeddings` or `score_rejects`."""
    folder = "rejects" if kind == "score_rejects" else kind
    return f"{folder}/{scoring}/{unit}.parquet"


def selection_path(source: str, part: int) -> str:
    """Return where one part of a source's selection lies."""
    return f"selection/{source}-{part:05d}.parquet"


def members_path(group: str) -> str:
    """Return where the members of duplicate groups among the clips of a group of units lie."""
    return f"{MEMBERS_FOLDER}/{group}.parquet"


def text_groups_path(group: str) -> str:
    """Return where the texts of a group of units lie that others of their source are nearly like."""
    return f"{TEXTS_FOLDER}/{group}.parquet"


def base_members_path(group: str) -> str:
    """Return where the samples of a group of units of the base lie that new clips resemble."""
    return f"{BASE_FOLDER}/{group}.parquet"


def index_path(name: str) -> str:
    """Return where an array of the index of a run's clips lies."""
    return f"{INDEX_FOLDER}/{name}.npy"


def manifest_path(version: int) -> str:
    """Return where a manifest version lies."""
    return f"manifests/v{version:06d}.json"


def suppressed_path(number: int) -> str:
    """Return where the list of a takedown lies."""
    return f"{SUPPRESSED_FOLDER}/{number:06d}.json"


def receipt_path(number: int) -> str:
    """Return where the receipt of a takedown lies."""
    return f"{RECEIPTS_FOLDER}/{number:06d}.json"


def stage_folder(stage: int) -> str:
    """Return where a training stage keeps its checkpoints, metrics and summary."""
    return f"models/stage{stage}"


def summary_path(stage: int) -> str:
    """Return where a finished training stage says what it came to."""
    return f"{stage_folder(stage)}/summary.json"


def decoded_name(manifest_sha256: str, frames: int, size_px: int, tiers: Sequence[str] = ()) -> str:
    """Return the name, in the scratch folder `decoded`, of the decoded frames of a manifest's shards.

    They may be removed at any time.
    """
    return "-".join((manifest_sha256[:16], f"{frames}x{size_px}", *sorted(tiers)))


MANIFEST_NAME = re.compile(r"manifests/v(\d{6})\.json")

StageName = Literal["ingest", "duplicates", "judge", "shard"]
STAGES: tuple[StageName, ...] = ("ingest", "duplicates", "judge", "shard")


class StageState(BaseModel):
    """One finished stage and what it depended on.

    Attributes:
        fingerprint: digest of config, inputs, code and models of this stage, chained with the stage before it.
        outputs: digest over the names and digests of the files that the stage wrote.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    stage: StageName
    fingerprint: str
    outputs: str
    finished: str
    seconds: float


class RunState(BaseModel):
    """`run.json`: config, versions, models, fingerprints and stage states. It may hold times."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    schema_name: str = RUN_SCHEMA
    corpus: str
    code_version: str = CODE_VERSION
    config: dict[str, object]
    versions: dict[str, str]
    scorer: ScorerFacts | None = None
    stages: tuple[StageState, ...] = ()
    timings: dict[str, float] = Field(default_factory=dict)

    def stage(self, name: StageName) -> StageState | None:
        """Return the state of a finished stage, or None."""
        return next((state for state in self.stages if state.stage == name), None)

    def with_stage(self, state: StageState) -> RunState:
        """Return the run with one stage finished anew; later stages, which stood on the old one, are forgotten."""
        earlier = STAGES[: STAGES.index(state.stage)]
        kept = tuple(old for old in self.stages if old.stage in earlier)
        return self.model_copy(update={"stages": (*kept, state)})

    def to_bytes(self) -> bytes:
        """Return the file's bytes."""
        return canonical_json(self.model_dump(mode="json"), indent=2)


def chain_fingerprint(stage: StageName, before: str, **facts: object) -> str:
    """Return a stage's fingerprint: its own facts and the fingerprint of the stage before it ('' for the first)."""
    return digest_of({"stage": stage, "before": before, "code_version": CODE_VERSION, **facts})
