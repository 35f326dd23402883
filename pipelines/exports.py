"""What a run tells as files for people and notebooks: the report's tables, and people's labels."""

from __future__ import annotations

from pathlib import Path

from curation.labels import RunLabels, current_labels, selected_pairs
from curation.manifests import read_manifest, read_pointer
from dashboard import tables
from dashboard.duplicate_tables import duplicate_tables
from dashboard.feed import dimension_table, label_table, parquet_rows
from dashboard.frames import label_frame, table_frame, write_frame
from dashboard.shard_tables import outlier_table, shard_table
from pipelines.pages import label_rows, shard_states
from pipelines.results import Results
from schemas.config_file import ConfigError
from schemas.run import JOINT_PARQUET


def report_tables(results: Results) -> list[tables.Table]:
    """Return the report's tables; that of the shards only where there are some."""
    told, store = results.statistics, results.store
    labels = RunLabels(store).all()
    current = current_labels(labels, selected_pairs(store, labels, told.scorer))
    found = [
        tables.score_table(told),
        tables.funnel_table(told),
        tables.tier_table(told),
        tables.reject_table(told),
        *duplicate_tables(told),
        dimension_table(parquet_rows(store.read(JOINT_PARQUET))),
        label_table(label_rows(current)),
    ]
    pointer = read_pointer(store)
    if pointer is None:
        return found
    manifest = read_manifest(store, pointer.version)
    states = shard_states(store, manifest)
    return [*found, shard_table(manifest.shards, states), outlier_table(manifest.shards, states)]


def export_tables(results: Results, folder: Path) -> list[Path]:
    """Write each table of the report as `folder`/<name>.csv; returns the files.

    Raises:
        ConfigError: the folder is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"--csv {folder}: is a file; allowed: a folder, which need not be there yet")
    paths = []
    for table in report_tables(results):
        paths.append(folder / f"{table.name}.csv")
        write_frame(table_frame(table), paths[-1])
    return paths


def export_labels(results: Results, path: Path) -> int:
    """Write a run's labels as CSV or Parquet; returns how many there are.

    Raises:
        ConfigError: the file has another ending, or the run's labels cannot be read.
    """
    store, labels = results.store, RunLabels(results.store).all()
    current = current_labels(labels, selected_pairs(store, labels, results.statistics.scorer))
    write_frame(label_frame(labels, {label.sample_id: label for label in current}), path)
    return len(labels)
