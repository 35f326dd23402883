"""The video encoder, the text tower and what goes between them. See docs/model.md."""

from training.model.classifier import VideoClassifier
from training.model.config import EncoderConfig, TextConfig
from training.model.encoder import Encoded, VideoEncoder
from training.model.exchange import export_encoder, export_model, load_encoder, load_model, load_video_text
from training.model.layers import AttentionPool, set_recompute
from training.model.published import classifier_state, encoder_state, video_text_state
from training.model.sizes import ModelSizes
from training.model.text import TextTower
from training.model.video_text import VideoTextModel, VideoTower, unit_length

__all__ = [
    "AttentionPool",
    "Encoded",
    "EncoderConfig",
    "ModelSizes",
    "TextConfig",
    "TextTower",
    "VideoClassifier",
    "VideoEncoder",
    "VideoTextModel",
    "VideoTower",
    "classifier_state",
    "encoder_state",
    "export_encoder",
    "export_model",
    "load_encoder",
    "load_model",
    "load_video_text",
    "set_recompute",
    "unit_length",
    "video_text_state",
]
