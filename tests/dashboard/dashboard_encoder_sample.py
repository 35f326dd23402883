"""Two stages and an evaluation with literal numbers, for the dashboard's tests."""

from __future__ import annotations

from typing import Any

from schemas.evaluation import EncoderRow, Evaluation, Measure
from schemas.training import CurvePoint, TrainingSummary


def stage_1(**changed: Any) -> TrainingSummary:
    """Forty steps of ten clips from two sources."""
    told: dict[str, Any] = {
        "stage": 1,
        "seed": 7,
        "steps": 40,
        "batch_size": 10,
        "samples": 400,
        "samples_by_source": {"stock": 300, "web_alt": 100},
        "left_out": {"video only": 12},
        "parameters": 1_234_567,
        "seconds": 80.0,
        "samples_per_s": 5.0,
        "wait_share": 0.125,
        "final_loss": 1.5,
        "trained_on": "cd" * 32,
        "manifest_version": 1,
        "weights_sha256": "1a" * 32,
        "curve": (CurvePoint(step=20, loss=2.25), CurvePoint(step=30, loss=1.75), CurvePoint(step=40, loss=1.5)),
    }
    return TrainingSummary(**(told | changed))


def stage_2(**changed: Any) -> TrainingSummary:
    """Twenty steps of ten clips; it also draws clips without a text."""
    told: dict[str, Any] = {
        "stage": 2,
        "steps": 20,
        "samples": 200,
        "samples_by_source": {"stock": 120, "silent": 80},
        "left_out": {},
        "parameters": 2_000_000,
        "seconds": 3600.0,
        "wait_share": 0.0,
        "final_loss": 0.5,
        "weights_sha256": "2b" * 32,
        "teacher_sha256": "1a" * 32,
        "curve": (CurvePoint(step=20, loss=0.5),),
    }
    return stage_1(**(told | changed))


MEASURES = (
    Measure(name="appearance", title="appearance", group="appearance", chance=0.2, summary=True),
    Measure(name="appearance.colour", title="colour", group="appearance", chance=0.25),
    Measure(name="motion", title="motion", group="motion", chance=0.125, summary=True),
    Measure(name="motion.direction", title="direction", group="motion", chance=0.125),
    Measure(name="text_to_video_r1", title="text to video R@1", group="retrieval", chance=0.01, summary=True),
)


def encoder(name: str, digest: str, *values: float | None) -> EncoderRow:
    """One row: the values of MEASURES in their order."""
    return EncoderRow(
        name=name, digest=digest * 32, values=dict(zip((measure.name for measure in MEASURES), values, strict=True))
    )


def evaluation(*rows: EncoderRow, **changed: Any) -> Evaluation:
    """Four encoders; the scorer is best at looks and cannot see motion, and stage 2 has no text side."""
    told: dict[str, Any] = {
        "suite": "shapes",
        "seed": 11,
        "settings": {"probe_train_clips": 2048, "probe_learning_rate": 0.001},
        "measures": MEASURES,
        "rows": rows
        or (
            encoder("random encoder", "0c", 0.3, 0.35, 0.15, 0.14, 0.01),
            encoder("stage 1", "1a", 0.7, 0.75, 0.5, 0.625, 0.25),
            encoder("stage 2", "2b", 0.65, 0.75, 0.8, 0.875, None),
            encoder("scorer, mean of frames", "3d", 0.9, 0.95, 0.12, 0.1, 0.4),
        ),
        "notes": ("Clips are made up.", "Stage 2 has no text side."),
    }
    return Evaluation(**(told | changed))
