"""The exported folder: equal outputs in transformers, both ways, and refusals of other folders."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from transformers import VideoPrismVisionConfig, VideoPrismVisionModel

from training.model import EncoderConfig, VideoEncoder, export_encoder, load_encoder

SMALL = EncoderConfig(frames=4, image_px=54, width=24, heads=2, mlp_width=40, spatial_layers=2, temporal_layers=1)


def shaken(config: EncoderConfig) -> VideoEncoder:
    """A model in which every weight is random, norms and biases too."""
    torch.manual_seed(3)
    model = VideoEncoder(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


@pytest.mark.parametrize("shape", [(2, 4, 54, 54, 3), (1, 7, 90, 90, 3), (1, 3, 36, 36, 3)])
def test_transformers_opens_an_export_with_equal_outputs(tmp_path: Path, shape: tuple[int, ...]) -> None:
    model, frames = shaken(SMALL), torch.rand(shape)
    export_encoder(model, tmp_path)
    other, info = VideoPrismVisionModel.from_pretrained(tmp_path, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    with torch.no_grad():
        theirs = other.eval()(pixel_values_videos=frames.permute(0, 1, 4, 2, 3), interpolate_pos_encoding=True)
        ours = model(frames).tokens
    assert (theirs.last_hidden_state - ours).abs().max() < 2e-5


def test_a_folder_of_transformers_opens_here_with_equal_outputs(tmp_path: Path) -> None:
    torch.manual_seed(4)
    config = VideoPrismVisionConfig(
        hidden_size=24,
        num_attention_heads=2,
        intermediate_size=40,
        num_spatial_layers=1,
        num_temporal_layers=2,
        image_size=36,
        num_frames=3,
        tubelet_size=[1, 12, 12],
    )
    other = VideoPrismVisionModel(config).eval()
    other.save_pretrained(tmp_path)
    frames = torch.rand(2, 3, 36, 36, 3)
    with torch.no_grad():
        theirs = other(pixel_values_videos=frames.permute(0, 1, 4, 2, 3)).last_hidden_state
        ours = load_encoder(tmp_path)(frames).tokens
    assert (theirs - ours).abs().max() < 2e-5


def test_export_and_load_give_the_same_bits(tmp_path: Path) -> None:
    model = shaken(EncoderConfig.tiny())
    for name in ("first", "second"):
        export_encoder(model, tmp_path / name)
    loaded = load_encoder(tmp_path / "first")
    assert loaded.config == model.config
    assert all(torch.equal(weight, loaded.state_dict()[name]) for name, weight in model.state_dict().items())
    weights = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("first", "second")]
    assert weights[0] == weights[1]
    assert sorted(path.name for path in (tmp_path / "first").iterdir()) == ["config.json", "model.safetensors"]


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("model_type", "vit", "model_type is 'vit'"),
        ("hidden_act", "relu", "hidden_act is 'relu'"),
        ("tubelet_size", [2, 18, 18], "tubelet_size"),
        ("num_frames", 5, "temporal_embeddings.position_embeddings"),
        ("hidden_size", "24", "width is '24'"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(tmp_path: Path, key: str, value: object, said: str) -> None:
    export_encoder(shaken(SMALL), tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {key: value}))
    with pytest.raises(ValueError, match=said):
        load_encoder(tmp_path)


def test_broken_weights_are_refused(tmp_path: Path) -> None:
    export_encoder(shaken(SMALL), tmp_path)
    path = tmp_path / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(ValueError, match="cannot be read"):
        load_encoder(tmp_path)
