"""Both stages' objectives on made-up batches: what gets a gradient, what is dropped, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from training.data import ClipBatch
from training.data.tokens import learn_tokenizer
from training.model import EncoderConfig, TextConfig, VideoTextModel
from training.objectives import (
    ContrastiveObjective,
    ContrastiveParts,
    DecoderConfig,
    DistillationObjective,
    DistillationParts,
)

ENCODER = EncoderConfig(
    frames=2, image_px=8, patch_px=4, width=8, heads=2, mlp_width=16, spatial_layers=1, temporal_layers=1
)
TEXT = TextConfig(vocabulary=300, max_tokens=8, width=8, heads=2, mlp_width=16, layers=1)
TOKENIZER = learn_tokenizer(["a red circle", "a blue square"], 300, 8)


def batch(texts: tuple[str | None, ...] = ("a red circle", "a blue square", "circle")) -> ClipBatch:
    frames = np.random.default_rng(0).integers(0, 256, (3, 2, 8, 8, 3)).astype(np.uint8)
    return ClipBatch(
        step=7, source="stock", epoch=0, keys=("a", "b", "c"), texts=texts, shards=("x.tar",) * 3, frames=frames
    )


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def video_text() -> VideoTextModel:
    torch.manual_seed(0)
    return VideoTextModel(ENCODER, TEXT)


def stage_two(masked_share: float = 0.5) -> tuple[DistillationObjective, VideoTextModel]:
    model = video_text()
    torch.manual_seed(1)
    parts = DistillationParts(model.video_model.vision_model, DecoderConfig(width=8, heads=2, mlp_width=16, layers=1))
    return DistillationObjective(parts, model.video_model, masked_share), model


def test_stage_one_trains_every_weight_of_both_towers_and_the_temperature() -> None:
    objective = ContrastiveObjective(ContrastiveParts(video_text()), TOKENIZER, 0.5)
    found = objective.loss(batch(), generator())
    found.total.backward()
    still = [name for name, weight in objective.trained.named_parameters() if weight.grad is None]
    assert still == []
    assert found.terms["temperature"].item() == pytest.approx(0.07)
    assert objective.trained.scale.log_scale.grad is not None and objective.trained.scale.log_scale.grad != 0


def test_stage_one_sees_only_the_tubes_that_stay() -> None:
    objective = ContrastiveObjective(ContrastiveParts(video_text()), TOKENIZER, 0.75)
    seen: list[torch.Size] = []
    layer = objective.trained.model.video_model.vision_model.spatial_layers[0]
    layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    objective.loss(batch(), generator())
    # One of four positions stays: 3 clips x 2 frames, 1 token each. The others are no work.
    assert seen == [torch.Size((6, 1, 8))]


def test_a_scale_is_capped() -> None:
    parts = ContrastiveParts(video_text())
    with torch.no_grad():
        parts.scale.log_scale.fill_(9.0)
    assert parts.scale().item() == 100.0


def test_a_clip_without_a_text_is_refused_in_stage_one() -> None:
    objective = ContrastiveObjective(ContrastiveParts(video_text()), TOKENIZER, 0.5)
    with pytest.raises(ValueError, match="step 7: a clip of source stock has no text"):
        objective.loss(batch(("a", None, "b")), generator())


def test_the_student_starts_as_its_teacher_and_only_it_learns() -> None:
    objective, model = stage_two()
    teacher = model.video_model.vision_model
    for name, weight in objective.trained.student.state_dict().items():
        assert torch.equal(weight, teacher.state_dict()[name])
    objective.loss(batch((None,) * 3), generator()).total.backward()
    assert all(weight.grad is None for weight in model.parameters())
    assert all(weight.grad is not None for weight in objective.trained.parameters())
    assert not model.video_model.training


def test_both_distances_count_alike_and_stand_beside_the_trivial_ones() -> None:
    found = stage_two()[0].loss(batch(), generator())
    assert found.total.item() == pytest.approx((found.terms["local"] + found.terms["global"]).item())
    assert set(found.terms) == {"local", "global", "local_trivial", "global_trivial"}
    assert 0 < found.terms["local_trivial"] < 1


def test_equal_clips_make_the_trivial_student_perfect() -> None:
    same = batch()
    same = dataclasses.replace(same, frames=np.repeat(same.frames[:1], 3, axis=0))
    terms = stage_two()[0].loss(same, generator()).terms
    assert terms["local_trivial"].item() == pytest.approx(0, abs=1e-5)
    assert terms["global_trivial"].item() == pytest.approx(0, abs=1e-5)


def test_a_step_is_a_function_of_its_generator() -> None:
    objective, _ = stage_two()
    first, again, other = (objective.loss(batch(), generator(seed)).total.item() for seed in (1, 1, 2))
    assert first == again != other


def test_the_teacher_is_frozen_twice_over() -> None:
    objective, model = stage_two()
    assert not any(weight.requires_grad for weight in model.video_model.parameters())
    model.video_model.requires_grad_(True)
    objective.loss(batch(), generator()).total.backward()
    assert all(weight.grad is None for weight in model.parameters())
