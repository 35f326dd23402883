"""Our models against arrays that the published JAX code computed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from training.model import EncoderConfig, TextConfig, VideoEncoder, VideoTextModel, encoder_state, video_text_state

ORACLE = Path(__file__).resolve().parents[4] / "shared" / "oracle"
TOLERANCE = 2e-5
pytestmark = pytest.mark.skipif(not (ORACLE / "encoder_io.npz").exists(), reason=f"no published arrays at {ORACLE}")

VIDEO = EncoderConfig(frames=8, image_px=72, width=48, heads=4, mlp_width=96, spatial_layers=3, temporal_layers=2)
TEXT = TextConfig(vocabulary=100, width=48, heads=4, mlp_width=192, layers=3)


@pytest.mark.parametrize("case", ["same", "up", "down", "frames16", "frames5"])
def test_the_encoder_equals_the_published_code(case: str) -> None:
    model = VideoEncoder(VIDEO).eval()
    model.load_state_dict(encoder_state(np.load(ORACLE / "encoder_params.npz"), VIDEO))
    arrays = np.load(ORACLE / "encoder_io.npz")
    with torch.no_grad():
        tokens, spatial = model(torch.from_numpy(arrays[f"{case}/input"]))
    assert np.abs(tokens.numpy() - arrays[f"{case}/output"]).max() < TOLERANCE
    assert np.abs(spatial.numpy() - arrays[f"{case}/spatial_features"]).max() < TOLERANCE


def test_the_video_text_model_equals_the_published_code() -> None:
    model = VideoTextModel(VIDEO, TEXT).eval()
    model.load_state_dict(video_text_state(np.load(ORACLE / "lvt_params.npz"), VIDEO, TEXT))
    arrays = np.load(ORACLE / "lvt_io.npz")
    with torch.no_grad():
        video, text = model(*(torch.from_numpy(arrays[name]) for name in ("video", "text_ids", "text_paddings")))
    assert np.abs(video.numpy() - arrays["video_embedding"]).max() < TOLERANCE
    assert np.abs(text.numpy() - arrays["text_embedding"]).max() < TOLERANCE
