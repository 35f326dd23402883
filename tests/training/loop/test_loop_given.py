"""What a stage 1 brings along: a tokenizer and first weights, used from the first step, kept in its checkpoints."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import open_clip
import pytest
import torch
from safetensors.torch import save_file

from schemas.config_file import ConfigError
from tests.training.data.small_spm import spm_file
from tests.training.loop.loop_builders import silent, stage_one
from training.loop import StageOneConfig, load_train_config, open_stage_one, train
from training.loop.given import given_tokenizer, start_encoder
from training.loop.options import InitConfig, TokenizerConfig
from training.loop.train import OtherTraining
from training.model import EncoderConfig, VideoEncoder, export_encoder

TINY = EncoderConfig.tiny()
VISION = {"image_size": 32, "patch_size": 8, "width": 96, "layers": 4, "head_width": 24, "mlp_ratio": 4.0}
TEXT = {"context_length": 8, "vocab_size": 49408, "width": 16, "heads": 2, "layers": 1}


def clip_folder(folder: Path) -> Path:
    """A small open_clip model with an image tower of the tiny encoder's size."""
    torch.manual_seed(2)
    model = open_clip.CLIP(embed_dim=8, vision_cfg=VISION, text_cfg=TEXT)
    folder.mkdir()
    sizes = {"model_cfg": {"embed_dim": 8, "vision_cfg": VISION, "text_cfg": TEXT}}
    look = {"size": 32, "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25]}
    (folder / "open_clip_config.json").write_text(json.dumps(sizes | {"preprocess_cfg": look}))
    save_file(
        {name: value.contiguous() for name, value in model.state_dict().items()}, folder / "open_clip_model.safetensors"
    )
    return folder


def test_the_image_tower_of_a_folder_becomes_the_spatial_transformer(tmp_path: Path) -> None:
    folder = clip_folder(tmp_path / "clip")
    encoder = VideoEncoder(TINY)
    start_encoder(encoder, InitConfig(open_clip=str(folder)))
    visual = open_clip.create_model(f"local-dir:{folder}").visual
    layer, source = encoder.spatial_layers[3], visual.transformer.resblocks[3]
    assert torch.equal(layer.mlp.fc1.weight, source.mlp.c_fc.weight)
    assert torch.allclose(layer.attention.v_proj.weight, source.attn.in_proj_weight[192:])


@pytest.mark.parametrize(
    ("init", "said"),
    [
        (InitConfig(encoder="absent"), "init: absent/config.json: cannot be read"),
        (InitConfig(open_clip="ViT-B-32"), "no weights are named"),
        (InitConfig(open_clip="ViT-B-32", weights="absent.safetensors"), "cannot be loaded"),
        (InitConfig(open_clip="world_clip"), "the image tower is a"),
    ],
)
def test_what_is_not_there_or_does_not_fit_is_said(init: InitConfig, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        start_encoder(VideoEncoder(TINY), init)


@pytest.mark.parametrize("name", ["words.model", "absent.model"])
def test_a_tokenizer_that_cannot_be_read_is_said(tmp_path: Path, name: str) -> None:
    (tmp_path / "words.model").write_bytes(b"\xff\xff")
    named = TokenizerConfig(sentencepiece=str(tmp_path / name))
    with pytest.raises(ConfigError, match=r"tokenizer: .*cannot be read"):
        given_tokenizer(stage_one(tmp_path, tmp_path / "out", tokenizer=named))


def test_training_starts_with_them_and_goes_on_without_them(world_run: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    earlier, words = VideoEncoder(TINY), spm_file(tmp_path)
    export_encoder(earlier, tmp_path / "earlier")
    given = {"tokenizer": {"sentencepiece": str(words)}, "init": {"encoder": str(tmp_path / "earlier")}}
    config = stage_one(world_run, tmp_path / "out", steps=2, checkpoint_every=1, **given)
    train(config, silent)
    whole = open_stage_one(tmp_path / "out")
    name = "spatial_layers.0.mlp.fc1.weight"
    # two steps of 1e-3 have not moved it far
    assert (whole.encoder.state_dict()[name] - earlier.state_dict()[name]).abs().max() < 5e-3
    assert whole.model.text_model.config.vocabulary == 11
    assert whole.tokenizer(["Red DOGS!"])[0].tolist() == [[5, 8, 9, 4]]
    shutil.rmtree(tmp_path / "earlier")
    words.unlink()
    shutil.rmtree(tmp_path / "out" / "checkpoints" / "step-00000002")
    (tmp_path / "out" / "summary.json").unlink()
    train(load_train_config(tmp_path / "out"), silent)
    assert open_stage_one(tmp_path / "out").weights_sha256 == whole.weights_sha256
    with pytest.raises(OtherTraining, match="other config"):
        train(stage_one(world_run, tmp_path / "out", steps=2, checkpoint_every=1, tokenizer=given["tokenizer"]), silent)


def config_file(folder: Path, keys: str) -> Path:
    (folder / "run").mkdir(exist_ok=True)
    path = folder / "stage1.yaml"
    path.write_text(f"stage: 1\nrun: run\nsteps: 1\nbatch_size: 2\noptimiser: {{peak_lr: 0.1}}\n{keys}\n")
    return path


def test_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "vit.safetensors").touch()
    config = load_train_config(config_file(tmp_path, "tokenizer: {sentencepiece: a.model}\ninit: {encoder: old}"))
    assert isinstance(config, StageOneConfig)
    assert config.tokenizer == TokenizerConfig(sentencepiece=str(tmp_path / "a.model"))
    assert config.init == InitConfig(encoder=str(tmp_path / "old"))
    for given, wanted in (("vit.safetensors", str(tmp_path / "vit.safetensors")), ("laion2b_s34b_b79k",) * 2):
        config = load_train_config(config_file(tmp_path, f"init: {{open_clip: ViT-B-32, weights: {given}}}"))
        assert isinstance(config, StageOneConfig)
        assert config.init == InitConfig(open_clip="ViT-B-32", weights=wanted)


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ("tokenizer: {}", "nothing is given; allowed: exactly one of sentencepiece, open_clip"),
        ("init: {encoder: a, open_clip: b}", "encoder and open_clip is given"),
        ("init: {encoder: a, weights: b}", "weights is of open_clip"),
    ],
)
def test_other_keys_are_refused(tmp_path: Path, keys: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        load_train_config(config_file(tmp_path, keys))
