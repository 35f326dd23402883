"""Both stages' objectives on made-up batches: what gets a gradient, what is dropped, what is refused."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from tests.training.objectives.objective_builders import (
    DECODER,
    TOKENIZER,
    batch,
    generator,
    stage_one,
    stage_two,
    video_text,
)
from training.model.layers import Block, OffsetLayerNorm
from training.objectives import ContrastiveObjective, ContrastiveOptions, ContrastiveParts, Execution
from training.objectives.base import unit_frames
from training.objectives.masks import tube_keep


def test_stage_one_trains_every_weight_of_both_towers_and_the_temperature() -> None:
    objective = stage_one()
    found = objective.loss(batch(), generator())
    found.total.backward()
    still = [name for name, weight in objective.trained.named_parameters() if weight.grad is None]
    assert still == []
    assert found.terms["temperature"].item() == pytest.approx(0.07)
    assert objective.trained.scale.log_scale.grad is not None and objective.trained.scale.log_scale.grad != 0


def test_stage_one_sees_only_the_tubes_that_stay() -> None:
    objective = stage_one(dropped_share=0.75)
    seen: list[torch.Size] = []
    layer = objective.trained.model.video_model.vision_model.spatial_layers[0]
    layer.register_forward_hook(lambda _, inputs, __: seen.append(inputs[0].shape))
    objective.loss(batch(), generator())
    # One of four positions stays: 3 clips x 2 frames, 1 token each. The others are no work.
    assert seen == [torch.Size((6, 1, 8))]


def test_what_is_dropped_changes_no_token_that_is_kept() -> None:
    encoder = video_text().video_model.vision_model
    keep = tube_keep(Execution().clip_generators(3, generator()), 4, 2)
    clips = batch()
    painted = clips.frames.copy()
    for clip, kept in enumerate(keep.tolist()):
        for patch in set(range(4)) - set(kept):
            row, column = 4 * (patch // 2), 4 * (patch % 2)
            painted[clip, :, row : row + 4, column : column + 4] ^= 255
    plain = encoder(unit_frames(clips), keep)
    other = encoder(unit_frames(dataclasses.replace(clips, frames=painted)), keep)
    assert torch.equal(plain.spatial, other.spatial) and torch.equal(plain.tokens, other.tokens)
    assert not torch.allclose(
        encoder(unit_frames(dataclasses.replace(clips, frames=painted))).spatial, encoder(unit_frames(clips)).spatial
    )


def test_an_image_is_a_clip_of_one_frame_at_the_first_time() -> None:
    objective = stage_one()
    images = batch(frames=1)
    found = objective.backward(images, generator())
    table = objective.trained.model.video_model.vision_model.temporal_embeddings.position_embeddings
    assert torch.isfinite(found.total) and table.shape[1] == 2
    assert table.grad is not None
    assert table.grad[0, 0].abs().max() > 0 and table.grad[0, 1].abs().max() == 0
    with torch.no_grad():
        table[0, 1] += 5.0
    assert objective.loss(images, generator()).total.item() == pytest.approx(found.total.item(), abs=1e-6)


def test_a_sigmoid_scale_has_no_cap_and_a_bias_that_learns() -> None:
    objective = stage_one(loss="sigmoid")
    assert objective.trained.scale().item() == pytest.approx(10.0)
    found = objective.backward(batch(), generator())
    assert found.terms["bias"].item() == -10.0
    assert objective.trained.scale.bias is not None and objective.trained.scale.bias.grad != 0
    with torch.no_grad():
        objective.trained.scale.log_scale.fill_(9.0)
    objective.after_step()
    assert objective.trained.scale.log_scale.item() == 9.0


def test_parts_of_another_loss_are_refused() -> None:
    with pytest.raises(ValueError, match="loss is softmax and the parts are of another"):
        ContrastiveObjective(ContrastiveParts(video_text(), "sigmoid"), TOKENIZER, ContrastiveOptions())
    with pytest.raises(ValueError, match="rebuild is False; allowed: on with a pixel decoder"):
        ContrastiveObjective(ContrastiveParts(video_text(), "softmax", DECODER), TOKENIZER, ContrastiveOptions())
    with pytest.raises(ValueError, match="loss is 'hinge'; allowed: softmax, sigmoid"):
        ContrastiveOptions(loss="hinge")  # type: ignore[arg-type]


def test_a_scale_is_capped_after_each_step_and_comes_back_from_the_cap() -> None:
    objective = stage_one()
    scale = objective.trained.scale
    with torch.no_grad():
        scale.log_scale.fill_(9.0)
    objective.after_step()
    assert scale().item() == pytest.approx(100.0, rel=1e-6)
    # Weights that know nothing pair wrong, so the loss wants a lower scale; at the cap it must be able to say so.
    objective.loss(batch(), generator()).total.backward()
    assert scale.log_scale.grad is not None and scale.log_scale.grad > 0
    torch.optim.SGD([scale.log_scale], lr=0.01).step()
    objective.after_step()
    assert scale().item() < 100.0


def test_a_clip_without_a_text_is_refused_in_stage_one() -> None:
    objective = stage_one()
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


def test_the_student_sees_only_the_tubes_that_stay_and_its_teacher_all() -> None:
    objective, model = stage_two(masked_share=0.75)
    seen: dict[str, list[torch.Size]] = {}

    def watch(name: str, module: nn.Module) -> None:
        module.register_forward_hook(lambda _, inputs, __: seen.setdefault(name, []).append(inputs[0].shape))

    watch("student", objective.trained.student.spatial_layers[0])
    watch("teacher", model.video_model.vision_model.spatial_layers[0])
    watch("local decoder", objective.trained.local_decoder)
    watch("global decoder", objective.trained.global_decoder)
    objective.loss(batch(), generator())
    # 3 clips of 2 frames; one of four positions stays, so a decoder gets 2 x 1 visible tokens of a clip.
    assert seen == {
        "student": [torch.Size((6, 1, 8))],
        "teacher": [torch.Size((6, 4, 8))],
        "local decoder": [torch.Size((3, 2, 8))],
        "global decoder": [torch.Size((3, 2, 8))],
    }


class SaysTheTeacher(nn.Module):
    """A local decoder that knows the teacher's tokens, moved by some places."""

    def __init__(self, tokens: Tensor, moved: int) -> None:
        super().__init__()
        self._said = tokens.roll(moved, dims=1)

    def forward(self, visible: Tensor, places: Tensor, order: Tensor) -> Tensor:
        return self._said


