"""`clipstrata convert`: outputs are the published ones, in transformers too; what is not such a file is refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from transformers import (
    PreTrainedModel,
    VideoPrismClipModel,
    VideoPrismConfig,
    VideoPrismForVideoClassification,
    VideoPrismVisionModel,
)

from beam_runner import main
from schemas.config_file import ConfigError
from tests.training.data.small_spm import spm_file
from tests.training.model.published_arrays import (
    ARGUMENTS,
    TEXT_ARGUMENTS,
    Arrays,
    classifier_arrays,
    encoder_arrays,
    video_text_arrays,
)
from training.convert import convert_weights
from training.data.sentence_pieces import read_sentencepiece
from training.model import (
    EncoderConfig,
    ModelSizes,
    TextConfig,
    VideoEncoder,
    VideoTextModel,
    export_model,
    load_encoder,
    load_model,
    load_video_text,
)
from training.model.described import published_sizes
from training.model.digest import weights_digest
from training.model.exchange import filled
from training.model.published import classifier_state, video_text_state

ORACLE = Path(__file__).resolve().parents[3] / "shared" / "oracle"
TOLERANCE = 2e-5
needs_oracle = pytest.mark.skipif(not (ORACLE / "lvt_io.npz").exists(), reason=f"no published arrays at {ORACLE}")


def written(folder: Path, arrays: Arrays, arguments: dict[str, object]) -> tuple[Path, str]:
    """Write a checkpoint and its sizes."""
    np.savez(folder / "weights.npz", **arrays)
    (folder / "sizes.json").write_text(json.dumps(arguments))
    return folder / "weights.npz", str(folder / "sizes.json")


def opened(kind: type[PreTrainedModel], folder: Path) -> PreTrainedModel:
    model, info = kind.from_pretrained(folder, output_loading_info=True)
    assert not info["missing_keys"] and not info["unexpected_keys"]
    return model.eval()


def far(found: Tensor, wanted: Tensor | np.ndarray) -> float:
    return float((found - torch.as_tensor(wanted)).abs().max())


def channels_first(frames: Tensor) -> Tensor:
    return frames.permute(0, 1, 4, 2, 3)


@needs_oracle
@pytest.mark.parametrize("case", ["same", "up", "down", "frames16", "frames5"])
def test_a_converted_encoder_gives_the_published_outputs_here_and_in_transformers(tmp_path: Path, case: str) -> None:
    found = convert_weights(ORACLE / "encoder_params.npz", str(ORACLE / "encoder_config.json"), tmp_path)
    assert (found.kind, found.parameters) == ("encoder", 142_848)
    arrays = np.load(ORACLE / "encoder_io.npz")
    frames = torch.from_numpy(arrays[f"{case}/input"])
    with torch.no_grad():
        ours = load_encoder(tmp_path)(frames)
        theirs = opened(VideoPrismVisionModel, tmp_path)(channels_first(frames), interpolate_pos_encoding=True)
    assert far(ours.tokens, arrays[f"{case}/output"]) < TOLERANCE
    assert far(ours.spatial, arrays[f"{case}/spatial_features"]) < TOLERANCE
    assert far(theirs.last_hidden_state, arrays[f"{case}/output"]) < TOLERANCE


@needs_oracle
def test_a_converted_video_text_model_gives_the_published_outputs_here_and_in_transformers(tmp_path: Path) -> None:
    found = convert_weights(ORACLE / "lvt_params.npz", str(ORACLE / "lvt_config.json"), tmp_path)
    assert found.kind == "video_text"
    arrays = np.load(ORACLE / "lvt_io.npz")
    frames, ids, paddings = (torch.from_numpy(arrays[name]) for name in ("video", "text_ids", "text_paddings"))
    with torch.no_grad():
        video, text = load_video_text(tmp_path)(frames, ids, paddings)
        theirs = opened(VideoPrismClipModel, tmp_path)(
            channels_first(frames), ids, attention_mask=(paddings == 0).long()
        )
    for embeddings, wanted in ((video, "video_embedding"), (text, "text_embedding")):
        assert far(embeddings, arrays[wanted]) < TOLERANCE
    assert far(theirs.video_embeds, arrays["video_embedding"]) < TOLERANCE
    assert far(theirs.text_embeds, arrays["text_embedding"]) < TOLERANCE


def test_a_published_classifier_gives_the_same_logits_in_transformers(tmp_path: Path) -> None:
    sizes = {"encoder_params": ARGUMENTS, "num_classes": 5}
    found = convert_weights(*written(tmp_path, classifier_arrays(), sizes), tmp_path / "out")
    assert found.kind == "classifier"
    frames = torch.rand(2, 4, 18, 18, 3)
    with torch.no_grad():
        theirs = opened(VideoPrismForVideoClassification, tmp_path / "out")(channels_first(frames)).logits
        assert theirs.shape == (2, 1, 5)
        assert far(load_model(tmp_path / "out")(frames), theirs[:, 0]) < TOLERANCE


def test_widening_a_pooler_or_the_mlps_changes_no_output(tmp_path: Path) -> None:
    towers = published_sizes("here", ARGUMENTS | TEXT_ARGUMENTS)
    assert towers.text is not None
    frames, ids = torch.rand(2, 4, 18, 18, 3), torch.tensor([[4, 9, 2], [7, 0, 0]])
    classifier = filled(
        ModelSizes(kind="classifier", video=towers.video, labels=tuple("abcde")),
        classifier_state(classifier_arrays(), towers.video),
        "here",
    )
    both = filled(
        ModelSizes(kind="video_text", video=towers.video, text=towers.text, auxiliary_layers=1),
        video_text_state(video_text_arrays(), towers.video, towers.text),
        "here",
    )
    for name, model, given in (("classifier", classifier, (frames,)), ("both", both, (frames, ids, ids == 0))):
        export_model(model, tmp_path / name)
        wider = load_model(tmp_path / name)
        with torch.no_grad():
            for found, wanted in zip(wider(*given), model(*given), strict=True):
                assert far(found, wanted) < 2e-6
    assert json.loads((tmp_path / "classifier" / "config.json").read_text())["intermediate_size"] == 40
    assert json.loads((tmp_path / "both" / "config.json").read_text())["vision_config"]["intermediate_size"] == 96
    assert list(json.loads((tmp_path / "classifier" / "config.json").read_text())["id2label"].values()) == list("abcde")


def small_clip(**text: object) -> VideoPrismClipModel:
    torch.manual_seed(4)
    shared = {"hidden_size": 24, "num_attention_heads": 2, "intermediate_size": 96}
    vision = {"num_spatial_layers": 2, "num_temporal_layers": 1, "image_size": 36, "num_frames": 3}
    words = {"num_hidden_layers": 2, "vocab_size": 50, "max_position_embeddings": 16} | text
    return VideoPrismClipModel(VideoPrismConfig(vision_config=shared | vision, text_config=shared | words)).eval()


def test_a_video_text_model_of_transformers_opens_here_and_goes_back(tmp_path: Path) -> None:
    theirs = small_clip()
    theirs.save_pretrained(tmp_path / "theirs")
    found = convert_weights(tmp_path / "theirs", None, tmp_path / "ours")
    assert found.kind == "video_text"
    frames, ids = torch.rand(2, 3, 36, 36, 3), torch.tensor([[4, 9, 2, 31], [7, 0, 0, 0]])
    shown = torch.tensor([[1, 1, 1, 1], [1, 0, 0, 0]])
    ours, again = load_video_text(tmp_path / "ours"), opened(VideoPrismClipModel, tmp_path / "ours")
    with torch.no_grad():
        wanted = theirs(channels_first(frames), ids, attention_mask=shown)
        back = again(channels_first(frames), ids, attention_mask=shown)
        video, text = ours(frames, ids, shown == 0)
    assert far(video, wanted.video_embeds) < TOLERANCE and far(text, wanted.text_embeds) < TOLERANCE
    assert far(back.video_embeds, wanted.video_embeds) < TOLERANCE
    assert far(back.text_embeds, wanted.text_embeds) < TOLERANCE
    assert weights_digest(load_encoder(tmp_path / "ours")) == weights_digest(ours.video_model.vision_model)


def test_a_classifier_of_transformers_opens_here(tmp_path: Path) -> None:
    torch.manual_seed(4)
    config = small_clip().config.vision_config
    config.id2label = {0: "left", 1: "right", 2: "still"}
    theirs = VideoPrismForVideoClassification(config).eval()
    theirs.save_pretrained(tmp_path)
    ours, frames = load_model(tmp_path), torch.rand(2, 3, 36, 36, 3)
    assert getattr(ours, "labels", ()) == ("left", "right", "still")
    with torch.no_grad():
        assert far(ours(frames), theirs(channels_first(frames)).logits[:, 0]) < TOLERANCE


@pytest.mark.parametrize("wavelengths", ["published", "transformers"])
def test_a_video_text_folder_keeps_its_model(tmp_path: Path, wavelengths: str) -> None:
    config = EncoderConfig(
        frames=2,
        image_px=16,
        patch_px=8,
        width=16,
        heads=2,
        mlp_width=64,
        spatial_layers=1,
        temporal_layers=1,
        logit_cap=None,
    )
    text = TextConfig(
        vocabulary=9, max_tokens=64, width=16, heads=2, mlp_width=32, layers=1, wavelengths=wavelengths, logit_cap=None
    )
    model = VideoTextModel(config, text, auxiliary_layers=0)
    export_model(model, tmp_path)
    loaded = load_video_text(tmp_path)
    assert loaded.video_model.vision_model.config == config
    assert loaded.text_model.config == text
    assert weights_digest(loaded) == weights_digest(model)


def test_a_model_without_a_cap_is_one_in_transformers_too(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = EncoderConfig(
        frames=2,
        image_px=16,
        patch_px=8,
        width=16,
        heads=2,
        mlp_width=64,
        spatial_layers=2,
        temporal_layers=1,
        logit_cap=None,
    )
    ours = load_model_of(config, tmp_path)
    frames = torch.rand(2, 2, 16, 16, 3)
    with torch.no_grad():
        theirs = opened(VideoPrismVisionModel, tmp_path)(channels_first(frames)).last_hidden_state
        assert far(ours(frames).tokens, theirs) < TOLERANCE


def load_model_of(config: EncoderConfig, folder: Path) -> torch.nn.Module:
    """Export an encoder with large logits, and open it."""
    model = VideoEncoder(config)
    with torch.no_grad():
        for layer in model.spatial_layers:
            layer.attention.q_proj.weight.mul_(8)
    export_model(model, folder)
    return load_encoder(folder)


def test_bfloat16_weights_and_a_bare_file_are_read(tmp_path: Path) -> None:
    small_clip().save_pretrained(tmp_path / "theirs")
    state = load_file(tmp_path / "theirs" / "model.safetensors")
    half = {name: value.bfloat16() if value.is_floating_point() else value for name, value in state.items()}
    table = "text_model.embeddings.position_embedding"
    half[table] = state[table]
    save_file(half, tmp_path / "half.safetensors")
    found = convert_weights(tmp_path / "half.safetensors", str(tmp_path / "theirs" / "config.json"), tmp_path / "ours")
    ours = load_video_text(tmp_path / "ours")
    assert found.weights_sha256 == weights_digest(ours)
    name = "text_model.layers.0.mlp.fc1.weight"
    assert torch.equal(ours.state_dict()[name], state[name].bfloat16().float())


def test_provenance_says_where_weights_come_from(tmp_path: Path) -> None:
    npz, sizes = written(tmp_path, encoder_arrays(), ARGUMENTS)
    found = convert_weights(npz, sizes, tmp_path / "out")
    facts = json.loads((tmp_path / "out" / "provenance.json").read_bytes())
    assert facts["schema"] == "clipstrata.converted/1"
    assert (facts["kind"], facts["source"]) == ("encoder", "weights.npz")
    assert facts["weights_sha256"] == found.weights_sha256 == weights_digest(load_encoder(tmp_path / "out"))


def test_a_tokenizer_goes_along_if_it_fits(tmp_path: Path) -> None:
    small_clip().save_pretrained(tmp_path / "theirs")
    words = spm_file(tmp_path)
    convert_weights(tmp_path / "theirs", None, tmp_path / "ours", words)
    found = read_sentencepiece(tmp_path / "ours" / "spiece.model", 8)
    assert found(["red dogs"])[0].tolist() == [[5, 8, 9, 4]]
    small_clip(vocab_size=10).save_pretrained(tmp_path / "fewer")
    with pytest.raises(ConfigError, match="has 11 ids; allowed: up to the model's 10"):
        convert_weights(tmp_path / "fewer", None, tmp_path / "out", words)
    npz, sizes = written(tmp_path, encoder_arrays(), ARGUMENTS)
    with pytest.raises(ConfigError, match="reads no texts"):
        convert_weights(npz, sizes, tmp_path / "out", words)


def without(name: str) -> Callable[[Arrays], Arrays]:
    return lambda arrays: {key: value for key, value in arrays.items() if name not in key}


WRONG_NPZ = {
    "a part is missing": (encoder_arrays, ARGUMENTS, without("temporal_ln"), "temporal_ln/scale is absent"),
    "another model": (
        encoder_arrays,
        ARGUMENTS,
        without("patch_projection"),
        "patch_projection/linear/kernel is in the",
    ),
    "fewer layers": (encoder_arrays, ARGUMENTS | {"num_spatial_layers": 3}, dict, "spatial_layers.2.*is absent"),
    "another patch": (encoder_arrays, ARGUMENTS | {"patch_size": 18}, dict, "patch_px is 18"),
    "another width": (encoder_arrays, ARGUMENTS | {"model_dim": 48}, dict, r"allowed by config.json: \(48"),
    "no text described": (video_text_arrays, ARGUMENTS, dict, "--config describes none"),
    "another vocabulary": (
        video_text_arrays,
        ARGUMENTS | TEXT_ARGUMENTS | {"vocabulary_size": 51},
        dict,
        "vocabulary is 51",
    ),
    "Primer norms": (
        encoder_arrays,
        ARGUMENTS | {"norm_policy": "primer_hybrid"},
        dict,
        "norm_policy is 'primer_hybrid'",
    ),
    "not square": (encoder_arrays, ARGUMENTS | {"pos_emb_shape": [4, 3, 2]}, dict, "pos_emb_shape is"),
    "no heads": (encoder_arrays, {"model_dim": 24}, dict, "pos_emb_shape is absent"),
}


@pytest.mark.parametrize(("make", "sizes", "change", "said"), WRONG_NPZ.values(), ids=WRONG_NPZ.keys())
def test_a_checkpoint_that_does_not_fit_is_refused(
    tmp_path: Path, make: Callable[[], Arrays], sizes: dict[str, object], change: Callable[[Arrays], Arrays], said: str
) -> None:
    npz, described = written(tmp_path, change(make()), sizes)
    with pytest.raises(ConfigError, match=said):
        convert_weights(npz, described, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    (tmp_path / "broken.npz").write_bytes(b"PK\x03\x04 and no more")
    (tmp_path / "list.json").write_text("[]")
    for weights, config, said in (
        ("broken.npz", "base", "cannot be read"),
        ("absent.npz", "base", "No such file"),
        ("broken.npz", "huge", "one of tiny, small, base, large, giant, videoprism_public_v1_base"),
        ("broken.npz", str(tmp_path / "list.json"), "holds list"),
        ("broken.npz", None, "give --config"),
    ):
        with pytest.raises(ConfigError, match=said):
            convert_weights(tmp_path / weights, config, tmp_path / "out")


def test_the_command_converts_and_says_what_is_wrong(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    npz, sizes = written(tmp_path, encoder_arrays(), ARGUMENTS)
    out = str(tmp_path / "out")
    assert main(["convert", str(npz), "--config", sizes, "--out", out]) == 0
    assert "parameters" in capsys.readouterr().out
    assert main(["convert", out, "--out", str(tmp_path / "again")]) == 0
    shutil.rmtree(tmp_path / "again")
    assert main(["convert", str(npz), "--config", "base", "--out", str(tmp_path / "again")]) == 2
    assert "patch_px is 18" in capsys.readouterr().err
