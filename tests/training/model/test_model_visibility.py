"""Ragged visibility and padding frames: as if what is hidden did not exist."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from training.model import AttentionPool, EncoderConfig, TextConfig, VideoEncoder, VideoTextModel
from training.model.encoder import cut_patches
from training.model.packing import Packing
from training.model.video_text import VideoTower

SMALL = EncoderConfig(
    frames=4, image_px=24, patch_px=8, width=24, heads=2, mlp_width=40, spatial_layers=2, temporal_layers=2
)

Reference = Callable[[VideoEncoder, Tensor, Tensor], Tensor]


def shaken(config: EncoderConfig = SMALL) -> VideoEncoder:
    """A model in which every weight is random, norms and biases too."""
    torch.manual_seed(3)
    model = VideoEncoder(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    return model


def ragged(kind: str) -> Tensor:
    """Masks of 2 clips, 4 frames, 9 patches."""
    generator = torch.Generator().manual_seed(5)
    visible = torch.rand(2, 4, 9, generator=generator) < 0.4
    visible[:, 0, 0] = True
    if kind == "whole frames":  # as BEVT's: some frames whole, one block in all others
        visible = torch.zeros(2, 4, 9, dtype=torch.bool)
        visible[0, 1:3], visible[1, 0] = True, True
        visible[0, 0, :2], visible[0, 3, :2], visible[1, 1:, 4:7] = True, True, True
    if kind == "empty frame, empty position":
        visible[:, 2], visible[:, :, 3] = False, False
    return visible


def one_by_one(model: VideoEncoder, frames: Tensor, visible: Tensor) -> Tensor:
    """Encode without masks: each frame's visible tokens alone, then each position's -> [B, T*N, D], 0 where hidden."""
    pixels = cut_patches(frames, model.config.patch_px)
    embedded = model.spatial_embeddings(pixels, (3, 3), None)
    spatial = torch.zeros_like(embedded)
    for clip, frame in visible.any(2).nonzero().tolist():
        seen = visible[clip, frame]
        spatial[clip, frame, seen] = model._over_space(embedded[clip, frame, seen][None, None])[0, 0]
    table = model.temporal_embeddings.position_embeddings[0]
    tokens = torch.zeros_like(spatial)
    for clip, place in visible.any(1).nonzero().tolist():
        seen = visible[clip, :, place]
        x = (spatial[clip, seen, place] + table[seen])[None]
        for layer in model.temporal_layers:
            x = layer(x)
        tokens[clip, seen, place] = model.layernorm2(x)[0]
    return tokens.flatten(1, 2)


def all_with_masks(model: VideoEncoder, frames: Tensor, visible: Tensor) -> Tensor:
    """Encode every token, hidden ones too, with the masks in the attentions alone -> [B, T*N, D], 0 where hidden."""
    x = model.spatial_embeddings(cut_patches(frames, model.config.patch_px), (3, 3), None).flatten(0, 1)
    for layer in model.spatial_layers:
        x = layer(x, visible.flatten(0, 1)[:, None, None, :])
    x = model.layernorm1(x).unflatten(0, visible.shape[:2]).transpose(1, 2).flatten(0, 1)
    x = model.temporal_embeddings(x)
    for layer in model.temporal_layers:
        x = layer(x, visible.transpose(1, 2).flatten(0, 1)[:, None, None, :])
    x = model.layernorm2(x).unflatten(0, (visible.shape[0], -1)).transpose(1, 2).flatten(1, 2)
    return x * visible.flatten(1)[..., None]


@pytest.mark.parametrize("cap", [50.0, None])
@pytest.mark.parametrize("kind", ["scattered", "whole frames", "empty frame, empty position"])
@pytest.mark.parametrize("reference", [one_by_one, all_with_masks])
def test_a_ragged_mask_is_exact_in_both_attentions(reference: Reference, kind: str, cap: float | None) -> None:
    model, frames, visible = shaken(replace(SMALL, logit_cap=cap)), torch.rand(2, 4, 24, 24, 3), ragged(kind)
    with torch.no_grad():
        found = model(frames, visible=visible).tokens
        wanted = reference(model, frames, visible)
    assert (found - wanted).abs().max() < 2e-6
    assert not found[~visible.flatten(1)].any()


def test_gradients_are_those_of_the_reference() -> None:
    model, frames, visible = shaken(), torch.rand(2, 4, 24, 24, 3), ragged("whole frames")
    found, wanted = [], []
    for way, kept in (
        (lambda: model(frames, visible=visible).tokens, found),
        (lambda: one_by_one(model, frames, visible), wanted),
    ):
        model.zero_grad()
        way().square().sum().backward()
        kept.extend(weight.grad.clone() for weight in model.parameters() if weight.grad is not None)
    assert len(found) == len(wanted) == len(list(model.parameters()))
    # those of key biases are next to nothing, so all are held against the largest
    largest = max(float(gradient.abs().max()) for gradient in wanted)
    assert all((a - b).abs().max() < 2e-6 * largest for a, b in zip(found, wanted, strict=True))


def test_all_visible_is_no_mask_and_equal_frames_are_tubes() -> None:
    model, frames = shaken(), torch.rand(2, 4, 24, 24, 3)
    keep = torch.tensor([[0, 4, 7], [1, 2, 8]])
    tubes = torch.zeros(2, 9, dtype=torch.bool).scatter_(1, keep, True)[:, None].repeat(1, 4, 1)
    with torch.no_grad():
        assert (
            model(frames, visible=torch.ones(2, 4, 9, dtype=torch.bool)).tokens - model(frames).tokens
        ).abs().max() < 2e-6
        masked, dropped = model(frames, visible=tubes), model(frames, keep)
    for found, wanted in zip(masked, dropped, strict=True):
        assert (found[tubes.flatten(1)].view(2, 12, 24) - wanted).abs().max() < 2e-6


def test_hidden_pixels_are_not_looked_at() -> None:
    model, frames, visible = shaken(), torch.rand(2, 4, 24, 24, 3), ragged("scattered")
    visible[0, 1, 0] = False
    changed = frames.clone()
    changed[0, 1, :8, :8] = float("nan")
    assert torch.equal(model(frames, visible=visible).tokens, model(changed, visible=visible).tokens)


@pytest.mark.parametrize("keep", [None, torch.tensor([[0, 4, 7], [1, 2, 8]])])
def test_padding_frames_change_nothing(keep: Tensor | None) -> None:
    tower, frames = VideoTower(SMALL), torch.rand(2, 4, 24, 24, 3)
    padded = torch.cat([frames, torch.full((2, 2, 24, 24, 3), float("nan"))], dim=1)
    paddings = torch.tensor([[0, 0, 0, 0, 1, 1]]).repeat(2, 1)
    tower.vision_model = shaken(replace(SMALL, frames=6))
    state = tower.state_dict()
    times = "vision_model.temporal_embeddings.position_embeddings"
    shorter = VideoTower(SMALL)
    shorter.load_state_dict(state | {times: state[times][:, :4]})
    with torch.no_grad():
        tokens = tower.vision_model(padded, keep, frame_paddings=paddings).tokens
        wanted = shorter.vision_model(frames, keep).tokens
        pooled, whole = tower(padded, keep, frame_paddings=paddings), shorter(frames, keep)
    assert (tokens[:, : wanted.shape[1]] - wanted).abs().max() < 2e-6
    assert not tokens[:, wanted.shape[1] :].any()
    assert (pooled - whole).abs().max() < 2e-6


def test_clips_of_different_lengths_share_a_batch() -> None:
    model = VideoTextModel(
        SMALL, TextConfig(vocabulary=9, max_tokens=4, width=24, heads=2, mlp_width=40, layers=1)
    ).eval()
    frames, paddings = torch.rand(2, 4, 24, 24, 3), torch.tensor([[0, 0, 0, 0], [0, 0, 0, 1]])
    with torch.no_grad():
        both = model.embed_video(frames, frame_paddings=paddings)
        alone = [model.embed_video(frames[i : i + 1], frame_paddings=paddings[i : i + 1]) for i in range(2)]
    assert (both - torch.cat(alone)).abs().max() < 2e-6
    assert (both[0] - model.embed_video(frames[:1])[0]).abs().max() < 2e-6


def test_pooling_looks_at_present_tokens_alone() -> None:
    torch.manual_seed(0)
    pool, tokens = AttentionPool(8, 2, 16), torch.randn(2, 5, 8)
    present = torch.tensor([[1, 1, 0, 1, 0], [0, 1, 0, 0, 0]]).bool()
    found = pool(tokens, present)
    assert torch.allclose(found[0], pool(tokens[:1, [0, 1, 3]])[0], atol=1e-6)
    assert torch.allclose(found[1], pool(tokens[1:, [1]])[0], atol=1e-6)


def test_packing_spreads_and_collects() -> None:
    packing = Packing.of(torch.tensor([[True, False, True], [False, True, False]]))
    tokens = torch.tensor([[1.0], [2.0], [3.0]])
    assert packing.slots.tolist() == [0, 2, 4]
    assert packing.spread(tokens).tolist() == [[[1.0], [0.0], [2.0]], [[0.0], [3.0], [0.0]]]
    assert torch.equal(packing.collect(packing.spread(tokens)), tokens)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"visible": torch.ones(2, 4, 8, dtype=torch.bool)}, r"visible has shape \(2, 4, 8\); allowed: \(2, 4, 9\)"),
        ({"visible": torch.ones(2, 4, 9)}, "visible is torch.float32; allowed: torch.bool"),
        ({"visible": torch.zeros(2, 4, 9, dtype=torch.bool)}, "hides all patches of a clip"),
        ({"frame_paddings": torch.zeros(2, 5)}, r"frame_paddings has shape \(2, 5\); allowed: \(2, 4\)"),
        ({"frame_paddings": torch.ones(2, 4)}, "hides all patches of a clip"),
        ({"visible": torch.ones(2, 4, 9, dtype=torch.bool), "keep": torch.zeros(2, 1).long()}, "allowed: one of them"),
    ],
)
def test_masks_that_do_not_fit_are_refused(given: dict[str, Tensor], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        VideoEncoder(SMALL)(torch.rand(2, 4, 24, 24, 3), **given)
