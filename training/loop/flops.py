"""How many floating-point operations a clip of training takes, by the sizes of the model alone.

Products of matrices are counted, a multiplication and an addition as two; norms, softmax and activations are not. A
layer that learns costs three forward passes: one forward, two backward. What is computed again to save memory is not
counted: this is the work that the model needs, of which `mfu` is a share of what the device could do.
"""

from __future__ import annotations

from training.model import EncoderConfig, TextConfig
from training.model.encoder import CHANNELS
from training.model.video_text import AUXILIARY_LAYERS, INNER_FACTOR
from training.objectives.decoders import DecoderConfig
from training.objectives.masks import kept_count

LEARNS = 3  # forward passes that forward and backward together cost


def layers_flops(layers: int, tokens: float, attended: float, width: int, mlp_width: int) -> float:
    """Return what transformer layers cost forward.

    Args:
        tokens: that go through.
        attended: how many of them each one attends to.
    """
    weights = 4 * width**2 + 2 * width * mlp_width
    return layers * tokens * (2 * weights + 4 * attended * width)


def encoder_flops(encoder: EncoderConfig, patches: float) -> float:
    """Return what a clip costs forward with that many visible patches in each of the encoder's frames."""
    tokens, width = encoder.frames * patches, encoder.width
    projection = 2 * tokens * CHANNELS * encoder.patch_px**2 * width
    space = layers_flops(encoder.spatial_layers, tokens, patches, width, encoder.mlp_width)
    return projection + space + layers_flops(encoder.temporal_layers, tokens, encoder.frames, width, encoder.mlp_width)


def pool_flops(tokens: float, width: int, inner: int) -> float:
    """Return what attention pooling costs forward: keys and values of all tokens, and one query."""
    return 2 * tokens * width * 2 * inner + 4 * tokens * inner + 4 * width * inner


def _head_flops(encoder: EncoderConfig, tokens: float) -> float:
    auxiliary = layers_flops(AUXILIARY_LAYERS, tokens, tokens, encoder.width, encoder.mlp_width)
    return auxiliary + pool_flops(tokens, encoder.width, INNER_FACTOR * encoder.width)


def stage_one_flops(encoder: EncoderConfig, text: TextConfig, dropped_share: float, text_tokens: float) -> float:
    """Return what a pair costs in a step of stage 1.

    Args:
        text_tokens: of an average text, its class token left out.
    """
    patches = kept_count(encoder.patches, dropped_share)
    # The class token goes through too, and causal attention is computed in full.
    length = text_tokens + 1
    words = layers_flops(text.layers, length, length, text.width, text.mlp_width)
    return LEARNS * (encoder_flops(encoder, patches) + _head_flops(encoder, encoder.frames * patches) + words)


def stage_two_flops(encoder: EncoderConfig, decoder: DecoderConfig, masked_share: float) -> float:
    """Return what a clip costs in a step of stage 2: the student, both decoders, and the teacher, which learns not."""
    visible = encoder.frames * kept_count(encoder.patches, masked_share)
    every = encoder.frames * encoder.patches
    student = encoder_flops(encoder, visible / encoder.frames)
    width, inner = encoder.width, decoder.width
    local = layers_flops(decoder.layers, every, every, inner, decoder.mlp_width) + 2 * (visible + every) * width * inner
    whole = layers_flops(decoder.layers, visible, visible, inner, decoder.mlp_width) + 4 * visible * width * inner
    whole += pool_flops(visible, width, width)
    teacher = encoder_flops(encoder, encoder.patches) + _head_flops(encoder, every)
    return LEARNS * (student + local + whole) + teacher
