"""The decoders: what is shuffled, what is not, and what may not matter."""

from __future__ import annotations

import pytest
import torch

from training.objectives.decoders import DecoderConfig, GlobalDecoder, LocalDecoder, shuffled_order

SIZE = DecoderConfig(width=8, heads=2, mlp_width=16, layers=2)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def local() -> LocalDecoder:
    torch.manual_seed(0)
    return LocalDecoder(12, 10, SIZE).eval()


def test_it_predicts_every_place_from_few_visible_tokens(local: LocalDecoder) -> None:
    visible = torch.randn(3, 4, 12, generator=seeded())
    assert local(visible, shuffled_order(3, 10, seeded())).shape == (3, 10, 12)


def test_an_order_is_a_permutation_for_each_clip() -> None:
    order = shuffled_order(50, 10, seeded())
    assert all(sorted(row) == list(range(10)) for row in order.tolist())
    assert order.unique(dim=0).shape[0] > 40


def test_positions_stay_where_content_moves(local: LocalDecoder) -> None:
    # Attention does not see an order, so content moved along with its position would give moved outputs. Positions are
    # added after the shuffle: slot i keeps position i, and a mere move of the content changes what slots say.
    visible = torch.randn(1, 10, 12, generator=seeded())
    plain, moved = torch.arange(10)[None], torch.arange(10).roll(3)[None]
    outputs, shifted = local(visible, plain), local(visible, moved)
    assert not torch.allclose(outputs[:, moved[0]], shifted, atol=1e-4)
    with torch.no_grad():
        local.position_embeddings.zero_()
    assert torch.allclose(local(visible, plain)[:, moved[0]], local(visible, moved), atol=1e-5)


def test_mask_tokens_stand_for_what_is_not_visible(local: LocalDecoder) -> None:
    visible = torch.randn(1, 4, 12, generator=seeded())
    order = shuffled_order(1, 10, seeded(1))
    swapped = order.clone()
    masks = (order[0] >= 4).nonzero()[:2, 0]
    swapped[0, masks] = order[0, masks.flip(0)]
    assert torch.equal(local(visible, order), local(visible, swapped))


def test_an_order_of_another_length_is_refused(local: LocalDecoder) -> None:
    with pytest.raises(ValueError, match=r"allowed: \(1, 10\); give a permutation a clip"):
        local(torch.zeros(1, 4, 12), torch.zeros(1, 9, dtype=torch.int64))


def test_the_global_one_sees_a_set() -> None:
    torch.manual_seed(0)
    decoder = GlobalDecoder(12, 2, SIZE).eval()
    visible = torch.randn(2, 5, 12, generator=seeded())
    assert decoder(visible).shape == (2, 12)
    assert torch.allclose(decoder(visible), decoder(visible.flip(1)), atol=1e-5)


def test_sizes_that_cannot_be_built_are_refused() -> None:
    with pytest.raises(ValueError, match="allowed: a multiple of heads"):
        DecoderConfig(width=10, heads=4)
