"""A batch that goes through in chunks is one big batch: accumulation in stage 2, gradient caching in stage 1."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch

from tests.training.objectives.objective_builders import (
    STAGES,
    TEXTS,
    batch,
    furthest,
    generator,
    gradients,
    stage_one,
)
from training.objectives import Execution, Objective, StepLoss

SIX = batch(TEXTS)
# One rounding of float32 at the size of these gradients is some 1e-8.
NEAR = 1e-6


def stepped(stage: str, execution: Execution | None) -> tuple[StepLoss, dict[str, torch.Tensor]]:
    objective: Objective = STAGES[stage](execution)
    found = objective.backward(SIX, generator())
    return found, gradients(objective)


@pytest.mark.parametrize("stage", STAGES)
def test_the_gradient_is_that_of_the_loss(stage: str) -> None:
    objective = STAGES[stage](None)
    whole = objective.loss(SIX, generator())
    whole.total.backward()
    found, slopes = stepped(stage, None)
    assert furthest(slopes, gradients(objective)) < NEAR
    assert found.total.item() == pytest.approx(whole.total.item(), abs=NEAR)
    assert not found.total.requires_grad
    assert {name: value.item() for name, value in found.terms.items()} == pytest.approx(
        {name: value.item() for name, value in whole.terms.items()}, abs=NEAR
    )


@pytest.mark.parametrize("size", [1, 2, 4], ids="chunks of {}".format)
@pytest.mark.parametrize("stage", STAGES)
def test_chunks_add_up_to_the_batch(stage: str, size: int) -> None:
    whole, expected = stepped(stage, None)
    found, slopes = stepped(stage, Execution(chunk_clips=size))
    assert furthest(slopes, expected) < NEAR
    assert found.total.item() == pytest.approx(whole.total.item(), abs=NEAR)
    assert {name: value.item() for name, value in found.terms.items()} == pytest.approx(
        {name: value.item() for name, value in whole.terms.items()}, abs=NEAR
    )


def test_a_chunk_by_itself_would_be_another_loss() -> None:
    # The contrastive loss is no mean over clips: what accumulation alone gives is far from the batch's gradient.
    objective = stage_one()
    expected = stepped("softmax", None)[1]["model.video_model.head_layernorm.weight"]
    for start in (0, 3):
        part = objective.loss(batch(TEXTS[start : start + 3]), generator())
        (part.total / 2).backward()
    found = gradients(objective)["model.video_model.head_layernorm.weight"]
    assert (found - expected).abs().max() > 100 * NEAR


@pytest.mark.parametrize("stage", ["softmax", "blocks"])
def test_no_more_clips_than_a_chunk_are_in_the_encoder_at_a_time(stage: str) -> None:
    objective = STAGES[stage](Execution(chunk_clips=2))
    encoder = objective.trained.student if stage == "blocks" else objective.trained.model.video_model.vision_model
    kept: list[tuple[int, bool]] = []
    encoder.register_forward_hook(
        lambda _, inputs, outputs: kept.append((len(inputs[0]), outputs.tokens.requires_grad))
    )
    objective.backward(SIX, generator())
    # Gradient caching embeds everything once without a graph, and once more with one.
    assert kept == [(2, False)] * 3 * (stage == "softmax") + [(2, True)] * 3


def test_one_chunk_is_embedded_once() -> None:
    objective = stage_one(Execution(chunk_clips=6))
    seen: list[int] = []
    objective.trained.model.text_model.register_forward_hook(lambda _, inputs, __: seen.append(len(inputs[0])))
    objective.backward(SIX, generator())
    assert seen == [6]


@pytest.mark.parametrize("stage", ["softmax", "blocks"])
def test_autocast_holds_forward_and_not_backward(stage: str) -> None:
    within: list[bool] = []

    @contextmanager
    def watched() -> Iterator[None]:
        with torch.autocast("cpu", torch.bfloat16):
            yield

    objective = STAGES[stage](Execution(chunk_clips=4, autocast=watched))
    layer = next(module for name, module in objective.trained.named_modules() if name.endswith("spatial_layers.0"))
    layer.register_forward_hook(lambda *_: within.append(torch.is_autocast_enabled("cpu")))
    backward: list[bool] = []
    layer.register_full_backward_hook(lambda *_: backward.append(torch.is_autocast_enabled("cpu")))
    objective.backward(SIX, generator())
    assert within and all(within)
    assert backward and not any(backward)
    assert not torch.is_autocast_enabled("cpu")


def test_a_chunk_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="chunk_clips is 0; allowed: from 1, or None"):
        Execution(chunk_clips=0)
