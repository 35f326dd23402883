"""What `CORPUS.yaml` says of duplicates: what counts as one, and what is done about it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator, model_validator

from schemas.config_file import Strict
from schemas.run import RunAddress, address_of

# What is done about clips that are the same, or nearly.
Action = Literal["keep_one", "label", "off"]
NAME_PATTERN = re.compile(r"[a-z0-9_]{1,40}")
BASE_PATTERN = re.compile(r".+@[1-9][0-9]{0,5}")
# Before the sample ids of a base where they stand beside those of a run: a source may have both.
BASE_MARK = "base:"


@dataclass(frozen=True)
class BaseVersion:
    """A version of an earlier build, written RUN@VERSION."""

    run: RunAddress
    version: int

    @classmethod
    def parse(cls, text: str) -> BaseVersion:
        """Take a text of BASE_PATTERN apart."""
        folder, _, version = text.rpartition("@")
        return cls(address_of(folder), int(version))

    def __str__(self) -> str:
        return f"{self.run}@{self.version}"


class ExactOptions(Strict):
    """Clips that show the same, decoded frame by decoded frame.

    Attributes:
        action: `keep_one` leaves all but the keeper out of the shards; `label` only says so in the selection.
    """

    action: Literal["keep_one", "label"] = "keep_one"


class OverlapOptions(Strict):
    """Clips that are spans of one video.

    Attributes:
        min_share: how much of the shorter clip must lie in the longer one.
    """

    action: Action = "keep_one"
    min_share: float = Field(default=0.8, gt=0.0, le=1.0)


class PerceptualOptions(Strict):
    """Clips that look the same: encoded, scaled, padded or cut anew.

    Attributes:
        min_similarity: of the frames that lie on each other: 1 is equal, 0 is as far as strangers are. A pair must
            agree in time, too; docs/duplicates.md says what is found and what is got wrong.
        min_share: how much of the shorter clip must lie on the other.
    """

    action: Action = "keep_one"
    min_similarity: float = Field(default=0.87, gt=0.0, le=1.0)
    min_share: float = Field(default=0.5, gt=0.0, le=1.0)


class SemanticOptions(Strict):
    """Clips that mean nearly the same to the scorer: often no copies, so by default they only weigh less.

    Attributes:
        action: `weight` divides a clip's sampling weight by the number of clips in its near group; `keep_one` and
            `label` make duplicates of them.
        min_cosine: of the clips' embeddings; it depends on the scorer.
        min_weight: a near group's clips keep at least this share of their weight.
    """

    action: Literal["weight", "keep_one", "label", "off"] = "weight"
    min_cosine: float = Field(default=0.97, ge=0.0, le=1.0)
    min_weight: float = Field(default=0.1, ge=0.0, le=1.0)


class TextOptions(Strict):
    """Texts of one source that are nearly the same: boilerplate titles, spam.

    Attributes:
        action: `weight` divides a clip's sampling weight by the number of clips whose text is nearly its own.
        min_jaccard: how alike two texts' word shingles must be.
        min_weight: such a clip keeps at least this share of its weight.
    """

    action: Literal["weight", "label", "off"] = "label"
    min_jaccard: float = Field(default=0.8, ge=0.5, le=1.0)
    min_weight: float = Field(default=0.1, ge=0.0, le=1.0)


class BenchmarkConfig(Strict):
    """Clips that must not be trained on: whole groups that hold one are left out.

    Attributes:
        hashes: file that `clipstrata hashes` wrote.
    """

    name: str
    hashes: Path

    @field_validator("name")
    @classmethod
    def _name(cls, name: str) -> str:
        if not NAME_PATTERN.fullmatch(name):
            raise ValueError(f"benchmark name is {name!r}; allowed: 1 to 40 of a-z, 0-9 and _; rename it")
        return name


class DuplicatePolicy(Strict):
    """How duplicates are found, and what is done about them; cuts and tiers have no part in it.

    Attributes:
        scope: compare over the whole `corpus`, inside each `source` only, or not at all (`off`).
        benchmarks: what to decontaminate against.
        move_texts: a keeper takes over the texts of the samples that it stands for.
        index: keep what later builds on top of this one look up; without it they read and post all of it anew.
    """

    scope: Literal["corpus", "source", "off"] = "corpus"
    exact: ExactOptions = ExactOptions()
    overlap: OverlapOptions = OverlapOptions()
    perceptual: PerceptualOptions = PerceptualOptions()
    semantic: SemanticOptions = SemanticOptions()
    texts: TextOptions = TextOptions()
    benchmarks: tuple[BenchmarkConfig, ...] = ()
    move_texts: bool = False
    index: bool = True

    @model_validator(mode="after")
    def _distinct(self) -> DuplicatePolicy:
        actions = (self.overlap.action, self.perceptual.action, self.semantic.action)
        if self.exact.action == "label" and "keep_one" in actions:
            raise ValueError(
                "exact.action is label while another kind's is keep_one; allowed: what shows the same is treated no "
                "more leniently than what resembles it; label the others too, or let exact keep one"
            )
        names = [benchmark.name for benchmark in self.benchmarks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"benchmark names {twice} stand twice; allowed: each name once; rename one of them")
        if self.benchmarks and (self.scope == "off" or self.perceptual.action == "off"):
            raise ValueError(
                "benchmarks are found by perceptual hashes; allowed: scope corpus or source, and perceptual not off; "
                "turn them on, or drop benchmarks"
            )
        return self

    def removes(self, kind: str) -> bool:
        """Return whether an edge of a kind lets a keeper stand for its neighbour: then the neighbour is left out."""
        return bool(getattr(self, kind).action == "keep_one")

    def groups(self, kind: str) -> bool:
        """Return whether edges of a kind join duplicate groups."""
        return getattr(self, kind).action in ("keep_one", "label")
