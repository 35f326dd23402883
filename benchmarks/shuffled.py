"""What a build sends through shuffles: bytes of each grouping, and the largest element that was sampled.

    python -m benchmarks.shuffled CORPUS.yaml [--work FOLDER]

Builds a corpus, each stage in a process of its own, on Beam's embedded runner with a look at what it measured: workers
sample the size of elements of every collection (`beam:metric:sampled_byte_size:v1`), and here those that enter a
GroupByKey are counted. Prints bytes by stage and step, bytes of a clip, and ends with 1 where an element is over 64 kB.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apache_beam.metrics import monitoring_infos
from apache_beam.runners.portability.fn_api_runner import FnApiRunner

from pipelines.finished import finished_ingest
from pipelines.run_folder import open_run
from schemas.corpus import load_corpus
from schemas.costs import COST_STAGES, CostStage

LIMIT_BYTES = 64_000
RUNNER = "benchmarks.shuffled.CountingRunner"
# Where the runner leaves what it saw.
_TOLD = "CLIPSTRATA_SHUFFLED"
_GROUPING = "beam:transform:group_by_key:v1"


@dataclass(frozen=True, kw_only=True)
class Shuffled:
    """One grouping of a job.

    Attributes:
        elements: that entered it.
        mean_bytes, max_bytes: of those that were sampled.
    """

    step: str
    elements: int
    mean_bytes: float
    max_bytes: int


class CountingRunner(FnApiRunner):
    """The embedded runner; what entered each grouping is appended to a file, a line each."""

    def run_pipeline(self, pipeline: Any, options: Any) -> Any:
        """Run the job, and write down what it shuffled."""
        grouped = dict(_grouped_collections(pipeline.to_runner_api()))
        result = super().run_pipeline(pipeline, options)
        with Path(os.environ[_TOLD]).open("a", encoding="utf-8") as file:
            for own in _shuffled(grouped, list(result.monitoring_infos())):
                file.write(json.dumps(vars(own)) + "\n")
        return result


def _grouped_collections(proto: Any) -> Iterator[tuple[str, str]]:
    """Yield (id of a collection that a GroupByKey takes, name of the step)."""
    for transform in proto.components.transforms.values():
        if transform.spec.urn == _GROUPING:
            for collection in transform.inputs.values():
                yield collection, transform.unique_name


def _shuffled(grouped: dict[str, str], infos: list[Any]) -> Iterator[Shuffled]:
    counts: dict[str, int] = {}
    sizes: dict[str, tuple[int, int, int]] = {}
    for info in infos:
        collection = info.labels.get(monitoring_infos.PCOLLECTION_LABEL)
        if collection not in grouped:
            continue
        if info.urn == monitoring_infos.ELEMENT_COUNT_URN:
            counts[collection] = int(monitoring_infos.extract_counter_value(info))
        elif info.urn == monitoring_infos.SAMPLED_BYTE_SIZE_URN:
            count, total, _, largest = monitoring_infos.extract_distribution(info)
            sizes[collection] = count, total, largest
    for collection, step in grouped.items():
        count, total, largest = sizes.get(collection, (0, 0, 0))
        mean = total / count if count else 0.0
        yield Shuffled(step=step, elements=counts.get(collection, 0), mean_bytes=mean, max_bytes=max(0, largest))


def shuffled_by_stage(corpus: Path, out: Path) -> dict[CostStage, list[Shuffled]]:
    """Build a corpus stage by stage; returns what each stage shuffled."""
    found: dict[CostStage, list[Shuffled]] = {}
    for stage in COST_STAGES:
        told = out.with_name(f"{out.name}-{stage}.jsonl")
        told.unlink(missing_ok=True)
        command = [
            sys.executable,
            "-m",
            "beam_runner",
            stage,
            str(corpus),
            "--out",
            str(out),
            "--",
            f"--runner={RUNNER}",
        ]
        subprocess.run(command, check=True, capture_output=True, env={**os.environ, _TOLD: str(told)})
        found[stage] = [Shuffled(**json.loads(line)) for line in told.read_text(encoding="utf-8").splitlines()]
    return found


def kb_per_clip(found: dict[CostStage, list[Shuffled]], clips: int) -> dict[CostStage, float]:
    """Return stage -> kB that each clip sends."""
    return {
        stage: sum(own.elements * own.mean_bytes for own in steps) / max(1, clips) / 1e3
        for stage, steps in found.items()
    }


def clips_of(corpus: Path, out: Path) -> int:
    """Return how many clips a run kept."""
    _, _, commits = finished_ingest(open_run(load_corpus(corpus), out))
    return sum(commit.ledger.samples_kept for commit in commits)


def main() -> int:
    """Build, print, and say whether an element is too large."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("--work", type=Path, default=None)
    options = parser.parse_args()
    # A fresh folder: what is there already would be up to date.
    work = Path(tempfile.mkdtemp(prefix="shuffled-", dir=options.work))
    found = shuffled_by_stage(options.corpus, work / "run")
    clips = clips_of(options.corpus, work / "run")
    for stage, steps in found.items():
        for own in steps:
            total_kb = own.elements * own.mean_bytes / 1e3
            told = f"{own.elements} elements, {total_kb:.1f} kB, largest {own.max_bytes} B"
            sys.stdout.write(f"{stage} {own.step}: {told}\n")
    for stage, kilobytes in kb_per_clip(found, clips).items():
        sys.stdout.write(f"{stage}: {kilobytes:.2f} kB a clip, of {clips} clips\n")
    return int(any(own.max_bytes > LIMIT_BYTES for steps in found.values() for own in steps))


if __name__ == "__main__":
    sys.exit(main())
