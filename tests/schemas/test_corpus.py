from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from schemas.config_file import ConfigError
from schemas.corpus import load_corpus
from schemas.judging import Quantile, Weights

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}


def document(**changes: object) -> dict[str, object]:
    source = {"name": "stock", "origin": "clean", "format": "csv", "location": "rows.csv", "licence": LICENCE}
    return {"corpus": "tiny", "sources": [source], **changes}


def write(folder: Path, content: object) -> Path:
    (folder / "rows.csv").write_text("video\n")
    path = folder / "corpus.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def with_source(**changes: object) -> dict[str, object]:
    base = document()
    source = {**base["sources"][0], **changes}
    return {**base, "sources": [{name: value for name, value in source.items() if value is not ...}]}


def test_paths_are_relative_to_the_file_and_defaults_are_filled(tmp_path: Path) -> None:
    config = load_corpus(write(tmp_path, document()))
    assert config.sources[0].location == str(tmp_path / "rows.csv")
    assert config.sources[0].media_root == str(tmp_path)
    assert config.cuts_of(config.sources[0]).high == Quantile(quantile=0.5)


WRONG = {
    "unknown key": (document(cops=1), "cops: unknown key; check the spelling"),
    "unknown key in a source": (with_source(licens="x"), "sources.0.licens: unknown key"),
    "missing licence": (with_source(licence=...), "sources.0.licence: missing; add it"),
    "licence without terms": (
        with_source(licence={"name": "CC0-1.0", "basis": "own"}),
        "sources.0.licence.terms: missing",
    ),
    "unknown basis": (with_source(licence={**LICENCE, "basis": "hope"}), "sources.0.licence.basis: Input should be"),
    "file that is not there": (with_source(location="no.csv"), "no.csv does not exist; allowed: a readable file"),
    "media root that is no folder": (with_source(media_root="rows.csv"), "rows.csv is no folder"),
    "name with a dot": (with_source(name="a.b"), "source name is 'a.b'; allowed: 1 to 40 of a-z, 0-9 and _; rename"),
    "corpus name in capitals": (document(corpus="Big"), "corpus name is 'Big'"),
    "a rule on a signal that is not measured": (
        with_source(rules={"video": {"max_text_area": 0.1}}),
        "rules.video.max_text_area is set for ['stock'] and signals.text_area is false; allowed: the rule where",
    ),
    "the same for all sources": (
        document(rules={"video": {"max_text_area": 0.1}}, signals={"text_area": False}),
        "set signals: {text_area: true}, or drop the rule",
    ),
    "text area as a number": (document(signals={"text_area": 3}), "signals.text_area: Input should be a valid boolean"),
    "no sources": (document(sources=[]), "sources: Tuple should have at least 1 item"),
    "one name twice": (document(sources=[document()["sources"][0]] * 2), "stand twice; allowed: each name once"),
    "weight of no tier": (document(weights={"stage1": {"cleen": 1}}), "weights.stage1.cleen: unknown key"),
    "stages beside tiers": (document(weights={"stage1": {}, "clean": 1}), "weights.clean: unknown key"),
    "odd side": (document(clip={"short_side_px": 97}), "clip.short_side_px: Input should be a multiple of 2"),
    "short over long": (
        document(clip={"min_s": 9, "max_s": 3}),
        "min_s is 9.0 and max_s is 3.0; allowed: min_s <= max_s",
    ),
    "cuts the wrong way round": (document(cuts={"low": 0.5, "high": 0.2}), "low is 0.5 and high is 0.2; allowed"),
    "cut beyond a cosine": (document(cuts={"high": 1.5}), "cuts.high"),
    "prompt without a place": (document(scorer={"prompt": "a photo"}), "prompt is 'a photo'; allowed: exactly one {}"),
    "kind that is not declared": (
        with_source(columns={"texts": {"caption": "c"}}),
        "columns.texts names kinds ['caption'] that text_kinds does not; add them",
    ),
    "mediapack without a part": (with_source(format="mediapack"), "format mediapack needs part"),
    "not a mapping": (["corpus"], "holds list; allowed: keys as docs/corpus.md lists them"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_wrong_is_said_with_how_to_mend_it(case: str, tmp_path: Path) -> None:
    content, message = WRONG[case]
    with pytest.raises(ConfigError) as caught:
        load_corpus(write(tmp_path, content))
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "stage1", "stage2"),
    [
        ({}, (1.0, 1.0, 0.25, 1.0), (1.0, 1.0, 1.0, 1.0)),
        ({"clean": 2, "noisy_low": 0.5}, (2.0, 1.0, 0.5, 1.0), (2.0, 1.0, 0.5, 1.0)),
        # What the short form leaves out is each stage's own.
        ({"clean": 2}, (2.0, 1.0, 0.25, 1.0), (2.0, 1.0, 1.0, 1.0)),
        ({"stage1": {"clean": 2}}, (2.0, 1.0, 0.25, 1.0), (1.0, 1.0, 1.0, 1.0)),
        ({"stage2": {"video_only": 3}}, (1.0, 1.0, 0.25, 1.0), (1.0, 1.0, 1.0, 3.0)),
    ],
)
def test_weights_of_both_stages(tmp_path: Path, weights: dict, stage1: tuple, stage2: tuple) -> None:
    found = load_corpus(write(tmp_path, document(weights=weights))).weights
    assert tuple(found.stage1.model_dump().values()) == stage1
    assert tuple(found.stage2.model_dump().values()) == stage2
    # As a run keeps it.
    assert Weights.model_validate(found.model_dump(mode="json")) == found


def test_a_file_that_is_no_yaml_or_not_there_is_said(tmp_path: Path) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_text("corpus: [")
    with pytest.raises(ConfigError, match="not YAML"):
        load_corpus(broken)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_corpus(tmp_path / "absent.yaml")


def test_a_config_survives_its_own_json(tmp_path: Path) -> None:
    config = load_corpus(write(tmp_path, document()))
    assert type(config).model_validate(config.model_dump(mode="json")) == config
