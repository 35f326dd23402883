"""The video encoder, the text tower and what goes between them. See docs/model.md."""

from training.model.config import EncoderConfig, TextConfig
from training.model.encoder import Encoded, VideoEncoder
from training.model.exchange import export_encoder, load_encoder
from training.model.layers import AttentionPool, set_recompute
from training.model.published import encoder_state, video_text_state
from training.model.text import TextTower
from training.model.video_text import VideoTextModel, VideoTower, unit_length

__all__ = [
    "AttentionPool",
    "Encoded",
    "EncoderConfig",
    "TextConfig",
    "TextTower",
    "VideoEncoder",
    "VideoTextModel",
    "VideoTower",
    "encoder_state",
    "export_encoder",
    "load_encoder",
    "set_recompute",
    "unit_length",
    "video_text_state",
]
