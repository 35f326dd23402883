"""What each stage minimises: losses, masks, decoders, and one objective a stage. See docs/training.md."""

from training.objectives.base import Objective, StepLoss
from training.objectives.contrastive import ContrastiveObjective, ContrastiveParts
from training.objectives.decoders import DecoderConfig, GlobalDecoder, LocalDecoder
from training.objectives.distillation import DistillationObjective, DistillationParts

__all__ = [
    "ContrastiveObjective",
    "ContrastiveParts",
    "DecoderConfig",
    "DistillationObjective",
    "DistillationParts",
    "GlobalDecoder",
    "LocalDecoder",
    "Objective",
    "StepLoss",
]
