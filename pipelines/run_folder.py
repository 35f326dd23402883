"""A run under way: its folder, its state, and what it must not be mixed with."""

from __future__ import annotations

import contextlib
import importlib.metadata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from pydantic import ValidationError

from curation.store import Held, Store, StoreHeld
from curation.stores import open_store
from pipelines.flink import end_earlier_job
from schemas.config_file import ConfigError
from schemas.corpus import CorpusConfig
from schemas.run import (
    BUILD_LOCK,
    CODE_VERSION,
    RUN_JSON,
    STATISTICS_JSON,
    RunAddress,
    RunState,
    StageName,
    StageState,
    address_of,
)
from schemas.statistics import STATISTICS_SCHEMA, ScorerFacts, Statistics

# Packages whose versions change results; they stand in run.json.
_VERSIONED = ("apache-beam", "av", "numpy", "open_clip_torch", "pillow", "pyarrow", "torch")


@dataclass
class Run:
    """An open run folder."""

    config: CorpusConfig
    store: Store
    state: RunState
    held: Held | None = None

    @property
    def root(self) -> RunAddress:
        """Where it lies, as `open_store` takes it."""
        return address_of(self.store.address)

    def check_held(self) -> None:
        """Make sure that this build still has the run to itself, before it commits or removes anything.

        Raises:
            StoreHeld: another one has taken it over.
        """
        if self.held is not None:
            self.held.check()

    def save(self) -> None:
        """Write run.json."""
        self.check_held()
        self.store.write(RUN_JSON, self.state.to_bytes())

    def fresh_scratch(self, stage: StageName) -> str:
        """Return a stage's empty scratch folder, relative to the run: what an earlier attempt left there is gone."""
        self.store.clear(f"tmp/{stage}")
        return f"tmp/{stage}"

    def finish(self, stage: StageName, fingerprint: str, outputs: str, seconds: float) -> None:
        """Record a finished stage and empty its scratch; later stages are forgotten: they stood on the old one."""
        state = StageState(
            stage=stage,
            fingerprint=fingerprint,
            outputs=outputs,
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            seconds=round(seconds, 3),
        )
        self.state = self.state.with_stage(state)
        self.save()
        self.drop_scratch(stage)

    def drop_scratch(self, *names: str) -> None:
        """Remove unfinished work: nothing under tmp/ is needed once a stage is finished."""
        for name in names:
            self.store.clear(f"tmp/{name}")

    def note_scorer(self, scorer: ScorerFacts) -> None:
        """Record which model scored the clips, and the code that did."""
        self.state = self.state.model_copy(update={"scorer": scorer, "code_version": CODE_VERSION})
        self.save()

    def note_timings(self, timings: Mapping[str, float]) -> None:
        """Record measured seconds in run.json."""
        merged = {**self.state.timings, **{name: round(value, 3) for name, value in timings.items()}}
        self.state = self.state.model_copy(update={"timings": merged})
        self.save()


def open_run(config: CorpusConfig, out: RunAddress) -> Run:
    """Open a run folder for a corpus, making it when it is not there.

    Raises:
        ConfigError: the folder belongs to another corpus, or holds other files.
    """
    store = open_store(out)
    document = config.model_dump(mode="json")
    if store.exists(RUN_JSON):
        state = read_run(out)
        if state.corpus != config.corpus:
            raise ConfigError(
                f"--out {out}: holds a run of corpus {state.corpus!r}, not {config.corpus!r}; allowed: a new or empty "
                "folder, or a run of the same corpus; give another --out"
            )
        state = state.model_copy(update={"config": document, "versions": _versions()})
    else:
        if not _is_empty(store):
            raise ConfigError(
                f"--out {out}: is no run and not empty; allowed: a new or empty folder, or a run; give another --out"
            )
        state = RunState(corpus=config.corpus, config=document, versions=_versions())
    run = Run(config=config, store=store, state=state)
    run.save()
    return run


def _is_empty(store: Store) -> bool:
    try:
        return store.is_empty()
    except FileNotFoundError as error:
        raise ConfigError(f"--out {store.address}: {error} Make the bucket first") from error


@contextmanager
def only_build(store: Store) -> Iterator[Held]:
    """Hold a run folder for one build, on this machine or in a bucket; a build that is killed lets go of it.

    What such a build left running on a cluster is ended first.

    Raises:
        ConfigError: another build is at work in it.
    """
    with contextlib.ExitStack() as stack:
        try:
            held = stack.enter_context(store.lock(BUILD_LOCK))
        except StoreHeld as error:
            raise ConfigError(
                f"--out {store.address}: another build is at work in it ({error}); wait for its end, or stop it"
            ) from error
        end_earlier_job(store)
        yield held


def read_run(path: RunAddress) -> RunState:
    """Return the state of an existing run.

    Raises:
        ConfigError: the folder holds no run.
    """
    store = open_store(path)
    if not store.exists(RUN_JSON):
        raise ConfigError(f"RUN is {path}: it holds no {RUN_JSON}; allowed: a folder that `clipstrata build` wrote")
    try:
        return RunState.model_validate_json(store.read(RUN_JSON))
    except ValidationError as error:
        raise ConfigError(
            f"RUN is {path}: its {RUN_JSON} cannot be read ({error.error_count()} problems); restore that file, "
            "or build into another folder"
        ) from error


def _versions() -> dict[str, str]:
    return {name: importlib.metadata.version(name) for name in _VERSIONED}


def read_statistics(folder: RunAddress) -> Statistics:
    """Return the statistics of a judged run, or of merged ones.

    Raises:
        ConfigError: there are none, or they are of another version.
    """
    store = open_store(folder)
    if not store.exists(STATISTICS_JSON):
        raise ConfigError(
            f"RUN is {folder}: it holds no {STATISTICS_JSON}; allowed: a judged run (`clipstrata judge` or `build` "
            "makes one), or what merge-stats wrote"
        )
    try:
        return Statistics.model_validate_json(store.read(STATISTICS_JSON))
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(map(str, first["loc"]))
        raise ConfigError(
            f"RUN is {folder}: {STATISTICS_JSON} cannot be read ({place}: {first['msg']}); allowed: "
            f"{STATISTICS_SCHEMA}; judge the run again with this version"
        ) from error
