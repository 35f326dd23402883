"""A stage's objective with fresh weights, and what a clip of it costs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

import torch

from training.data.tokens import TextTokenizer, learn_tokenizer, load_tokenizer, tokenizer_of
from training.loop.checkpoints import TOKENIZER, newest_checkpoint
from training.loop.config import DECODERS, StageOneConfig, StageTwoConfig
from training.loop.flops import stage_one_flops, stage_two_flops
from training.loop.given import given_tokenizer, start_encoder, text_sizes
from training.loop.launch import Team
from training.model import TextConfig, VideoTextModel, VideoTower
from training.model.layers import set_recompute
from training.objectives import (
    ContrastiveObjective,
    ContrastiveParts,
    DistillationObjective,
    DistillationParts,
    Execution,
    FrozenTeacher,
    Objective,
    RememberingTeacher,
    Teacher,
)

Texts = Callable[[], Iterator[str]]
TEXTS_COUNTED = 1_000  # whose tokens are counted to say what an average text costs


@dataclass(frozen=True, kw_only=True)
class Stage:
    """What a stage trains.

    Attributes:
        clip_flops: what a clip costs (`training.loop.flops`).
        files: what goes into every checkpoint, by name.
    """

    objective: Objective
    clip_flops: float
    files: dict[str, bytes] = field(default_factory=dict)


def first_stage(config: StageOneConfig, texts: Texts, execution: Execution, team: Team) -> Stage:
    """Return stage 1 with fresh weights, which hang on the seed, and on what `init` names.

    Args:
        texts: gives those of the samples, in order; the tokenizer is learnt from them unless the config names one or a
            checkpoint holds one.

    Raises:
        ConfigError: what the config names cannot be read, or is of another size.
    """
    given = given_tokenizer(config)
    encoder, text = config.encoder, text_sizes(config, given)
    tokenizer = given or _tokenizer(config.folder, texts, text, team)
    counted = list(islice(texts(), TEXTS_COUNTED))
    tokens = float((~tokenizer(counted)[1]).sum()) / len(counted)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        model = VideoTextModel(encoder, text)
        # a training under way has its own weights, and what began it may be gone
        if config.init is not None and newest_checkpoint(config.folder) is None:
            start_encoder(model.video_model.vision_model, config.init)
        parts = ContrastiveParts(model, config.loss, config.pixel_decoder).to(team.device)
    set_recompute(parts, config.recompute)
    return Stage(
        objective=ContrastiveObjective(parts, tokenizer, config.options, execution),
        clip_flops=stage_one_flops(encoder, text, config.dropped_share, tokens),
        files={TOKENIZER: tokenizer.to_bytes()},
    )


def second_stage(config: StageTwoConfig, tower: VideoTower, execution: Execution, team: Team) -> Stage:
    """Return stage 2 with a student that starts as the teacher, or at random by the seed, and fresh decoders."""
    encoder, decoder = tower.vision_model.config, DECODERS[config.decoder]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        parts = DistillationParts(tower.vision_model, decoder, config.start).to(team.device)
    set_recompute(parts, config.recompute)
    teacher: Teacher = FrozenTeacher(tower.to(team.device))
    if config.teacher_memory_mb:
        teacher = RememberingTeacher(teacher, config.teacher_memory_mb * 1_000_000)
    return Stage(
        objective=DistillationObjective(parts, teacher, config.options, execution),
        clip_flops=stage_two_flops(encoder, decoder, config.masked_share),
    )


def _tokenizer(folder: Path, texts: Texts, size: TextConfig, team: Team) -> TextTokenizer:
    """Return the tokenizer of a training under way, or one that the first process learns from its texts."""
    found = newest_checkpoint(folder)
    if found is not None:
        return load_tokenizer(found.folder / TOKENIZER, size.max_tokens)
    own = learn_tokenizer(texts(), size.vocabulary, size.max_tokens).to_bytes() if team.is_first else b""
    return tokenizer_of(team.every(own)[0], size.max_tokens)
