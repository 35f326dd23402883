"""First weights from an earlier encoder or an open_clip image tower: the same computation, as far as there is one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from open_clip.transformer import VisionTransformer
from torch import Tensor

from training.model import EncoderConfig, VideoEncoder, export_encoder
from training.model.digest import weights_digest
from training.model.encoder import cut_patches
from training.model.starts import resize_patch, start_from_encoder, start_from_open_clip

SMALL = EncoderConfig(
    frames=4,
    image_px=24,
    patch_px=8,
    width=24,
    heads=2,
    mlp_width=48,
    spatial_layers=2,
    temporal_layers=1,
    logit_cap=None,
)


def image_tower(**change: Any) -> VisionTransformer:
    """A small one in which every weight is random."""
    torch.manual_seed(1)
    sizes = {"image_size": 24, "patch_size": 8, "width": 24, "layers": 2, "heads": 2, "mlp_ratio": 2.0, "output_dim": 8}
    visual = VisionTransformer(**(sizes | change)).eval()
    visual.image_mean, visual.image_std = (0.5, 0.4, 0.3), (0.3, 0.2, 0.25)
    with torch.no_grad():
        for weight in visual.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return visual


def their_embeddings(visual: VisionTransformer, pictures: Tensor) -> Tensor:
    """[B, S, S, 3] in [0, 1] -> [B, N, D]: what goes into the first block, without the class token."""
    normal = (pictures - torch.tensor(visual.image_mean)) / torch.tensor(visual.image_std)
    tokens = visual.conv1(normal.permute(0, 3, 1, 2)).flatten(2).transpose(1, 2)
    return visual.ln_pre(tokens + visual.positional_embedding[1:])


def our_embeddings(model: VideoEncoder, pictures: Tensor) -> Tensor:
    patch = model.config.patch_px
    grid = (pictures.shape[1] // patch, pictures.shape[2] // patch)
    return model.spatial_embeddings(cut_patches(pictures[:, None], patch), grid, None)[:, 0]


@pytest.mark.parametrize("scales", [None, 0.5])
def test_blocks_and_embeddings_compute_what_open_clips_do(scales: float | None) -> None:
    visual, model = image_tower(no_ln_pre=True, ls_init_value=scales), VideoEncoder(SMALL)
    start_from_open_clip(model, visual)
    pictures = torch.rand(3, 24, 24, 3)
    with torch.no_grad():
        x = their_embeddings(visual, pictures)
        assert (our_embeddings(model, pictures) - x).abs().max() < 1e-5
        ours = model._over_space(x[:, None])[:, 0]
        assert (ours - visual.ln_post(visual.transformer(x))).abs().max() < 2e-4  # their norms add 1e-5, ours 1e-6


def test_a_first_norm_becomes_a_scale() -> None:
    visual, model = image_tower(), VideoEncoder(SMALL)
    start_from_open_clip(model, visual)
    cells = torch.rand(8, 3, 8, 8, generator=torch.Generator().manual_seed(9))
    pictures = F.interpolate(cells, size=24, mode="bilinear").permute(0, 2, 3, 1)
    with torch.no_grad():
        wanted, found = their_embeddings(visual, pictures), our_embeddings(model, pictures)
    spread = (wanted - visual.ln_pre.bias).norm()
    assert (found - wanted).norm() < 0.2 * spread
    assert F.cosine_similarity(found - visual.ln_pre.bias, wanted - visual.ln_pre.bias, dim=-1).min() > 0.999


def test_larger_patches_give_the_embeddings_of_the_smaller_picture() -> None:
    weight, small = torch.randn(5, 3, 4, 4), torch.rand(2, 3, 4, 4)
    # the same resizing as of position tables: aligned to pixel borders
    large = F.interpolate(small, size=7, mode="bilinear")
    wanted, found = F.conv2d(small, weight), F.conv2d(large, resize_patch(weight, 7))
    assert torch.allclose(found, wanted, atol=1e-4)
    assert resize_patch(weight, 4) is weight


def test_places_are_resized_to_the_models_grid() -> None:
    visual, model = image_tower(no_ln_pre=True), VideoEncoder(replace(SMALL, image_px=40))
    start_from_open_clip(model, visual)
    table = visual.positional_embedding.detach()[1:].T.reshape(1, 24, 3, 3)
    wanted = F.interpolate(table, size=5, mode="bilinear", antialias=True)[0].flatten(1).T
    assert torch.allclose(model.spatial_embeddings.position_embeddings[0], wanted, atol=1e-5)


@pytest.mark.parametrize(
    ("visual", "said"),
    [
        (lambda: image_tower(layers=3), "spatial_layers is 3; allowed: the model's 2"),
        (lambda: image_tower(width=16), "width is 16"),
        (lambda: image_tower(heads=4), "heads is 4"),
        (lambda: image_tower(block_type="custom", qk_norm=True), "plain blocks"),
        (lambda: torch.nn.Linear(2, 2), "the image tower is a Linear"),
    ],
)
def test_other_image_towers_are_refused(visual: Any, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        start_from_open_clip(VideoEncoder(SMALL), visual())


def test_an_earlier_encoder_is_taken_over_whole(tmp_path: Path) -> None:
    earlier, model = VideoEncoder(SMALL), VideoEncoder(SMALL)
    export_encoder(earlier, tmp_path)
    start_from_encoder(model, tmp_path)
    assert weights_digest(model) == weights_digest(earlier)


def test_an_earlier_encoder_of_other_frames_gives_what_fits(tmp_path: Path) -> None:
    torch.manual_seed(0)
    earlier, model = VideoEncoder(SMALL), VideoEncoder(replace(SMALL, frames=6, image_px=40, temporal_layers=2))
    export_encoder(earlier, tmp_path)
    before = model.temporal_layers[0].mlp.fc1.weight.detach().clone()
    start_from_encoder(model, tmp_path)
    frames = torch.rand(1, 6, 40, 40, 3)
    with torch.no_grad():
        assert (model(frames).spatial - earlier(frames).spatial).abs().max() < 1e-5
    assert torch.equal(model.temporal_layers[0].mlp.fc1.weight, before)


def test_an_encoder_of_another_size_is_refused(tmp_path: Path) -> None:
    export_encoder(VideoEncoder(SMALL), tmp_path)
    with pytest.raises(ValueError, match="patch_px is 8; allowed: the model's 4"):
        start_from_encoder(VideoEncoder(replace(SMALL, patch_px=4)), tmp_path)
    with pytest.raises(ValueError, match=r"config\.json: cannot be read"):
        start_from_encoder(VideoEncoder(SMALL), tmp_path / "absent")
