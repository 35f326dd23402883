"""The arms of stage 2: masks, order, whole clip, start; and what must come to exactly nothing."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn

from tests.training.objectives.objective_builders import (
    DECODER,
    ENCODER,
    TEXTS,
    batch,
    generator,
    gradients,
    stage_two,
    video_text,
)
from training.data import ClipBatch
from training.model import VideoEncoder, VideoTower
from training.model.encoder import Encoded
from training.objectives import DistillationObjective, DistillationOptions, DistillationParts, Execution, FrozenTeacher
from training.objectives.masks import ClipMasks, MaskShape, draw_masks

SIX = batch(TEXTS)


class Undone(nn.Module):
    """A local decoder that says of every place what stood there before all was put into its order."""

    def forward(self, visible: Tensor, places: Tensor, order: Tensor | None) -> Tensor:
        if order is None:
            return visible
        content = visible.gather(1, order[..., None].expand_as(visible))
        back = order.argsort(dim=1)
        return content.gather(1, back[..., None].expand_as(content))


class Pooled(nn.Module):
    """A global decoder that is the teacher's own pooling."""

    def __init__(self, tower: VideoTower) -> None:
        super().__init__()
        self._pool = tower.pool

    def forward(self, visible: Tensor) -> Tensor:
        return self._pool(visible)


@pytest.mark.parametrize("mask", ["tubes", "blocks"])
@pytest.mark.parametrize("shuffled", [True, False], ids=["shuffled", "in order"])
def test_a_student_that_is_its_teacher_and_sees_all_loses_nothing(mask: str, shuffled: bool) -> None:
    objective, model = stage_two(mask=mask, shuffled=shuffled, masked_share=0.0)
    objective.trained.register_module("local_decoder", Undone())
    objective.trained.register_module("global_decoder", Pooled(model.video_model))
    found = objective.backward(SIX, generator())
    assert found.total.item() == pytest.approx(0, abs=1e-6)
    assert found.terms["local_visible"].item() == pytest.approx(0, abs=1e-6)
    assert "local_masked" not in found.terms
    slopes = gradients(objective)
    assert max(float(slope.abs().max()) for slope in slopes.values()) < 1e-5
    with torch.no_grad():
        objective.trained.student.layernorm2.bias[0] += 0.1
    assert objective.backward(SIX, generator()).total.item() > 1e-4


def test_no_gradient_reaches_the_teacher() -> None:
    objective, model = stage_two()
    model.video_model.requires_grad_(True)
    objective.backward(SIX, generator())
    assert all(weight.grad is None for weight in model.parameters())
    assert all(weight.grad is not None for weight in objective.trained.parameters())


def test_without_the_whole_clip_only_the_tokens_are_learnt() -> None:
    objective, _ = stage_two(whole_clip=False)
    found = objective.backward(SIX, generator())
    assert found.total.item() == found.terms["local"].item() and "global" not in found.terms
    untouched = {name for name, weight in objective.trained.named_parameters() if weight.grad is None}
    assert untouched == {f"global_decoder.{name}" for name, _ in objective.trained.global_decoder.named_parameters()}


def test_only_what_is_shuffled_has_an_order() -> None:
    orders: list[Tensor | None] = []
    for shuffled in (True, False):
        objective, _ = stage_two(shuffled=shuffled)
        objective.trained.local_decoder.register_forward_hook(lambda _, inputs, __: orders.append(inputs[2]))
        objective.backward(SIX, generator())
    assert orders[0] is not None and orders[0].sort(dim=1).values.tolist() == [list(range(8))] * 6
    assert orders[1] is None


