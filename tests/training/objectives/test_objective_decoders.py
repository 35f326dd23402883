"""The decoders: what is shuffled, what is not, and what may not matter."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from training.objectives.decoders import DecoderConfig, GlobalDecoder, LocalDecoder, shuffled_order

SIZE = DecoderConfig(width=8, heads=2, mlp_width=16, layers=2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


PLACES = torch.tensor([[1, 2, 5, 9]])


def order(clips: int, seed: int = 0) -> torch.Tensor:
    return shuffled_order([torch.Generator().manual_seed(seed * 1000 + clip) for clip in range(clips)], 10)


@pytest.fixture
def local() -> LocalDecoder:
    torch.manual_seed(0)
    return LocalDecoder(12, 10, SIZE).eval()


def test_it_predicts_every_place_from_few_visible_tokens(local: LocalDecoder) -> None:
    visible = torch.randn(3, 4, 12, generator=seeded())
    assert local(visible, PLACES.expand(3, -1), order(3)).shape == (3, 10, 12)
    assert LocalDecoder(12, 10, SIZE, predicted=5)(visible, PLACES.expand(3, -1)).shape == (3, 10, 5)


def test_an_order_is_a_permutation_for_each_clip() -> None:
    found = order(50)
    assert all(sorted(row) == list(range(10)) for row in found.tolist())
    assert found.unique(dim=0).shape[0] > 40


def test_positions_stay_where_content_moves(local: LocalDecoder) -> None:
    # Attention does not see an order, so content moved along with its position would give moved outputs. Positions are
    # added after the shuffle: slot i keeps position i, and a mere move of the content changes what slots say.
    visible = torch.randn(1, 10, 12, generator=seeded())
    plain, moved = torch.arange(10)[None], torch.arange(10).roll(3)[None]
    outputs, shifted = local(visible, plain), local(visible, plain, moved)
    assert torch.equal(outputs, local(visible, plain, plain))
    assert not torch.allclose(outputs[:, moved[0]], shifted, atol=1e-4)
    with torch.no_grad():
        local.position_embeddings.zero_()
    assert torch.allclose(local(visible, plain)[:, moved[0]], local(visible, plain, moved), atol=1e-5)


class Passes(nn.Module):
    """A layer that leaves everything as it is."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x


def test_slot_i_gets_what_stands_at_place_order_i_and_the_position_of_place_i() -> None:
    decoder = LocalDecoder(2, 4, DecoderConfig(width=2, heads=1, mlp_width=2, layers=1))
    for name in ("project_in", "layernorm", "project_out"):
        decoder.register_module(name, Passes())
    decoder.layers = nn.ModuleList([Passes()])
    with torch.no_grad():
        decoder.mask_token.fill_(100)
        decoder.position_embeddings.copy_(torch.tensor([[[0.0, 1], [0, 2], [0, 3], [0, 4]]]))
    visible, places = torch.tensor([[[10.0, 0], [30, 0]]]), torch.tensor([[0, 2]])
    assert decoder(visible, places)[0].tolist() == [[10, 1], [100, 102], [30, 3], [100, 104]]
    shuffled = decoder(visible, places, torch.tensor([[2, 3, 0, 1]]))
    assert shuffled[0].tolist() == [[30, 1], [100, 102], [10, 3], [100, 104]]


def test_mask_tokens_stand_for_what_is_not_visible(local: LocalDecoder) -> None:
    visible, drawn = torch.randn(1, 4, 12, generator=seeded()), order(1, 1)
    swapped = drawn.clone()
    masks = (~torch.isin(drawn[0], PLACES[0])).nonzero()[:2, 0]
    swapped[0, masks] = drawn[0, masks.flip(0)]
    assert torch.equal(local(visible, PLACES, drawn), local(visible, PLACES, swapped))


def test_orders_and_places_of_another_length_are_refused(local: LocalDecoder) -> None:
    with pytest.raises(ValueError, match=r"order is \(1, 9\); allowed: \(1, 10\); give a permutation a clip"):
        local(torch.zeros(1, 4, 12), PLACES, torch.zeros(1, 9, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"places is \(1, 4\); allowed: \(1, 3\); give a place a token"):
        local(torch.zeros(1, 3, 12), PLACES)


def test_the_global_one_sees_a_set() -> None:
    torch.manual_seed(0)
    decoder = GlobalDecoder(12, 2, SIZE).eval()
    visible = torch.randn(2, 5, 12, generator=seeded())
    assert decoder(visible).shape == (2, 12)
    assert torch.allclose(decoder(visible), decoder(visible.flip(1)), atol=1e-5)


def test_sizes_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: a multiple of heads"):
        DecoderConfig(width=10, heads=4)
