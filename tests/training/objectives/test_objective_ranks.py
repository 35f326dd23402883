"""Two processes that share a batch do what one does with all of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as multiprocessing

from tests.training.objectives.objective_builders import STAGES, TEXTS, batch, furthest, generator, gradients, rows_of
from training.objectives import Execution, ProcessGroup

SIX = batch(TEXTS)
WORLD = 2
# What "two ranks are one" promises.
NEAR = 1e-5


def work(rank: int, folder: str) -> None:
    """Do a step of every stage as one of two ranks, and keep what came of it."""
    torch.set_num_threads(1)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=WORLD)
    try:
        found: dict[str, Any] = {}
        own = rows_of(SIX, slice(rank, None, WORLD))
        for stage, build in STAGES.items():
            for size in (None, 2):
                objective = build(Execution(ranks=ProcessGroup(), chunk_clips=size))
                step = objective.backward(own, generator())
                found[f"{stage}, chunks of {size}"] = (step.total, step.terms, gradients(objective))
        torch.save(found, f"{folder}/{rank}.pt")
    finally:
        dist.destroy_process_group()


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What each rank found."""
    folder: Path = tmp_path_factory.mktemp("ranks")
    multiprocessing.spawn(work, (str(folder),), nprocs=WORLD)
    return [torch.load(folder / f"{rank}.pt") for rank in range(WORLD)]


@pytest.mark.slow
@pytest.mark.parametrize("size", [None, 2], ids="chunks of {}".format)
@pytest.mark.parametrize("stage", STAGES)
def test_two_ranks_are_one(ranks: list[dict[str, Any]], stage: str, size: int | None) -> None:
    alone = STAGES[stage](None)
    whole = alone.backward(SIX, generator())
    expected = gradients(alone)
    assert max(float(slope.abs().max()) for slope in expected.values()) > 100 * NEAR
    for rank in ranks:
        total, terms, slopes = rank[f"{stage}, chunks of {size}"]
        assert furthest(slopes, expected) < NEAR
        assert total.item() == pytest.approx(whole.total.item(), abs=NEAR)
        assert {name: value.item() for name, value in terms.items()} == pytest.approx(
            {name: value.item() for name, value in whole.terms.items()}, abs=NEAR
        )
    assert furthest(ranks[0][f"{stage}, chunks of {size}"][2], ranks[1][f"{stage}, chunks of {size}"][2]) == 0


class Part:
    """A rank of some without the others: enough to draw."""

    def __init__(self, rank: int, world: int) -> None:
        self.rank = rank
        self.world = world

    def gather(self, rows: torch.Tensor) -> torch.Tensor:
        raise AssertionError("drawing asks nobody")

    sum = gather
    average_gradients = gather  # type: ignore[assignment]


@pytest.mark.parametrize("world", [1, 2, 3])
def test_what_a_clip_gets_does_not_hang_on_how_many_ranks_there_are(world: int) -> None:
    drawn: dict[int, float] = {}
    for rank in range(world):
        sources = Execution(ranks=Part(rank, world)).clip_generators(6 // world, generator(4))  # type: ignore[arg-type]
        drawn |= {rank + turn * world: torch.rand(1, generator=source).item() for turn, source in enumerate(sources)}
    alone = Execution().clip_generators(6, generator(4))
    assert drawn == {clip: torch.rand(1, generator=source).item() for clip, source in enumerate(alone)}
    assert len(set(drawn.values())) == 6
