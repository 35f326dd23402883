"""The one loop of both stages: config, checkpoints, metrics, and the stages opened again. See docs/training.md."""

from training.loop.config import StageOneConfig, StageTwoConfig, TrainConfig, load_train_config
from training.loop.fit import TrainingStopped
from training.loop.launch import is_first_process
from training.loop.train import OtherTraining, read_summary, train
from training.loop.trained import StageOneModel, StageTwoModel, open_encoder, open_stage_one, open_stage_two

__all__ = [
    "OtherTraining",
    "StageOneConfig",
    "StageOneModel",
    "StageTwoConfig",
    "StageTwoModel",
    "TrainConfig",
    "TrainingStopped",
    "is_first_process",
    "load_train_config",
    "open_encoder",
    "open_stage_one",
    "open_stage_two",
    "read_summary",
    "train",
]
