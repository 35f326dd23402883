"""Ways of running a model that must not change what it gives: recomputing, compiling, bfloat16, flex attention."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.nn.attention.flex_attention import flex_attention

from training.model import EncoderConfig, TextConfig, VideoEncoder, VideoTextModel, set_recompute
from training.model.attention import flex_capped, self_attention

TINY = EncoderConfig.tiny()


def clips() -> Tensor:
    return torch.rand(2, 8, 32, 32, 3, generator=torch.Generator().manual_seed(1))


def gradients(model: VideoEncoder, **given: Tensor) -> list[Tensor]:
    model.zero_grad()
    model(clips(), **given).tokens.square().sum().backward()
    return [weight.grad.clone() for weight in model.parameters() if weight.grad is not None]


def some_visible() -> Tensor:
    return torch.rand(2, 8, 16, generator=torch.Generator().manual_seed(2)) < 0.5


@pytest.mark.parametrize("given", [{}, {"visible": some_visible()}], ids=["all", "ragged"])
def test_recomputing_gives_the_same_bits_for_less_memory(given: dict[str, Tensor]) -> None:
    model = VideoEncoder(TINY)
    plain = gradients(model, **given)
    kept: list[int] = []

    def count(tensor: Tensor) -> Tensor:
        kept[-1] += tensor.numel()
        return tensor

    for on in (False, True):
        set_recompute(model, on)
        kept.append(0)
        with torch.autograd.graph.saved_tensors_hooks(count, lambda tensor: tensor):
            model(clips(), **given)
    assert all(torch.equal(a, b) for a, b in zip(plain, gradients(model, **given), strict=True))
    assert kept[1] < kept[0] / 3
    set_recompute(model, False)
    assert not any(getattr(module, "recompute", False) for module in model.modules())


@pytest.mark.parametrize("cap", [50.0, None])
def test_a_compiled_model_gives_the_same(cap: float | None) -> None:
    model = VideoTextModel(replace(TINY, logit_cap=cap), replace(TextConfig.tiny(), logit_cap=cap)).eval()
    compiled = torch.compile(model, backend="eager", fullgraph=True)
    keep, ids = torch.tensor([[0, 3, 5], [1, 2, 15]]), torch.tensor([[5, 6, 7], [8, 0, 0]])
    with torch.no_grad():
        for found, wanted in zip(
            compiled(clips(), ids, ids == 0, keep), model(clips(), ids, ids == 0, keep), strict=True
        ):
            assert (found - wanted).abs().max() < 2e-6


def test_a_compiled_model_takes_ragged_masks() -> None:
    model = VideoEncoder(TINY).eval()
    compiled = torch.compile(model, backend="eager")
    with torch.no_grad():
        found, wanted = compiled(clips(), visible=some_visible()), model(clips(), visible=some_visible())
    assert (found.tokens - wanted.tokens).abs().max() < 2e-6


@pytest.mark.slow
def test_a_model_compiled_to_machine_code_trains_the_same() -> None:
    model = VideoEncoder(replace(TINY, spatial_layers=1, temporal_layers=1))
    plain = gradients(model)
    model.zero_grad()
    torch.compile(model)(clips()).tokens.square().sum().backward()
    largest = max(float(gradient.abs().max()) for gradient in plain)
    for found, wanted in zip(model.parameters(), plain, strict=True):
        assert found.grad is not None
        assert (found.grad - wanted).abs().max() < 1e-5 * largest


@pytest.mark.parametrize("given", [{}, {"visible": some_visible()}], ids=["all", "ragged"])
@pytest.mark.parametrize("cap", [50.0, None])
def test_bfloat16_products_stay_near_float32(given: dict[str, Tensor], cap: float | None) -> None:
    torch.manual_seed(0)
    model = VideoEncoder(replace(TINY, logit_cap=cap))
    with torch.no_grad():
        wanted = model(clips(), **given).tokens
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = model(clips(), **given).tokens
    found.square().sum().backward()
    assert found.dtype == torch.float32
    assert (found - wanted).norm() < 0.02 * wanted.norm()
    assert all(weight.grad is not None and weight.grad.isfinite().all() for weight in model.parameters())


def test_without_a_cap_logits_are_plain_and_with_one_they_are_not() -> None:
    query, key, value = (torch.randn(2, 3, 5, 4, generator=torch.Generator().manual_seed(i)) * 3 for i in range(3))
    plain = (query @ key.transpose(-1, -2)).softmax(-1) @ value
    assert torch.allclose(self_attention(query, key, value, None), plain, atol=1e-5)
    assert torch.allclose(self_attention(query, key, value, 1e4), plain, atol=1e-3)
    assert not torch.allclose(self_attention(query, key, value, 5.0), plain, atol=1e-2)


@pytest.mark.parametrize("hidden", [False, True])
def test_flex_attention_gives_what_the_plain_one_gives(hidden: bool) -> None:
    query, key, value = (torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(i)) for i in range(3))
    visible = None
    if hidden:
        visible = torch.rand(2, 1, 1, 16, generator=torch.Generator().manual_seed(4)) < 0.5
    with torch.no_grad():
        found = flex_capped(flex_attention, (query, key, value), 5.0, visible)
    assert torch.allclose(found, self_attention(query, key, value, 5.0, visible), atol=1e-5)


@pytest.mark.parametrize("cap", [5.0, None])
def test_a_row_that_sees_nothing_is_finite_and_so_is_its_gradient(cap: float | None) -> None:
    query, key, value = (torch.randn(2, 1, 3, 4, requires_grad=True) for _ in range(3))
    visible = torch.tensor([True, False]).view(2, 1, 1, 1).expand(2, 1, 1, 3)
    mixed = self_attention(query, key, value, cap, visible)
    mixed[0].sum().backward()
    assert mixed.isfinite().all()
    assert all(part.grad is not None and part.grad.isfinite().all() for part in (query, key, value))
