"""What commands read from a run that is already there: statistics, the page, verification."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from curation.manifests import read_manifest, read_pointer
from curation.store import LocalStore
from curation.verify import VerifyReport, find_planted, remove_leftovers, verify_run
from dashboard import render_page
from pipelines.build import page_facts, trained
from pipelines.run_folder import read_run
from pipelines.world import planted_copies
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.evaluation import Evaluation
from schemas.run import REPORT_HTML, STATISTICS_JSON
from schemas.statistics import Statistics
from schemas.training import TrainingSummary


@dataclass(frozen=True, kw_only=True)
class Results:
    """A judged run, read back."""

    config: CorpusConfig
    store: LocalStore
    statistics: Statistics
    planted: tuple[int, int] | None
    training: tuple[TrainingSummary, ...] = ()
    evaluation: Evaluation | None = None


def read_results(folder: Path) -> Results:
    """Return a judged run's statistics.

    Raises:
        ConfigError: the folder holds no run, or one that is not judged yet.
    """
    config = CorpusConfig.model_validate(read_run(folder).config)
    store = LocalStore(folder)
    if not store.exists(STATISTICS_JSON):
        raise ConfigError(f"RUN is {folder}: it is not judged yet; run `clipstrata judge` or `clipstrata build`")
    statistics = Statistics.model_validate_json(store.read(STATISTICS_JSON))
    made_up = any(source.format == "synthetic" for source in config.sources)
    planted = find_planted(store, planted_copies(config)) if made_up else None
    training, evaluation = trained(store)
    return Results(
        config=config, store=store, statistics=statistics, planted=planted, training=training, evaluation=evaluation
    )


def write_page(folder: Path, html: Path | None) -> Path:
    """Write the page of a run to `html`, or into the run; returns where it lies.

    Raises:
        ConfigError: the run has no manifest yet.
    """
    results = read_results(folder)
    pointer = read_pointer(results.store)
    if pointer is None:
        raise ConfigError(f"RUN is {folder}: it has no shards yet; run `clipstrata shard` or `clipstrata build`")
    facts = page_facts(results.store, read_manifest(results.store, pointer.version), results.planted)
    page = render_page(results.statistics, facts)
    if html is None:
        results.store.write(REPORT_HTML, page.encode("utf-8"))
        return results.store.root / REPORT_HTML
    html.write_text(page, encoding="utf-8")
    return html


def verify_folder(folder: Path, *, clean: bool) -> tuple[VerifyReport, int]:
    """Verify a run; returns the report and how many leftovers were removed.

    Raises:
        ConfigError: the folder holds no run.
    """
    state = read_run(folder)
    config = CorpusConfig.model_validate(state.config)
    store = LocalStore(folder)
    report = verify_run(store, config)
    if report.problems and state.stage("shard") is None:
        report.problems.append("the run changed after its last manifest: run `clipstrata build` to its end")
    if not clean:
        return report, 0
    removed = remove_leftovers(store, report)
    return verify_run(store, config), removed
