"""What a stage stands on: the finished stages before it, as they lie on the disk."""

from __future__ import annotations

from curation.store import Store
from pipelines.run_folder import Run
from pipelines.units import ScoredUnits
from schemas.canonical import digest_of, sha256_hex
from schemas.run import INDEX_FOLDER, INDEX_JSON, StageState, scores_path, unit_path
from schemas.statistics import ScorerFacts
from schemas.units import UnitCommit


class StageNotReady(ValueError):
    """A stage was asked for before the one that it stands on."""


def ingest_outputs(store: Store, scorer: ScorerFacts, units: list[str]) -> str:
    """Return the digest of what ingest wrote: each unit's two commits, which hold the digests of its parts."""
    paths = [(unit_path(unit), scores_path(scorer.scoring, unit)) for unit in sorted(units)]
    return digest_of([[path, sha256_hex(store.read(path))] for pair in paths for path in pair])


def scored_units(run: Run) -> ScoredUnits:
    """Return the run's units, by name, under the scoring of its last ingest."""
    names = tuple(path.rsplit("/", 1)[1].removesuffix(".json") for path in run.store.list("units"))
    return ScoredUnits(root=run.store.address, scoring=scorer_facts(run).scoring, names=names)


def finished_ingest(run: Run) -> tuple[StageState, ScoredUnits, list[UnitCommit]]:
    """Return the finished ingest that the units on disk are of, and the units.

    Raises:
        StageNotReady: there is none, it was stopped half way, or the corpus has other sources now.
    """
    before = run.state.stage("ingest")
    if before is None:
        raise StageNotReady("this run has no finished ingest; run `clipstrata ingest` or `clipstrata build` first")
    units = scored_units(run)
    try:
        commits = [units.read(name) for name in units.names]
    except FileNotFoundError as error:
        raise StageNotReady(str(error)) from error
    strangers = {commit.source for commit in commits} - {source.name for source in run.config.sources}
    if strangers or before.outputs != ingest_outputs(run.store, scorer_facts(run), [own.unit for own in commits]):
        raise StageNotReady(
            "the units on disk are not those of the last finished ingest (it was stopped, or the sources changed); run "
            "`clipstrata ingest` or `clipstrata build`"
        )
    return before, units, commits


def scorer_facts(run: Run) -> ScorerFacts:
    if run.state.scorer is None:
        raise StageNotReady("this run names no scorer; run `clipstrata ingest` or `clipstrata build` first")
    return run.state.scorer.model_copy(update={"aggregation": run.config.scorer.aggregation})


def digests(run: Run, *folders: str) -> dict[str, str]:
    """Return path -> digest of the files of some folders; of an index, the file that states the others' digests."""
    paths = (path for folder in folders for path in run.store.list(folder))
    stated = f"{INDEX_FOLDER}/"
    return {path: run.store.sha256(path) for path in paths if path == INDEX_JSON or not path.startswith(stated)}


def finished_duplicates(run: Run) -> StageState:
    """Return the finished search for duplicates whose files are on the disk.

    Raises:
        StageNotReady: there is none.
    """
    found = run.state.stage("duplicates")
    if found is None or found.outputs != duplicates_outputs(run):
        raise StageNotReady("this run's duplicates are not found yet; run `clipstrata judge` or `clipstrata build`")
    return found


def duplicates_outputs(run: Run) -> str:
    """Return the digest of what finding duplicates wrote."""
    return digest_of(digests(run, "duplicates"))
