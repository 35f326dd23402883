"""Parts of a training config: the optimiser, how samples come, how clips are changed, what was there before."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.config_file import Strict, resolve_path
from schemas.records import Tier
from training.data import AugmentOptions

Count = Annotated[int, Field(ge=1)]
Share = Annotated[float, Field(ge=0, lt=1)]


class OptimiserConfig(Strict):
    """The optimiser, with a warm-up and a fall of the learning rate.

    Attributes:
        kind: `adamw`, or `adafactor` as in the paper: it keeps a number per row and per column of a matrix in place
            of two per weight. Its rate is in units of each tensor's root mean square, at most 1 / sqrt(step).
        peak_lr: reached after `warmup_steps`, linearly.
        final_lr: reached at the last step, by `linear` and `cosine`.
        fall: the curve after the warm-up. `linear` and `cosine` end at final_lr with the last step (the paper falls
            linearly in stage 1, along a cosine in stage 2); `constant` stays; `inverse_sqrt` is peak_lr times
            sqrt((warmup_steps + 1) / (step + 1)), which does not hang on how many steps there are.
        weight_decay: of matrices; norms, biases, tables of positions and the temperature have none.
        beta1, beta2: of AdamW; Adafactor has no momentum, and its decay follows the step.
        clip_norm: gradients are scaled down to this norm; None leaves them as they are.
    """

    kind: Literal["adamw", "adafactor"] = "adamw"
    peak_lr: Annotated[float, Field(gt=0)]
    final_lr: Annotated[float, Field(ge=0)] = 0.0
    warmup_steps: Annotated[int, Field(ge=0)] = 0
    fall: Literal["linear", "cosine", "constant", "inverse_sqrt"] = "cosine"
    weight_decay: Annotated[float, Field(ge=0)] = 0.0
    beta1: Annotated[float, Field(ge=0, lt=1)] = 0.9
    beta2: Annotated[float, Field(gt=0, lt=1)] = 0.98
    clip_norm: Annotated[float, Field(gt=0)] | None = 1.0

    @model_validator(mode="after")
    def _ordered(self) -> OptimiserConfig:
        if self.final_lr > self.peak_lr:
            raise ValueError(f"final_lr is {self.final_lr} and peak_lr {self.peak_lr}; allowed: final_lr <= peak_lr")
        if self.fall in ("constant", "inverse_sqrt") and self.final_lr:
            raise ValueError(f"final_lr is of linear and cosine and fall is {self.fall}; remove final_lr")
        unused = sorted({"beta1", "beta2"} & self.model_fields_set)
        if self.kind == "adafactor" and unused:
            raise ValueError(f"{', '.join(unused)} is of adamw and kind is adafactor; remove it, or take adamw")
        return self


class LoaderConfig(Strict):
    """How samples come to a step; what comes does not hang on it.

    Attributes:
        kind: `cache` decodes all shards once, before the first step; `stream` reads and decodes each clip when it is
            wanted, for corpora whose frames no disk holds.
        ahead: batches that are made while a step is under way.
        workers: of a stream: processes of each rank that decode.
        reads: of a stream: reads at a time.
        deadline_s: of a stream: how long a clip may take to decode; one that takes longer stops the training.
    """

    kind: Literal["cache", "stream"] = "cache"
    ahead: Annotated[int, Field(ge=0)] = 2
    workers: Count = 2
    reads: Count = 4
    deadline_s: Annotated[float, Field(gt=0)] = 60.0


class FinalPhaseConfig(Strict):
    """The last steps draw from some tiers alone: the paper's text alignment ends so, on its best source.

    Attributes:
        share: of all steps, rounded up.
        tiers: that are drawn from, by their samples' weights.
    """

    share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    tiers: Annotated[tuple[Tier, ...], Field(min_length=1)] = (Tier.CLEAN,)


class AugmentConfig(Strict):
    """Changes of clips that keep their motion: `training.data.AugmentOptions`."""

    crop: Annotated[float, Field(gt=0, le=1)] = 1.0
    flip: Annotated[float, Field(ge=0, le=1)] = 0.0
    colour: Share = 0.0
    directed_sources: tuple[str, ...] = ()

    @property
    def options(self) -> AugmentOptions:
        """The same for `augmented`."""
        return AugmentOptions(**self.model_dump())


class _OneOf(Strict):
    """Exactly one of several keys; those in `paths` are relative to the config's file."""

    @classmethod
    def _choices(cls) -> tuple[str, ...]:
        raise NotImplementedError

    @classmethod
    def _paths(cls) -> tuple[str, ...]:
        raise NotImplementedError

    @model_validator(mode="after")
    def _exactly_one(self) -> Self:
        given = [name for name in self._choices() if getattr(self, name) is not None]
        if len(given) != 1:
            said = " and ".join(given) or "nothing"
            raise ValueError(f"{said} is given; allowed: exactly one of {', '.join(self._choices())}; give one")
        return self

    def resolved(self, folder: Path) -> Self:
        """Return the same with paths that do not hang on where the config's file lies."""
        texts = {name: getattr(self, name) for name in self._paths()}
        return self.model_copy(
            update={name: str(resolve_path(folder, text)) for name, text in texts.items() if text is not None}
        )


class TokenizerConfig(_OneOf):
    """Where the ids of texts come from, in place of a vocabulary that is learnt from the run's texts.

    Attributes:
        sentencepiece: a SentencePiece model's file.
        open_clip: one of open_clip's tokenizers, by name, or `local-dir:FOLDER`.
    """

    sentencepiece: str | None = None
    open_clip: str | None = None

    @classmethod
    def _choices(cls) -> tuple[str, ...]:
        return "sentencepiece", "open_clip"

    @classmethod
    def _paths(cls) -> tuple[str, ...]:
        return ("sentencepiece",)


class InitConfig(_OneOf):
    """Where the encoder's first weights come from, in place of random ones.

    Attributes:
        encoder: the folder of an earlier encoder.
        open_clip: an open_clip model whose image tower becomes the spatial transformer: an architecture, or a folder
            with its open_clip_config.json and weights.
        weights: of an architecture: a weight file, or a tag of open_clip.
    """

    encoder: str | None = None
    open_clip: str | None = None
    weights: str | None = None

    @classmethod
    def _choices(cls) -> tuple[str, ...]:
        return "encoder", "open_clip"

    @classmethod
    def _paths(cls) -> tuple[str, ...]:
        return ("encoder",)

    @model_validator(mode="after")
    def _weights_of_open_clip(self) -> Self:
        if self.weights is not None and self.open_clip is None:
            raise ValueError("weights is of open_clip, which is not given; give open_clip too, or remove weights")
        return self

    def resolved(self, folder: Path) -> Self:
        """See `_OneOf`; weights are a file where there is one, and a tag otherwise."""
        found = super().resolved(folder)
        if self.weights is None or not resolve_path(folder, self.weights).is_file():
            return found
        return found.model_copy(update={"weights": str(resolve_path(folder, self.weights))})
