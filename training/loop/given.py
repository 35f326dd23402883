"""What a stage 1 brings along: a tokenizer, and first weights of its encoder."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from curation.scorers.base import ScorerUnavailable
from curation.scorers.open_clip_scorer import load_open_clip_model
from schemas.config_file import ConfigError
from training.data.open_clip_tokens import OpenClipTokenizer
from training.data.sentence_pieces import read_sentencepiece
from training.data.tokens import TextTokenizer, load_tokenizer
from training.loop.checkpoints import TOKENIZER, newest_checkpoint
from training.loop.config import StageOneConfig
from training.loop.options import InitConfig
from training.model import TextConfig, VideoEncoder
from training.model.starts import start_from_encoder, start_from_open_clip


def given_tokenizer(config: StageOneConfig) -> TextTokenizer | None:
    """Return the tokenizer that a config names, or None; of a training under way the one in its checkpoint.

    Raises:
        ConfigError: it cannot be read.
    """
    if config.tokenizer is None:
        return None
    tokens, found = config.text.max_tokens, newest_checkpoint(config.folder)
    try:
        if found is not None:
            return load_tokenizer(found.folder / TOKENIZER, tokens)
        if config.tokenizer.sentencepiece is not None:
            return read_sentencepiece(Path(config.tokenizer.sentencepiece), tokens)
        return OpenClipTokenizer(str(config.tokenizer.open_clip), tokens)
    except ValueError as error:
        raise ConfigError(f"tokenizer: {error}") from error


def text_sizes(config: StageOneConfig, tokenizer: TextTokenizer | None) -> TextConfig:
    """Return the text tower's sizes, with the vocabulary of a given tokenizer."""
    return config.text if tokenizer is None else replace(config.text, vocabulary=tokenizer.vocabulary)


def start_encoder(encoder: VideoEncoder, init: InitConfig) -> None:
    """Give an encoder the first weights that a config names.

    Raises:
        ConfigError: they cannot be read, or are of another size.
    """
    try:
        if init.encoder is not None:
            start_from_encoder(encoder, Path(init.encoder))
        else:
            start_from_open_clip(encoder, load_open_clip_model(str(init.open_clip), init.weights).visual)
    except (ScorerUnavailable, ValueError) as error:
        raise ConfigError(f"init: {error}") from error
