"""Checkpoints: a folder a step, whole or not there at all; weights and optimiser as safetensors, nothing pickled."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from curation.store import file_sha256
from schemas.canonical import canonical_json
from schemas.config_file import ConfigError, Strict
from training.loop.average import RunningMean
from training.loop.files import flush_to_disk, write_whole

CHECKPOINT_SCHEMA = "clipstrata.checkpoint/1"
FACTS_JSON = "checkpoint.json"
WEIGHTS = "weights.safetensors"
AVERAGE = "average.safetensors"
OPTIMISER = "optimiser.safetensors"
TOKENIZER = "tokenizer.json"
FOLDER = "checkpoints"
NAME = re.compile(r"step-(\d{8})")
KEPT = 2


class CheckpointFacts(Strict):
    """`checkpoint.json`, the file that makes a checkpoint exist.

    Attributes:
        step: steps done.
        identity: what the training is a function of; another identity is another training.
        files: name -> SHA-256.
    """

    schema_name: str = CHECKPOINT_SCHEMA
    stage: int
    step: int
    identity: dict[str, Any]
    files: dict[str, str]

    @property
    def weights_sha256(self) -> str:
        """The digest of the weights that are handed on: of their running mean, where there is one."""
        return self.files.get(AVERAGE, self.files[WEIGHTS])


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint on disk whose files have the digests that it states."""

    folder: Path
    facts: CheckpointFacts

    def weights(self) -> dict[str, Tensor]:
        """Return the trained state by name, which a training goes on from."""
        return load_file(self.folder / WEIGHTS)

    def average(self) -> dict[str, Tensor] | None:
        """Return its running mean, or None where the training keeps none."""
        return load_file(self.folder / AVERAGE) if AVERAGE in self.facts.files else None

    def handed_on(self) -> dict[str, Tensor]:
        """Return what is exported, evaluated and taught from: the running mean, or else the trained state."""
        return self.average() or self.weights()


def write_checkpoint(
    stage_folder: Path,
    facts: Mapping[str, Any],
    trained: nn.Module,
    optimiser: torch.optim.Optimizer,
    extra: Mapping[str, bytes],
    average: RunningMean | None = None,
) -> Checkpoint:
    """Write a checkpoint under a temp name, rename it when it is whole and on disk, and keep the newest `KEPT`.

    Args:
        facts: stage, step and identity.
        extra: further files by name, such as the tokenizer.
    """
    parent = stage_folder / FOLDER
    parent.mkdir(parents=True, exist_ok=True)
    temporary = parent / ".writing"
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    save_file({name: value.contiguous() for name, value in trained.state_dict().items()}, temporary / WEIGHTS)
    save_file(_moments(trained, optimiser), temporary / OPTIMISER)
    if average is not None:
        save_file(average.state(), temporary / AVERAGE)
    for name, data in extra.items():
        (temporary / name).write_bytes(data)
    written = sorted(temporary.iterdir())
    for path in written:
        flush_to_disk(path)
    stated = CheckpointFacts(**facts, files={path.name: file_sha256(path) for path in written})
    write_whole(temporary / FACTS_JSON, canonical_json(stated.model_dump(mode="json"), indent=2))
    folder = parent / f"step-{stated.step:08d}"
    shutil.rmtree(folder, ignore_errors=True)
    temporary.rename(folder)
    flush_to_disk(parent)
    for old in _folders(parent)[:-KEPT]:
        shutil.rmtree(old)
    return Checkpoint(folder=folder, facts=stated)


def _moments(trained: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Tensor]:
    found = {}
    for name, parameter in trained.named_parameters():
        for moment, value in optimiser.state.get(parameter, {}).items():
            found[f"{name}/{moment}"] = value.detach().contiguous()
    return found


def restore(checkpoint: Checkpoint, trained: nn.Module, optimiser: torch.optim.Optimizer) -> None:
    """Bring weights and optimiser to where a checkpoint left them."""
    trained.load_state_dict(checkpoint.weights())
    moments: dict[str, dict[str, Tensor]] = {}
    for path, value in load_file(checkpoint.folder / OPTIMISER).items():
        name, moment = path.rsplit("/", 1)
        moments.setdefault(name, {})[moment] = value
    for name, parameter in trained.named_parameters():
        if name in moments:
            own = {moment: value.to(parameter.device) for moment, value in moments[name].items()}
            optimiser.state[parameter] = own


def _folders(parent: Path) -> list[Path]:
    return sorted(path for path in parent.glob("step-*") if NAME.fullmatch(path.name))


def newest_checkpoint(stage_folder: Path) -> Checkpoint | None:
    """Return the newest checkpoint of a stage, or None where there is none.

    Raises:
        ConfigError: it is damaged.
    """
    folders = _folders(stage_folder / FOLDER)
    return open_checkpoint(folders[-1]) if folders else None


def open_checkpoint(path: Path) -> Checkpoint:
    """Open a checkpoint, or the newest one of a stage's folder, and compare every file with its digest.

    Raises:
        ConfigError: there is none, or it is damaged.
    """
    if not (path / FACTS_JSON).is_file():
        newest = newest_checkpoint(path)
        if newest is None:
            raise ConfigError(f"{path}: holds no checkpoint; allowed: a stage's folder, or one of its checkpoints")
        return newest
    mend = "remove that folder to go on from the one before it"
    try:
        facts = CheckpointFacts.model_validate(json.loads((path / FACTS_JSON).read_bytes()))
    except (ValueError, ValidationError) as error:
        raise ConfigError(f"{path}: its {FACTS_JSON} cannot be read; {mend}") from error
    for name, digest in facts.files.items():
        if not (path / name).is_file() or file_sha256(path / name) != digest:
            raise ConfigError(f"{path}: {name} is missing or its bytes changed; {mend}")
    return Checkpoint(folder=path, facts=facts)
