"""What every step left: one JSON line in `metrics.jsonl`, the same for TensorBoard, and the summary of a stage."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from torch.utils.tensorboard import SummaryWriter

from schemas.training import CurvePoint

METRICS_JSONL = "metrics.jsonl"
TENSORBOARD = "tensorboard"
CURVE_POINTS = 100
# What a line says of the machine and not of the training: it differs between runs that are equal to the bit.
TIMED = frozenset({"wait_s", "step_s", "wait_share", "clips_per_s", "tflops_per_s", "mfu", "memory_bytes"})

Line = Mapping[str, Any]


class Log(Protocol):
    """Where a step's numbers go."""

    def write(self, line: Line) -> None: ...

    def flush(self) -> None: ...


class NoLog:
    """Of a process that writes nothing."""

    def __enter__(self) -> NoLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close nothing."""

    def write(self, line: Line) -> None:
        """Do nothing."""

    def flush(self) -> None:
        """Do nothing."""


class MetricsLog:
    """Writes a line per step; opened at a step, it forgets what an earlier attempt wrote from that step on."""

    def __init__(self, folder: Path, first_step: int) -> None:
        self._path = folder / METRICS_JSONL
        kept = [line for line in read_metrics(folder) if line["step"] < first_step]
        unfinished = self._path.with_suffix(".part")
        unfinished.write_text("".join(_as_line(line) for line in kept), encoding="utf-8")
        unfinished.replace(self._path)
        self._file = self._path.open("a", encoding="utf-8")
        self._board = SummaryWriter(str(folder / TENSORBOARD), purge_step=first_step)

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()
        self._board.close()

    def write(self, line: Line) -> None:
        """Write a step's numbers; a line is one write. TensorBoard shows the loss of each source too."""
        self._file.write(_as_line(line))
        self._board.add_scalar(f"loss_of/{line['source']}", line["loss"], line["step"])
        for name, value in line.items():
            if isinstance(value, float) or name in TIMED:
                self._board.add_scalar(name, value, line["step"])

    def flush(self) -> None:
        """Put on disk what was written; a checkpoint must not be ahead of its metrics."""
        self._file.flush()


def _as_line(line: Line) -> str:
    return json.dumps(line, sort_keys=True, allow_nan=False) + "\n"


def read_metrics(folder: Path) -> list[dict[str, Any]]:
    """Return a stage's lines by step; a last line that was cut off is left out."""
    path = folder / METRICS_JSONL
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    return [json.loads(line) for line in text[: text.rfind("\n") + 1].splitlines()]


def loss_curve(lines: Sequence[Line], points: int = CURVE_POINTS) -> tuple[CurvePoint, ...]:
    """Return the mean losses of at most `points` equal runs of steps, in order."""
    count = min(points, len(lines))
    edges = [len(lines) * place // count for place in range(count + 1)] if count else []
    runs = [lines[low:high] for low, high in itertools.pairwise(edges)]
    return tuple(
        CurvePoint(step=int(run[-1]["step"]) + 1, loss=round(sum(line["loss"] for line in run) / len(run), 6))
        for run in runs
    )


def samples_by_source(lines: Sequence[Line], batch_size: int) -> dict[str, int]:
    """Return how many clips of each source went through the steps."""
    batches = Counter(str(line["source"]) for line in lines)
    return {source: batches[source] * batch_size for source in sorted(batches)}
