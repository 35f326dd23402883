"""A file of cuts, as the page exports it: `clipstrata judge CORPUS.yaml --out RUN --cuts FILE`."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field

from schemas.config_file import ConfigError, Strict, load_yaml
from schemas.corpus import CorpusConfig
from schemas.judging import Cuts
from schemas.statistics import ScorerFacts


class CutsFile(Strict):
    """Cuts per source, for scores of one model.

    Attributes:
        scoring: name of the scoring that they were set on (`ScorerFacts.scoring`); other scores are refused.
        aggregation: the aggregation over frames that they were set on.
    """

    corpus: str
    scoring: str
    aggregation: str
    cuts: dict[str, Cuts] = Field(min_length=1)


def load_cuts(path: Path) -> CutsFile:
    """Read a file of cuts.

    Raises:
        ConfigError: it cannot be read, or holds what is not allowed.
    """
    return load_yaml(path, CutsFile, what="cuts file", guide="docs/dashboard.md")


def with_cuts(config: CorpusConfig, found: CutsFile, scorer: ScorerFacts | None) -> CorpusConfig:
    """Return a corpus config with the cuts of a file in place of its own, for the sources that the file names.

    Args:
        scorer: what the run was scored by; None before it was.

    Raises:
        ConfigError: the file is of another corpus, of other scores, or names a source that there is not.
    """
    if found.corpus != config.corpus:
        raise ConfigError(f"cuts file: is of corpus {found.corpus!r}; allowed: {config.corpus!r}; export it again")
    scored = None if scorer is None else scorer.scoring
    if scored != found.scoring or found.aggregation != config.scorer.aggregation:
        raise ConfigError(
            f"cuts file: was set on scores of {found.scoring} ({found.aggregation}), and this run has {scored} "
            f"({config.scorer.aggregation}); scores of two models do not compare: set the cuts anew on this run's page"
        )
    unknown = sorted(set(found.cuts) - {source.name for source in config.sources})
    if unknown:
        raise ConfigError(f"cuts file: names sources {unknown}; allowed: those of the corpus file; export it again")
    sources = tuple(
        source.model_copy(update={"cuts": found.cuts[source.name]}) if source.name in found.cuts else source
        for source in config.sources
    )
    return config.model_copy(update={"sources": sources})
