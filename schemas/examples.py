"""Clips behind the numbers: what a page shows of an example, and what people say of it."""

from __future__ import annotations

from typing import Literal, Protocol

from pydantic import BaseModel, ConfigDict, Field

Verdict = Literal["good", "wrong_pair", "unsure"]


class _Model(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExampleText(_Model):
    """One text of an example, as far as a page shows it; `score_1e4` is None where it has no finite score."""

    kind: str
    text: str
    score_1e4: int | None
    chosen: bool


class Example(_Model):
    """A clip that stands for a number.

    Attributes:
        place: `bin`, `under_low`, `over_high` and so on near a cut, `duplicate`, `rule` or `no_text`.
        bin: the hundredth of a score that it stands for, for `bin`; -10 is [-0.10, -0.09).
        keeper: the sample that stands for it, itself when it stands alone.
    """

    source: str
    place: str
    bin: int | None
    sample_id: str
    media_sha256: str
    duration_us: int
    tier: str
    score_1e4: int | None
    rule: str | None
    duplicate_group: str | None
    keeper: str
    texts: tuple[ExampleText, ...]


class Joined(_Model):
    """Why a sample is in its group.

    Attributes:
        kind: `exact`, or the kind of the edge: `overlap`, `perceptual` or `semantic`.
        neighbour: the sample that it resembles: the kept one that stands for it, or one of the group.
    """

    kind: str
    similarity_1e4: int
    neighbour: str


class GroupMember(_Model):
    """A sample of a group, as a page shows it.

    Attributes:
        keeper: the sample that stands for it; itself when it is kept.
        sharded: whether it goes into a shard.
        joined: None for the first one that is shown, and where only members that are not shown resemble it.
        picture: a few of its score frames side by side, as base64 of a JPEG; None where the run kept none.
    """

    source: str
    sample_id: str
    media_sha256: str
    duration_us: int
    tier: str
    score_1e4: int | None
    rule: str | None
    keeper: str
    sharded: bool
    joined: Joined | None
    picture: str | None
    texts: tuple[ExampleText, ...]


class SampleGroup(_Model):
    """Samples that are duplicates of each other (`duplicate`), or mean nearly the same (`near`).

    Attributes:
        size: how many samples it has; `members` are a few of them.
        sources: (source, samples), most first.
    """

    kind: Literal["duplicate", "near"]
    group: str
    size: int
    sources: tuple[tuple[str, int], ...]
    members: tuple[GroupMember, ...]


class Said(BaseModel):
    """What a page sends: a verdict of a clip and its chosen text; what else it says of them is not taken from it."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    sample_id: str = Field(pattern=r"^[a-z2-7]{26}$")
    verdict: Verdict


class Pair(_Model):
    """A sample and the text that stands for it, as a judged run has them.

    Attributes:
        scoring: name of the scoring under which the text was chosen (`ScorerFacts.scoring`).
        aggregation: the aggregation over frames whose score is given.
    """

    sample_id: str
    source: str
    text_id: str
    scoring: str
    aggregation: str
    score_1e4: int


class Label(Pair):
    """What a person says of a pair after looking at it; a later label of the same pair and scoring replaces it."""

    verdict: Verdict


class LabelStore(Protocol):
    """Where labels are kept; handed to the server by the command line."""

    def add(self, label: Label) -> None: ...

    def all(self) -> tuple[Label, ...]: ...
