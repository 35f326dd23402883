"""What judging is told in `CORPUS.yaml`: cuts, rules on other signals, the choice of a text, weights, duplicates."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from schemas.config_file import Strict
from schemas.records import TextKind

# ISO 639 name for "undetermined": a text that is too short to tell its language.
UNKNOWN_LANGUAGE = "und"
# What trains on the shards: pairs of clips and texts, then clips alone (docs/training.md).
TRAINING_STAGES = ("stage1", "stage2")


class Quantile(Strict):
    """A cut at a quantile of the source's own best-text scores, whatever else holds a clip back."""

    quantile: float = Field(ge=0.0, le=1.0)


class Share(Strict):
    """The highest cut that at least this share of the source's clips reach, of those that nothing else holds back."""

    share: float = Field(ge=0.0, le=1.0)


class Clips(Strict):
    """The highest cut that at least this many of the source's clips reach, of those that nothing else holds back.

    A source that has fewer gives all that have a score.
    """

    clips: int = Field(ge=1)


Cut = Annotated[float, Field(ge=-1.0, le=1.0)] | Quantile | Share | Clips


class Cuts(Strict):
    """Where a source's scores are cut: absolute cosines, quantiles, target shares or target numbers of clips.

    Attributes:
        clean: at or above it a clean source's sample is `clean`; below it gets a noisy label. Noisy sources ignore it.
        high: at or above it a sample is `noisy_high`.
        low: at or above it a sample is `noisy_low`; below it its texts are not trusted: `video_only`.
    """

    clean: Cut = Quantile(quantile=0.05)
    high: Cut = Quantile(quantile=0.5)
    low: Cut = Quantile(quantile=0.1)

    @model_validator(mode="after")
    def _ordered(self) -> Cuts:
        low, high = _strictness(self.low), _strictness(self.high)
        if low[0] == high[0] and low[1] > high[1]:
            raise ValueError(
                f"low is {self.low} and high is {self.high}; allowed: a low that no fewer clips reach; swap them"
            )
        return self


def _strictness(cut: Cut) -> tuple[str, float]:
    """Return (unit, a number that is larger for a stricter cut): cuts of one unit compare before any data is seen."""
    if isinstance(cut, Quantile):
        return "quantile", cut.quantile
    if isinstance(cut, Share):
        return "share", -cut.share
    if isinstance(cut, Clips):
        return "clips", -float(cut.clips)
    return "absolute", cut


class VideoRules(Strict):
    """What a clip's own signals must be; a clip that breaks a rule is left out of the shards, or only labelled.

    Attributes:
        min_duration_s, max_duration_s: bounds of the re-encoded clip's length, both included.
        min_flow: least mean motion, as a share of the picture's shorter side per second.
        max_static_share: most of the neighbouring sampled frames may not differ, as a share.
        max_black_share: most of the sampled frames may be black, as a share.
        max_text_area: most of the picture may be covered by text, as a share; a clip in which nobody looked for text
            breaks it.
        action: `leave_out` of the shards, or `label` in the selection and nothing else.
    """

    min_duration_s: float | None = Field(default=None, ge=0.0)
    max_duration_s: float | None = Field(default=None, gt=0.0)
    min_flow: float | None = Field(default=None, ge=0.0, le=10.0)
    max_static_share: float | None = Field(default=None, ge=0.0, le=1.0)
    max_black_share: float | None = Field(default=None, ge=0.0, le=1.0)
    max_text_area: float | None = Field(default=None, ge=0.0, le=1.0)
    action: Literal["leave_out", "label"] = "leave_out"

    @model_validator(mode="after")
    def _satisfiable(self) -> VideoRules:
        low, high = self.min_duration_s, self.max_duration_s
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_duration_s is {low} and max_duration_s is {high}; allowed: min <= max; swap them")
        return self


