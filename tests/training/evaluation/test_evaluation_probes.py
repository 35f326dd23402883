"""Probes: the same function as attention pooling, able to learn, unable to invent."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch

from training.evaluation.probes import (
    Labelled,
    ProbeBank,
    ProbeBudget,
    accuracies,
    normalise,
    probe,
    train_banks,
)
from training.model import AttentionPool

BUDGET = ProbeBudget(seed=1, steps=150, batch=32, heads=2, rates=(1e-2,))
CLASSES = (4, 2)


def ignored(step: int) -> None:
    return None


def ordered(clips: int, seed: int) -> Labelled:
    """Four moments with a channel each; the first factor is when a fifth channel is on, the second which other one is.

    No mean over the moments tells the first factor.
    """
    rng = torch.Generator().manual_seed(seed)
    labels = torch.stack([torch.randint(count, (clips,), generator=rng) for count in CLASSES], dim=1)
    tokens = 0.1 * torch.randn(clips, 4, 10, generator=rng)
    rows = torch.arange(clips)
    tokens[:, range(4), range(4)] += 1
    tokens[rows, labels[:, 0], 4] += 1
    tokens[rows, 0, 5 + labels[:, 1]] += 1
    return Labelled(tokens, labels)


def test_pooling_equals_the_attention_pools_that_it_is_made_of() -> None:
    torch.manual_seed(3)
    bank = ProbeBank(6, (3, 5), heads=2)
    tokens = torch.randn(4, 7, 6)
    torch.manual_seed(3)
    pools = [AttentionPool(6, 2, 6) for _ in range(2)]
    for number, pool in enumerate(pools):
        # initial biases are zero: what they do would not be seen
        for weight in (pool.q_proj.bias, pool.k_proj.bias, pool.v_proj.bias, pool.o_proj.bias, pool.per_dim_scale):
            torch.nn.init.normal_(weight)
        for name, weight in (
            ("q_bias", pool.q_proj.bias),
            ("v_bias", pool.v_proj.bias),
            ("o_bias", pool.o_proj.bias),
            ("per_dim_scale", pool.per_dim_scale),
        ):
            getattr(bank, name).data[number] = weight.detach()
    wanted = torch.stack([pool(tokens) for pool in pools], dim=1)
    assert torch.allclose(bank.pool(tokens), wanted, atol=1e-5)
    assert wanted.std() > 0.1


def test_a_class_that_a_factor_lacks_is_never_guessed() -> None:
    bank = ProbeBank(6, (2, 5), heads=4)
    with torch.no_grad():
        bank.out_bias.fill_(1e6)
        bank.out_bias[:, :2] = 0
    assert set(bank(torch.randn(50, 3, 6))[:, 0].argmax(dim=-1).tolist()) <= {0, 1}


def test_probes_learn_what_only_the_order_tells() -> None:
    splits = ordered(512, 1), ordered(128, 2), ordered(256, 3)
    found = probe(splits, CLASSES, BUDGET, ignored)
    assert min(found) > 0.97


def test_a_mean_over_tokens_cannot_learn_it() -> None:
    splits = [ordered(512, 1), ordered(128, 2), ordered(256, 3)]
    means = [Labelled(split.tokens.mean(dim=1, keepdim=True), split.labels) for split in splits]
    order, channel = probe((means[0], means[1], means[2]), CLASSES, BUDGET, ignored)
    assert order < 0.36  # chance is 0.25
    assert channel > 0.97


def test_shuffled_labels_give_chance() -> None:
    train, validation, test = ordered(512, 1), ordered(128, 2), ordered(512, 3)
    rng = torch.Generator().manual_seed(9)
    shuffled = [
        Labelled(split.tokens, split.labels[torch.randperm(len(split.labels), generator=rng)])
        for split in (train, validation, test)
    ]
    order, channel = probe((shuffled[0], shuffled[1], shuffled[2]), CLASSES, BUDGET, ignored)
    # three standard errors of 512 clips
    assert order == pytest.approx(0.25, abs=3 * math.sqrt(0.25 * 0.75 / 512))
    assert channel == pytest.approx(0.5, abs=3 * math.sqrt(0.25 / 512))


def noisy(clips: int, seed: int) -> Labelled:
    """`ordered` under so much noise that no probe gets all of it."""
    plain = ordered(clips, seed)
    rng = torch.Generator().manual_seed(100 + seed)
    return Labelled(plain.tokens + torch.randn(plain.tokens.shape, generator=rng), plain.labels)


def test_equal_input_gives_equal_numbers_and_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(77)  # not the state that a seeding inside would leave behind
    state = torch.get_rng_state()
    first = probe((noisy(128, 1), noisy(64, 2), noisy(256, 3)), CLASSES, BUDGET, ignored)
    assert torch.equal(torch.get_rng_state(), state)
    torch.rand(3)
    assert probe((noisy(128, 1), noisy(64, 2), noisy(256, 3)), CLASSES, BUDGET, ignored) == first
    other = probe((noisy(128, 1), noisy(64, 2), noisy(256, 3)), CLASSES, replace(BUDGET, seed=2), ignored)
    assert other != first


def test_one_factor_s_probe_does_not_depend_on_the_others() -> None:
    train, test = ordered(256, 1), ordered(256, 3)
    other = Labelled(train.tokens, torch.stack([train.labels[:, 0], torch.zeros(256, dtype=torch.int64)], dim=1))
    both = train_banks(train, CLASSES, BUDGET, ignored)[0], train_banks(other, CLASSES, BUDGET, ignored)[0]
    logits = [bank(test.tokens)[:, 0] for bank in both]
    assert torch.allclose(logits[0], logits[1], atol=1e-5)
    assert not torch.allclose(both[0](test.tokens)[:, 1], both[1](test.tokens)[:, 1], atol=1e-1)


def test_the_rate_is_chosen_on_the_validation_clips_alone() -> None:
    """A rate of nearly nothing learns nothing; validation labels turned round prefer it, test labels do not matter."""
    budget = ProbeBudget(seed=1, steps=150, batch=32, heads=2, rates=(1e-9, 1e-2))
    right = ordered(128, 2)
    wrong = Labelled(right.tokens.clone(), (right.labels + 1) % torch.tensor(CLASSES))
    learnt = probe((ordered(512, 1), right, ordered(256, 3)), CLASSES, budget, ignored)
    kept_back = probe((ordered(512, 1), wrong, ordered(256, 3)), CLASSES, budget, ignored)
    assert min(learnt) > 0.97
    assert max(kept_back) < 0.9


def test_tokens_are_normalised_by_the_training_clips() -> None:
    train, test = 5 + 3 * torch.randn(200, 4, 8), torch.randn(50, 4, 8)
    normalise(train, [test])
    assert torch.allclose(train.mean(dim=(0, 1)), torch.zeros(8), atol=1e-5)
    assert torch.allclose(train.std(dim=(0, 1), correction=0), torch.ones(8), atol=1e-4)
    assert not torch.allclose(test.mean(dim=(0, 1)), torch.zeros(8), atol=1e-3)


def test_constant_tokens_stay_finite() -> None:
    train = torch.full((20, 4, 8), 7.0)
    normalise(train, [])
    assert train.isfinite().all()
    assert train.abs().max() < 1


def test_accuracy_by_hand() -> None:
    bank = ProbeBank(6, (2,), heads=2)
    with torch.no_grad():
        bank.out_weight.zero_()
        bank.out_bias[0] = torch.tensor([0.0, 1.0])
    labels = torch.tensor([[1], [1], [0], [1]])
    assert accuracies(bank, Labelled(torch.randn(4, 2, 6), labels)).tolist() == [0.75]


def test_every_step_is_told() -> None:
    told: list[int] = []
    budget = ProbeBudget(seed=1, steps=3, batch=100, heads=2, rates=(1e-3,))
    train_banks(ordered(30, 1), CLASSES, budget, told.append)  # a batch larger than the split takes clips again
    assert told == [1, 2, 3]
