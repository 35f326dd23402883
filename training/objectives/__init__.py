"""What each stage minimises: losses, masks, decoders, and one objective a stage. See docs/training.md."""

from training.objectives.base import Execution, Objective, StepLoss
from training.objectives.contrastive import ContrastiveObjective, ContrastiveOptions, ContrastiveParts
from training.objectives.decoders import DecoderConfig, GlobalDecoder, LocalDecoder
from training.objectives.distillation import DistillationObjective, DistillationOptions, DistillationParts
from training.objectives.ranks import ProcessGroup, Ranks, SingleProcess
from training.objectives.teacher import FrozenTeacher, RememberingTeacher, Targets, Teacher

__all__ = [
    "ContrastiveObjective",
    "ContrastiveOptions",
    "ContrastiveParts",
    "DecoderConfig",
    "DistillationObjective",
    "DistillationOptions",
    "DistillationParts",
    "Execution",
    "FrozenTeacher",
    "GlobalDecoder",
    "LocalDecoder",
    "Objective",
    "ProcessGroup",
    "Ranks",
    "RememberingTeacher",
    "SingleProcess",
    "StepLoss",
    "Targets",
    "Teacher",
]
