"""Sizes, refusals, position tables, token subsets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from training.loop.config import ENCODERS, TEXTS
from training.model import AttentionPool, EncoderConfig, TextConfig, VideoEncoder, VideoTextModel
from training.model.layers import Block, joint_linear, new_linear
from training.model.positions import resize_grid, resize_line, resize_weights


@pytest.mark.parametrize(
    ("preset", "encoder", "both"),
    [
        ("tiny", 692_256, 1_485_600),
        ("small", 1_220_480, 2_540_416),
        ("base", 114_365_184, 247_623_424),  # as published
        ("large", 353_965_056, 579_877_120),  # published: 354M, 580M
        ("giant", 1_112_755_072, 1_620_983_904),
    ],
)
def test_presets_have_their_numbers_of_parameters(preset: str, encoder: int, both: int) -> None:
    video, text = getattr(EncoderConfig, preset)(), getattr(TextConfig, preset)()
    with torch.device("meta"):
        alone, together = VideoEncoder(video), VideoTextModel(video, text)
    assert sum(weight.numel() for weight in alone.parameters()) == encoder
    assert sum(weight.numel() for weight in together.parameters()) == both


def test_every_preset_can_be_trained() -> None:
    assert set(ENCODERS) == set(TEXTS) == {"tiny", "small", "base", "large", "giant"}
    assert (EncoderConfig.giant().heads, EncoderConfig.giant().spatial_layers) == (16, 40)
    assert [ENCODERS[name]().width for name in ENCODERS] == [TEXTS[name]().width for name in TEXTS]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"width": 0}, "width is 0; allowed: integers from 1"),
        ({"frames": True}, "frames is True"),
        ({"heads": 5}, "allowed: a multiple of heads"),
        ({"image_px": 33}, "give 32"),
        ({"logit_cap": float("nan")}, "logit_cap is nan"),
        ({"logit_cap": 0}, "or None for no cap"),
    ],
)
def test_encoder_sizes_are_refused_with_what_is_allowed(change: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        replace(EncoderConfig.tiny(), **change)


def test_text_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="even numbers from 4"):
        replace(TextConfig.tiny(), width=95, heads=5)
    with pytest.raises(ValueError, match="equal widths"):
        VideoTextModel(EncoderConfig.tiny(), replace(TextConfig.tiny(), width=48))


@pytest.mark.parametrize("new", [2, 3, 4, 5, 9])
def test_resizing_a_square_table_equals_anti_aliased_bilinear(new: int) -> None:
    table = torch.randn(16, 6)
    image = table.T.reshape(1, 6, 4, 4)
    wanted = torch.nn.functional.interpolate(image, size=(new, new + 1), mode="bilinear", antialias=True)
    assert torch.allclose(resize_grid(table, 4, (new, new + 1)), wanted[0].flatten(1).T, atol=1e-6)


def test_resizing_keeps_constants_and_leaves_an_equal_size_alone() -> None:
    table = torch.randn(8, 3)
    assert resize_line(table, 8) is table
    assert torch.allclose(resize_weights(8, 5).sum(1), torch.ones(5))
    assert torch.allclose(resize_line(torch.ones(8, 3), 13), torch.ones(13, 3))


def test_a_token_subset_has_its_shape_and_drops_work(monkeypatch: pytest.MonkeyPatch) -> None:
    lengths: list[tuple[int, ...]] = []
    plain = Block.forward

    def watched(self: Block, x: torch.Tensor, visible: torch.Tensor | None = None) -> torch.Tensor:
        lengths.append(tuple(x.shape))
        return plain(self, x, visible)

    monkeypatch.setattr(Block, "forward", watched)
    model = VideoEncoder(EncoderConfig.tiny())
    keep = torch.stack([torch.randperm(16)[:6] for _ in range(2)])
    encoded = model(torch.rand(2, 8, 32, 32, 3), keep)
    assert encoded.tokens.shape == encoded.spatial.shape == (2, 48, 96)
    assert lengths == [(16, 6, 96)] * 4 + [(12, 8, 96)] * 2


def test_keeping_all_tokens_in_another_order_only_reorders() -> None:
    model, frames = VideoEncoder(EncoderConfig.tiny()).eval(), torch.rand(1, 8, 32, 32, 3)
    order = torch.randperm(16)
    with torch.no_grad():
        whole, shuffled = model(frames).tokens, model(frames, order[None]).tokens
    assert torch.allclose(whole.view(1, 8, 16, 96)[:, :, order], shuffled.view(1, 8, 16, 96), atol=1e-5)


def test_a_dropped_patch_is_not_looked_at() -> None:
    model, frames = VideoEncoder(EncoderConfig.tiny()).eval(), torch.rand(1, 8, 32, 32, 3)
    changed = frames.clone()
    changed[:, :, :8, :8] = 0.0  # patch 0
    keep = torch.arange(1, 16)[None]
    assert torch.equal(model(frames, keep).tokens, model(changed, keep).tokens)
    assert not torch.equal(model(frames).tokens, model(changed).tokens)


@pytest.mark.parametrize(
    ("keep", "said"),
    [
        (torch.tensor([[0, 16]]), "allowed: 0 to 15"),
        (torch.tensor([[0.0]]), "allowed: torch.int64"),
        (torch.tensor([0]), "keep has shape"),
    ],
)
def test_a_wrong_subset_is_refused(keep: torch.Tensor, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        VideoEncoder(EncoderConfig.tiny())(torch.rand(1, 8, 32, 32, 3), keep)


@pytest.mark.parametrize("shape", [(8, 32, 32, 3), (1, 8, 3, 32, 32), (1, 8, 30, 32, 3)])
def test_wrong_frames_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="frames"):
        VideoEncoder(EncoderConfig.tiny())(torch.rand(shape))


def test_padding_and_what_stands_in_it_change_no_text() -> None:
    model = VideoTextModel(EncoderConfig.tiny(), TextConfig.tiny()).eval()
    ids, paddings = torch.tensor([[5, 6, 7, 0, 0]]), torch.tensor([[0, 0, 0, 1, 1]])
    with torch.no_grad():
        short = model.embed_text(ids[:, :3], paddings[:, :3])
        long = model.embed_text(ids + 9 * paddings, paddings)
    assert torch.allclose(short, long, atol=1e-6)
    assert torch.allclose(long.norm(dim=-1), torch.ones(1))


def test_layers_by_one_product_are_the_layers_in_their_order() -> None:
    torch.manual_seed(0)
    layers = [new_linear(6, 4) for _ in range(3)]
    for layer in layers:
        torch.nn.init.normal_(layer.bias)
    x = torch.randn(2, 5, 6)
    for found, layer in zip(joint_linear(x, *layers), layers, strict=True):
        torch.testing.assert_close(found, layer(x))


def test_every_weight_gets_a_gradient() -> None:
    model = VideoTextModel(EncoderConfig.tiny(), TextConfig.tiny())
    video, text = model(torch.rand(2, 8, 32, 32, 3), torch.tensor([[3, 4], [5, 6]]), torch.zeros(2, 2))
    (video * text).sum().backward()
    assert [name for name, weight in model.named_parameters() if weight.grad is None] == []
    assert AttentionPool(96, 4, 96)(torch.rand(2, 5, 96)).shape == (2, 96)