@pytest.mark.parametrize(("moved", "right"), [(0, True), (1, False)], ids=["each at its place", "one place on"])
def test_slot_i_must_say_the_teachers_token_of_place_i(moved: int, right: bool) -> None:
    objective, model = stage_two()
    with torch.no_grad():
        tokens = model.video_model.vision_model(torch.from_numpy(batch().frames).float() / 255).tokens
    objective.trained.register_module("local_decoder", SaysTheTeacher(tokens, moved))
    local = objective.loss(batch(), generator()).terms["local"].item()
    assert (abs(local) < 1e-6) == right


def test_both_distances_count_alike_and_stand_beside_the_trivial_ones() -> None:
    found = stage_two()[0].loss(batch(), generator())
    assert found.total.item() == pytest.approx((found.terms["local"] + found.terms["global"]).item())
    trivial, halves = {"local_trivial", "global_trivial"}, {"local_visible", "local_masked"}
    assert set(found.terms) == {"local", "global"} | trivial | halves
    # Half of the places are visible.
    assert (found.terms["local_visible"] + found.terms["local_masked"]) / 2 == pytest.approx(found.terms["local"])
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


def watched(root: nn.Module, kind: type[nn.Module], into: dict[str, tuple[Tensor, Tensor]]) -> None:
    """Keep what goes into and comes out of every module of a kind, by name."""

    def keep(name: str, inputs: Tensor, outputs: Tensor) -> None:
        into[name] = (inputs.detach(), outputs.detach())

    for name, module in root.named_modules():
        if isinstance(module, kind):
            module.register_forward_hook(lambda _, inputs, outputs, name=name: keep(name, inputs[0], outputs))


def test_norms_and_what_layers_add_to_are_float32_where_products_are_bfloat16() -> None:
    first = stage_one()
    second, _ = stage_two()
    norms: dict[str, tuple[Tensor, Tensor]] = {}
    blocks: dict[str, tuple[Tensor, Tensor]] = {}
    watched(nn.ModuleDict({"one": first.trained, "two": second.trained}), OffsetLayerNorm, norms)
    watched(nn.ModuleDict({"one": first.trained, "two": second.trained}), Block, blocks)
    with torch.autocast("cpu", torch.bfloat16):
        first.loss(batch(), generator())
        second.loss(batch(), generator())
    assert {name: out.dtype for name, (_, out) in norms.items() if out.dtype != torch.float32} == {}
    streams = {name: {into.dtype, out.dtype} for name, (into, out) in blocks.items()}
    assert {name: types for name, types in streams.items() if types != {torch.float32}} == {}
    assert {"one.model.video_model.head_layernorm", "two.global_decoder.layernorm"} <= norms.keys()
    # This one stands right behind a product: it takes bfloat16 and must not norm in it.
    into, out = norms["one.model.video_model.head_layernorm"]
    assert into.dtype == torch.bfloat16
    assert torch.equal(out, first.trained.model.video_model.head_layernorm(into.float()))


def test_the_teacher_is_frozen_twice_over() -> None:
    objective, model = stage_two()
    assert not any(weight.requires_grad for weight in model.video_model.parameters())
    model.video_model.requires_grad_(True)
    objective.loss(batch(), generator()).total.backward()
    assert all(weight.grad is None for weight in model.parameters())
