"""Small random checkpoints with the keys and shapes of the published ones."""

from __future__ import annotations

import numpy as np

Arrays = dict[str, np.ndarray]
WIDTH, HEADS, MLP, PATCH = 24, 2, 40, 6


class Draw:
    """Random arrays, spread enough that every one of them shows in the outputs."""

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, *shape: int) -> np.ndarray:
        return (self._rng.standard_normal(shape) * 0.2).astype(np.float32)


def norm(draw: Draw, name: str, *stack: int) -> Arrays:
    return {f"{name}/scale": draw(*stack, WIDTH), f"{name}/bias": draw(*stack, WIDTH)}


def attention(draw: Draw, name: str, head: int, *stack: int) -> Arrays:
    found = {}
    for part in ("query", "key", "value"):
        found |= {f"{name}/{part}/w": draw(*stack, WIDTH, HEADS, head), f"{name}/{part}/b": draw(*stack, HEADS, head)}
    return found | {f"{name}/post/w": draw(*stack, WIDTH, HEADS, head), f"{name}/post/b": draw(*stack, WIDTH)}


def layers(draw: Draw, name: str, count: int, mlp: int = MLP) -> Arrays:
    stack = f"{name}/x_layers"
    found = attention(draw, f"{stack}/self_attention", WIDTH // HEADS, count) | norm(draw, f"{stack}/layer_norm", count)
    found |= norm(draw, f"{stack}/ff_layer/layer_norm", count)
    for part, inputs, outputs in (("ffn_layer1", WIDTH, mlp), ("ffn_layer2", mlp, WIDTH)):
        linear = f"{stack}/ff_layer/{part}/linear"
        found |= {f"{linear}/kernel": draw(count, inputs, outputs), f"{linear}/bias": draw(count, outputs)}
    return found


def pooler(draw: Draw, name: str, inner: int) -> Arrays:
    found = attention(draw, f"{name}/pooling_attention", inner // HEADS)
    found[f"{name}/pooling_attention/per_dim_scale/per_dim_scale"] = draw(inner // HEADS)
    found[f"{name}/pooling_attention_query"] = draw(1, WIDTH)
    return found | norm(draw, f"{name}/pooling_attention_layer_norm")


def encoder_arrays(root: str = "params", seed: int = 0) -> Arrays:
    """4 frames, a grid of 3 x 3 patches of 6 px, 2 spatial layers and 1 temporal."""
    draw = Draw(seed)
    found = {
        f"{root}/patch_projection/linear/kernel": draw(PATCH * PATCH * 3, WIDTH),
        f"{root}/patch_projection/linear/bias": draw(WIDTH),
        f"{root}/spatial_pos_emb/emb_var": draw(9, WIDTH),
        f"{root}/temporal_pos_emb/emb_var": draw(4, WIDTH),
    }
    found |= norm(draw, f"{root}/spatial_ln") | norm(draw, f"{root}/temporal_ln")
    found |= layers(draw, f"{root}/spatial_encoder/transformers_stack", 2)
    return found | layers(draw, f"{root}/temporal_encoder/transformers_stack", 1)


def classifier_arrays() -> Arrays:
    """Five labels; the pooling is D wide."""
    draw = Draw(1)
    found = encoder_arrays("params/encoder") | pooler(draw, "params/atten_pooler", WIDTH)
    return found | {"params/projection/linear/kernel": draw(WIDTH, 5), "params/projection/linear/bias": draw(5)}


def video_text_arrays() -> Arrays:
    """One auxiliary layer; two layers of text; 50 words. The pooling is wider than the encoder's MLPs."""
    draw = Draw(2)
    found = encoder_arrays("params/vision_encoder")
    found |= layers(draw, "params/auxiliary_encoder/transformers_stack", 1)
    found |= pooler(draw, "params/contrastive_vision_pooler", 4 * WIDTH)
    found |= {
        "params/text_encoder/token_emb/emb_var": draw(50, WIDTH),
        "params/text_encoder/cls_emb": draw(1, 1, WIDTH),
    }
    found |= norm(draw, "params/text_encoder/unimodal_ln")
    return found | layers(draw, "params/text_encoder/unimodal_transformer", 2, 4 * WIDTH)


# what the published code's models would be given for them
ARGUMENTS = {
    "patch_size": PATCH,
    "pos_emb_shape": [4, 3, 3],
    "model_dim": WIDTH,
    "num_heads": HEADS,
    "mlp_dim": MLP,
    "num_spatial_layers": 2,
    "num_temporal_layers": 1,
    "atten_logit_cap": 50.0,
    "scan": True,
}
TEXT_ARGUMENTS = {"vocabulary_size": 50, "num_unimodal_layers": 2, "num_auxiliary_layers": 1, "norm_policy": "pre"}