class TextRules(Strict):
    """Which texts may stand for a clip; a clip that has none keeps its video and loses its text, not its place.

    Attributes:
        languages: ISO 639 codes; `und` admits texts that are too short to tell. None admits all.
        min_words, max_words: bounds of the number of words between white space, both included.
    """

    languages: tuple[str, ...] | None = None
    min_words: int | None = Field(default=None, ge=1)
    max_words: int | None = Field(default=None, ge=1)

    @field_validator("languages")
    @classmethod
    def _codes(cls, languages: tuple[str, ...] | None) -> tuple[str, ...] | None:
        bad = [code for code in languages or () if not (code.isalpha() and code.islower() and 2 <= len(code) <= 3)]
        if bad or languages == ():
            raise ValueError(f"languages is {list(languages or ())}; allowed: ISO 639 codes such as en, or und")
        return languages

    @model_validator(mode="after")
    def _satisfiable(self) -> TextRules:
        low, high = self.min_words, self.max_words
        if low is not None and high is not None and low > high:
            raise ValueError(f"min_words is {low} and max_words is {high}; allowed: min <= max; swap them")
        return self


class TextChoice(Strict):
    """Which text wins when a sample has several that the rules admit.

    Attributes:
        by: the best `score`; or the first `kind` of `kinds` that is there, and the best score inside it.
        kinds: their order for `kind`; kinds that are not named come after all others, by name.
    """

    by: Literal["score", "kind"] = "score"
    kinds: tuple[TextKind, ...] = ()

    @model_validator(mode="after")
    def _used(self) -> TextChoice:
        if (self.by == "kind") != bool(self.kinds):
            raise ValueError(
                f"by is {self.by!r} and kinds is {[kind.value for kind in self.kinds]}; allowed: by: kind "
                "with kinds in their order, or by: score without them"
            )
        return self


class Rules(Strict):
    """Everything beside the cuts that decides about a sample."""

    video: VideoRules = VideoRules()
    text: TextRules = TextRules()
    choice: TextChoice = TextChoice()


class TierWeights(Strict):
    """Sampling weight of each tier, as stage 1 wants it by default: texts that fit badly come less often."""

    clean: float = Field(default=1.0, ge=0.0, le=100.0)
    noisy_high: float = Field(default=1.0, ge=0.0, le=100.0)
    noisy_low: float = Field(default=0.25, ge=0.0, le=100.0)
    video_only: float = Field(default=1.0, ge=0.0, le=100.0)

    def weight_1e4(self, tier: str) -> int:
        """Return a tier's weight; 10,000 is 1."""
        return round(float(getattr(self, tier)) * 10_000)


class StageTwoWeights(TierWeights):
    """Sampling weight of each tier for stage 2, which reads no text: by default a clip is a clip."""

    noisy_low: float = Field(default=1.0, ge=0.0, le=100.0)


class Weights(Strict):
    """Sampling weights of both training stages.

    Tiers without their stage are the short form: they hold for both, and what they leave out is each stage's own.
    """

    stage1: TierWeights = TierWeights()
    stage2: StageTwoWeights = StageTwoWeights()

    @model_validator(mode="before")
    @classmethod
    def _of_both(cls, document: Any) -> Any:
        if isinstance(document, dict) and document and not document.keys() & set(TRAINING_STAGES):
            return dict.fromkeys(TRAINING_STAGES, document)
        return document

    def of_stage(self, stage: str) -> TierWeights:
        """Return the weights of `stage1` or `stage2`."""
        found: TierWeights = getattr(self, stage)
        return found


class Balance(Strict):
    """Per-concept balancing (MetaCLIP, arXiv 2309.16671, section 3): common concepts are sampled less.

    A concept that the chosen texts of `count` sharded samples name keeps the share min(1, clips_per_concept / count);
    a sample's weight is multiplied by the chance that at least one of its concepts keeps it.

    Attributes:
        concepts: file with one concept a line, a word or several; matched as whole words, case folded.
        clips_per_concept: MetaCLIP's t; 20,000 for its 400 million pairs.
        unmatched: weight of a text that names no concept; MetaCLIP has 0. Samples without a text are left as they are.
        stages: whose weights are balanced; stage 2 reads no text, so by default it is not.
    """

    concepts: Path
    clips_per_concept: int = Field(default=20_000, ge=1)
    unmatched: float = Field(default=0.0, ge=0.0, le=1.0)
    stages: tuple[Literal["stage1", "stage2"], ...] = Field(default=("stage1",), min_length=1)
