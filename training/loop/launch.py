"""One process, or several under torchrun that share each batch: who this one is, and what they tell each other."""

from __future__ import annotations

import atexit
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

import torch
import torch.distributed as dist
from torch import nn

from schemas.config_file import ConfigError
from training.objectives import ProcessGroup, Ranks, SingleProcess

# How long a rank waits for the gradients of another one: longer than any step, shorter than anybody's patience.
GRADIENTS_WAIT = timedelta(minutes=10)
# How long it waits where one decodes the shards for all.
WORK_WAIT = timedelta(days=7)
DeviceName = Literal["auto", "cpu", "cuda"]


@dataclass(frozen=True, kw_only=True)
class Team:
    """This process among those that train together. Methods are called by all of them, in the same order.

    Attributes:
        ranks: what objectives share batches with.
        local_rank, local_world: among the processes of this machine.
        device: where this one computes.
    """

    ranks: Ranks = field(default_factory=SingleProcess)
    local_rank: int = 0
    local_world: int = 1
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    control: Any = None

    @property
    def rank(self) -> int:
        """Which one this is, from 0; the first writes what all have come to."""
        return self.ranks.rank

    @property
    def world(self) -> int:
        """How many there are."""
        return self.ranks.world

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.rank == 0

    @property
    def part(self) -> tuple[int, int]:
        """Rank and world: rows rank, rank + world, ... of a batch are here."""
        return self.rank, self.world

    def every(self, value: object) -> list[Any]:
        """Return what each of them says, by rank."""
        if self.world == 1:
            return [value]
        said: list[Any] = [None] * self.world
        dist.all_gather_object(said, value, group=self.control)
        return said

    def wait(self) -> None:
        """Wait until all are here."""
        self.every(None)

    def begin_alike(self, trained: nn.Module) -> None:
        """Give everybody the first one's weights."""
        if self.world > 1:
            for value in trained.state_dict().values():
                dist.broadcast(value, src=0)


def is_first_process(environ: Mapping[str, str] = os.environ) -> bool:
    """Return whether this is the process that speaks for all that torchrun started, or the only one."""
    return environ.get("RANK", "0") == "0"


def launched(wanted: DeviceName = "auto", environ: Mapping[str, str] = os.environ) -> Team:
    """Join the processes that torchrun started with this one; alone without it.

    They stay together until they end: a group that is left cannot be joined again.

    Raises:
        ConfigError: a GPU is asked for and there is none, or fewer than processes.
    """
    world, local = int(environ.get("WORLD_SIZE", "1")), int(environ.get("LOCAL_RANK", "0"))
    device = _device(wanted, local)
    if world == 1:
        return Team(device=device)
    if not dist.is_initialized():
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo", timeout=GRADIENTS_WAIT)
        atexit.register(dist.destroy_process_group)
    return Team(
        ranks=ProcessGroup(),
        local_rank=local,
        local_world=int(environ.get("LOCAL_WORLD_SIZE", "1")),
        device=device,
        control=dist.new_group(backend="gloo", timeout=WORK_WAIT),
    )


def _device(wanted: DeviceName, local_rank: int) -> torch.device:
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if wanted == "cpu" or (wanted == "auto" and not there):
        return torch.device("cpu")
    if local_rank >= there:
        raise ConfigError(
            f"device is {wanted} and this machine has {there} GPUs for process {local_rank}; allowed: as many "
            "processes as GPUs; start fewer (--nproc-per-node), or take device: cpu"
        )
    device = torch.device("cuda", local_rank)
    torch.cuda.set_device(device)
    # Products of matrices repeat to the bit only with a workspace of fixed size; it is read when the first one runs.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    return device
