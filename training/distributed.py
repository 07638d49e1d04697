"""One process or many: what `torchrun` starts shares every batch and takes the same steps."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel


@dataclass(frozen=True)
class Group:
    """The processes of a run; the first one logs, scores and saves."""

    rank: int = 0
    world: int = 1
    local: int = 0  # of the processes on this machine

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, module: nn.Module, device: torch.device) -> nn.Module:
        """`module` with gradients averaged over all processes; itself where there is one or nothing to train."""
        if self.world == 1 or not any(p.requires_grad for p in module.parameters()):
            return module
        return DistributedDataParallel(module, device_ids=[device.index] if device.type == "cuda" else None)

    def mean(self, value: float) -> float:
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self._device())
        dist.all_reduce(shared)
        return shared.item() / self.world

    def from_first(self, value: float) -> float:
        """The first process's `value`; waits for it."""
        if self.world == 1:
            return value
        shared = torch.tensor([value], dtype=torch.float64, device=self._device())
        dist.broadcast(shared, 0)
        return shared.item()

    def _device(self) -> torch.device:
        return torch.device("cuda", self.local) if dist.get_backend() == "nccl" else torch.device("cpu")


def join(device: str) -> Group:
    """The group that `torchrun` put this process into, or the process alone."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    if world == 1:
        return Group()
    local = int(os.environ["LOCAL_RANK"])
    if device.startswith("cuda"):
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if device.startswith("cuda") else "gloo")
    return Group(dist.get_rank(), world, local)


def leave(group: Group) -> None:
    if group.world > 1:
        dist.destroy_process_group()
