from __future__ import annotations

from typing import get_args

import pytest
from pydantic import ValidationError

from curation.sources import check_source
from curation.sources.adapter import Container
from curation.sources.corpora import ADAPTERS
from curation.sources.registry import adapter_of, container_of
from schemas.config_file import ConfigError
from schemas.corpus import CORPUS_FORMATS, FORMATS, NAME_PATTERN, SourceConfig
from schemas.fetching import FetchPolicy

LICENCE = {"name": "CC0-1.0", "basis": "own", "terms": "ours"}
SOURCE = {"name": "stock", "origin": "clean", "location": "rows.csv", "licence": LICENCE}


def test_the_names_a_corpus_file_may_use_are_those_of_the_adapters() -> None:
    assert sorted(CORPUS_FORMATS) == sorted(adapter.name for adapter in ADAPTERS)
    assert len(set(FORMATS)) == len(FORMATS)


@pytest.mark.parametrize("name", FORMATS)
def test_every_format_has_a_container(name: str) -> None:
    allowed = (*get_args(Container), "tar", "folder", "mediapack", "synthetic")
    assert container_of(name) in allowed and NAME_PATTERN.fullmatch(name)
    assert (adapter_of(name) is not None) == (name in CORPUS_FORMATS)


def test_an_unknown_format_is_refused_with_the_names_of_all() -> None:
    with pytest.raises(ValidationError) as caught:
        SourceConfig.model_validate({**SOURCE, "format": "webvit"})
    assert f"format is 'webvit'; allowed: {', '.join(FORMATS)}" in str(caught.value)


@pytest.mark.parametrize("name", CORPUS_FORMATS)
def test_a_corpus_is_asked_which_texts_it_is_read_for(name: str) -> None:
    with pytest.raises(ValidationError, match="needs text_kinds"):
        SourceConfig.model_validate({**SOURCE, "format": name})
    assert SourceConfig.model_validate({**SOURCE, "format": name, "text_kinds": []}).text_kinds == ()


def test_a_kind_of_text_that_a_corpus_has_not_is_said() -> None:
    for adapter in ADAPTERS:
        kinds = [
            kind for kind in ("asr", "alt", "generated") if kind not in {found.value for found in adapter.text_kinds}
        ]
        source = SourceConfig.model_validate(
            {**SOURCE, "format": adapter.name, "text_kinds": kinds[:1], "location": "s3://b/x"}
        )
        with pytest.raises(ConfigError, match=f"{adapter.name} has no {kinds[0]}"):
            check_source(source, FetchPolicy())
