"""Which of the three models something is, and all that it takes to build it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from training.model.classifier import VideoClassifier
from training.model.config import EncoderConfig, TextConfig
from training.model.encoder import VideoEncoder
from training.model.video_text import AUXILIARY_LAYERS, VideoTextModel

Kind = Literal["encoder", "video_text", "classifier"]
Model = VideoEncoder | VideoTextModel | VideoClassifier


@dataclass(frozen=True, kw_only=True)
class ModelSizes:
    """A model without its weights.

    text: of a video-text model.     auxiliary_layers: of a video-text model.     labels: of a classifier.
    pooling_width: of the pooler's attention; None is what the model's class takes.
    """

    kind: Kind
    video: EncoderConfig
    text: TextConfig | None = None
    auxiliary_layers: int = AUXILIARY_LAYERS
    pooling_width: int | None = None
    labels: tuple[str, ...] = ()

    def build(self) -> Model:
        """Return the model with new weights.

        Raises:
            ValueError: the sizes do not fit each other.
        """
        if self.kind == "encoder":
            return VideoEncoder(self.video)
        if self.kind == "classifier":
            return VideoClassifier(self.video, self.labels, self.pooling_width)
        if self.text is None:
            raise ValueError("text is None; allowed for a video-text model: a TextConfig; give its sizes")
        return VideoTextModel(self.video, self.text, self.auxiliary_layers, self.pooling_width)


def sizes_of(model: Model) -> ModelSizes:
    """Return the sizes of a model."""
    if isinstance(model, VideoEncoder):
        return ModelSizes(kind="encoder", video=model.config)
    if isinstance(model, VideoClassifier):
        return ModelSizes(
            kind="classifier",
            video=model.vision_model.config,
            pooling_width=model.head.q_proj.out_features,
            labels=model.labels,
        )
    tower = model.video_model
    return ModelSizes(
        kind="video_text",
        video=tower.vision_model.config,
        text=model.text_model.config,
        auxiliary_layers=len(tower.auxiliary_layers),
        pooling_width=tower.head.q_proj.out_features,
    )