def test_a_student_starts_as_its_teacher_or_at_random() -> None:
    teacher = video_text().video_model.vision_model
    torch.manual_seed(5)
    for start, same in (("teacher", True), ("random", False)):
        student = DistillationParts(teacher, DECODER, start).student  # type: ignore[arg-type]
        assert all(weight.requires_grad for weight in student.parameters())
        assert (
            torch.equal(
                student.state_dict()["spatial_layers.0.mlp.fc1.weight"], teacher.spatial_layers[0].mlp.fc1.weight
            )
            is same
        )
        student.layernorm2.bias.data += 1
        assert teacher.layernorm2.bias.abs().max() == 0
    with pytest.raises(ValueError, match="start is 'zero'; allowed: teacher, random"):
        DistillationParts(teacher, DECODER, "zero")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("options", "said"),
    [({"mask": "rows"}, "mask is 'rows'"), ({"masked_share": 1.0}, r"1\.0; allowed: 0 up to but not 1")],
    ids=["mask", "share"],
)
def test_options_that_cannot_be_are_refused(options: dict[str, object], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        DistillationOptions(**options)  # type: ignore[arg-type]


class DenseRagged(VideoEncoder):
    """Every patch goes through, and attention is told which ones are not there: a reference for masks of any shape."""

    def forward(self, frames: Tensor, keep: Tensor | None = None, visible: Tensor | None = None) -> Encoded:
        if visible is None:
            return super().forward(frames, keep)
        clips, times, patches = visible.shape
        x = self.spatial_embeddings(cut(frames, self.config.patch_px), (self.config.grid,) * 2, None).flatten(0, 1)
        for layer in self.spatial_layers:
            x = layer(x, visible.reshape(clips * times, 1, 1, patches))
        spatial = self.layernorm1(x).unflatten(0, (clips, times))
        x = self.temporal_embeddings(spatial.transpose(1, 2).flatten(0, 1))
        for layer in self.temporal_layers:
            x = layer(x, visible.transpose(1, 2).reshape(clips * patches, 1, 1, times))
        tokens = self.layernorm2(x).unflatten(0, (clips, patches)).transpose(1, 2)
        return Encoded(tokens=tokens.flatten(1, 2), spatial=spatial.flatten(1, 2))


def cut(frames: Tensor, patch_px: int) -> Tensor:
    rows = frames.unfold(2, patch_px, patch_px).unfold(3, patch_px, patch_px)
    return rows.permute(0, 1, 2, 3, 5, 6, 4).flatten(4).flatten(2, 3)


def ragged_stage(mask: str, masked_share: float = 0.6, execution: Execution | None = None) -> DistillationObjective:
    model = video_text()
    torch.manual_seed(1)
    dense = DenseRagged(ENCODER)
    dense.load_state_dict(model.video_model.vision_model.state_dict())
    parts = DistillationParts(dense, DECODER)
    options = DistillationOptions(mask=mask, masked_share=masked_share)  # type: ignore[arg-type]
    return DistillationObjective(parts, FrozenTeacher(model.video_model), options, execution)


def bevt_masks(masked_share: float = 0.6) -> ClipMasks:
    shape = MaskShape(kind="bevt", masked_share=masked_share, frames=2, grid=2)
    return draw_masks(Execution().clip_generators(6, generator()), shape)


def repainted(visible: Tensor) -> ClipBatch:
    """Return the batch with other pixels where a mask hides them."""
    frames = SIX.frames.copy()
    for clip, frame, patch in (~visible).nonzero().tolist():
        row, column = 4 * (patch // 2), 4 * (patch % 2)
        frames[clip, frame, row : row + 4, column : column + 4] ^= 255
    return dataclasses.replace(SIX, frames=frames)


def test_a_ragged_mask_shows_the_student_what_is_visible_and_nothing_else() -> None:
    seen: list[Tensor] = []
    objective = ragged_stage("bevt")
    objective.trained.local_decoder.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].detach()))
    masks = bevt_masks()
    assert masks.keep is None and masks.places.shape == (6, 3)
    for clips in (SIX, repainted(masks.visible), repainted(~masks.visible)):
        objective.loss(clips, generator())
    assert seen[0].shape == (6, 3, 8)
    assert torch.equal(seen[0], seen[1])
    assert not torch.allclose(seen[0], seen[2], atol=1e-3)


def test_a_ragged_mask_of_tubes_is_tubes() -> None:
    # One way through the encoder drops patches, the other hides them: the student must not notice.
    tubes = ragged_stage("tubes", 0.5)
    hidden = ragged_stage("tubes", 0.5)
    student = hidden.trained.student
    forward = student.forward

    def dense(frames: Tensor, keep: Tensor) -> Encoded:
        visible = torch.zeros(len(keep), 4, dtype=torch.bool).scatter_(1, keep, True)[:, None].repeat(1, 2, 1)
        found = forward(frames, visible=visible)
        kept = found.tokens[visible.flatten(1)].view(len(keep), -1, 8)
        return Encoded(tokens=kept, spatial=found.spatial)

    student.forward = dense  # type: ignore[method-assign, assignment]
    first, second = (objective.backward(SIX, generator()) for objective in (tubes, hidden))
    assert first.total.item() == pytest.approx(second.total.item(), abs=1e-6)


def test_chunks_of_ragged_masks_add_up() -> None:
    whole, cut_up = ragged_stage("bevt"), ragged_stage("bevt", execution=Execution(chunk_clips=4))
    assert whole.backward(SIX, generator()).total.item() == pytest.approx(
        cut_up.backward(SIX, generator()).total.item(), abs=1e-6
    )
    wanted = gradients(whole)
    assert max(float((slope - wanted[name]).abs().max()) for name, slope in gradients(cut_up).items()) < 1e-6
