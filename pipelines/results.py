"""What commands read from a run that is already there: statistics, the page, verification."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, replace
from pathlib import Path

from curation.labels import RunLabels, current_labels, selected_pairs, shown_pairs
from curation.manifests import read_manifest, read_pointer
from curation.store import Store
from curation.stores import open_store
from curation.verify import find_planted, remove_leftovers, verify_run
from curation.verify_report import VerifyReport
from dashboard import PageFacts, render_page
from dashboard.server import Served
from pipelines.pages import PageWishes, label_rows, page_facts, trained
from pipelines.run_folder import read_run, read_statistics
from pipelines.world import planted_copies
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.evaluation import Evaluation
from schemas.examples import Label
from schemas.run import REPORT_HTML, RunAddress, address_of, media_path
from schemas.statistics import Statistics
from schemas.training import TrainingSummary


@dataclass(frozen=True, kw_only=True)
class Results:
    """A judged run, read back."""

    config: CorpusConfig
    store: Store
    statistics: Statistics
    planted: tuple[int, int] | None
    training: tuple[TrainingSummary, ...] = ()
    evaluation: Evaluation | None = None


def read_results(folder: RunAddress) -> Results:
    """Return a judged run's statistics.

    Raises:
        ConfigError: the folder holds no run, one that is not judged yet, or one that another version judged.
    """
    config = CorpusConfig.model_validate(read_run(folder).config)
    store = open_store(folder)
    statistics = read_statistics(folder)
    made_up = any(source.format == "synthetic" for source in config.sources)
    planted = find_planted(store, planted_copies(config)) if made_up else None
    training, evaluation = trained(store)
    return Results(
        config=config, store=store, statistics=statistics, planted=planted, training=training, evaluation=evaluation
    )


def write_page(folder: RunAddress, html: Path | None, against: RunAddress | None = None) -> RunAddress:
    """Write the page of a run to `html`, or into the run; returns where it lies.

    Args:
        against: a run to compare with; only a page that goes elsewhere may: the run's own is a function of the run.

    Raises:
        ConfigError: the run has no manifest yet.
    """
    if against is not None and html is None:
        raise ConfigError("--against: a run's own page shows that run alone; give --html FILE, or --serve")
    statistics, facts = _page_inputs(folder, PageWishes(other=_other(against)))
    page = render_page(statistics, facts)
    if html is None:
        store = open_store(folder)
        store.write(REPORT_HTML, page.encode("utf-8"))
        return address_of(f"{store.address}/{REPORT_HTML}")
    html.write_text(page, encoding="utf-8")
    return html


def _other(against: RunAddress | None) -> Statistics | None:
    return None if against is None else read_results(against).statistics


def _page_inputs(folder: RunAddress, wishes: PageWishes) -> tuple[Statistics, PageFacts]:
    results = read_results(folder)
    pointer = read_pointer(results.store)
    if pointer is None:
        raise ConfigError(f"RUN is {folder}: it has no shards yet; run `clipstrata shard` or `clipstrata build`")
    manifest = read_manifest(results.store, pointer.version)
    return results.statistics, page_facts(results.store, results.statistics, manifest, results.planted, wishes)


def served_run(folder: RunAddress, against: RunAddress | None = None) -> Served:
    """Return a run as the server shows it: read once, drawn anew for every reader, since labels change.

    Raises:
        ConfigError: the run has no manifest yet.
    """
    statistics, facts = _page_inputs(folder, PageWishes(other=_other(against), served=True))
    store, scorer = open_store(folder), statistics.scorer
    labels = RunLabels(store)
    shown = shown_pairs(store, scorer)
    pairs = {**selected_pairs(store, labels.all(), scorer), **shown}

    def given_labels() -> list[Label]:
        return current_labels(labels.all(), pairs)

    def page() -> str:
        given = given_labels()
        verdicts = {label.sample_id: label.verdict for label in given}
        assert facts.feed is not None
        feed = replace(facts.feed, labels=label_rows(given), verdicts=verdicts)
        return render_page(statistics, replace(facts, feed=feed))

    return Served(
        page=page,
        media=lambda sha256: store.kept(media_path(sha256)),
        pair=shown.get,
        labels=labels,
        precision=lambda: label_rows(given_labels()),
        token=secrets.token_urlsafe(24),
    )


def verify_folder(folder: RunAddress, *, clean: bool, decode: int) -> tuple[VerifyReport, int]:
    """Verify a run; returns the report and how many leftovers were removed.

    Args:
        decode: how many clips are decoded; `curation.verify_selection.ALL_CLIPS` is every one.

    Raises:
        ConfigError: the folder holds no run.
    """
    state = read_run(folder)
    config = CorpusConfig.model_validate(state.config)
    store = open_store(folder)
    report = verify_run(store, config, decode)
    if report.problems and state.stage("shard") is None:
        report.problems.append("the run changed after its last manifest: run `clipstrata build` to its end")
    if not clean:
        return report, 0
    removed = remove_leftovers(store, report)
    return verify_run(store, config, decode), removed
