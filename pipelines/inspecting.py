"""Commands that look at what is there: tables, JSON, the page, limits. No job runs and no run changes, but for the page
and what `verify --clean` removes.

Each takes the parsed arguments and Beam's own flags, and returns an exit code of `beam_runner`.
"""

from __future__ import annotations

import json
import sys
from typing import Any

from rich.console import Console

from curation.sources.report import check_file, list_formats, options_of
from curation.verify_selection import ALL_CLIPS
from dashboard.drift_tables import print_broken, print_drift
from dashboard.openmetrics import openmetrics
from dashboard.planning_tables import print_plan
from dashboard.server import Address, serve
from dashboard.source_tables import print_check, print_formats
from dashboard.terminal import print_report, print_training
from pipelines.comparing import check, compare, merge_stats
from pipelines.exports import export_labels, export_tables
from pipelines.hashing import hash_folder
from pipelines.results import read_results, served_run, verify_folder, write_page
from schemas.config_file import ConfigError
from schemas.planning import TrainingPlan
from schemas.run import RunAddress

Flags = tuple[str, ...]

EXIT_DONE, EXIT_CHECK_FAILED = 0, 1
# How many clips `verify` decodes where nobody says: a second's work.
DECODED_CLIPS = 16


def run_stats(arguments: Any, flags: Flags) -> int:
    """Print a judged run's statistics."""
    results = read_results(arguments.run_folder)
    if arguments.openmetrics is not None:
        arguments.openmetrics.write_text(openmetrics(results.statistics), encoding="utf-8")
    if arguments.csv is not None:
        export_tables(results, arguments.csv)
    if arguments.json:
        print_json(results.statistics.model_dump(mode="json"))
    else:
        print_report(Console(), results.statistics, results.planted)
        print_training(Console(), results.training, results.evaluation)
    return EXIT_DONE


def run_hashes(arguments: Any, flags: Flags) -> int:
    """Write the hashes of a folder of videos; exit 1 when some video gave none, each with its reason."""
    found = hash_folder(arguments.folder, arguments.out)
    for video in found:
        for failure in video.failures:
            sys.stderr.write(f"clipstrata: {video.name}: {failure.reason.value}: {failure.detail}\n")
    clips = sum(len(video.clips) for video in found)
    sys.stdout.write(f"hashes of {clips} clips of {len(found)} videos: {arguments.out}\n")
    return EXIT_CHECK_FAILED if any(video.failures for video in found) else EXIT_DONE


def run_labels(arguments: Any, flags: Flags) -> int:
    """Write what people said of a run's clips."""
    count = export_labels(read_results(arguments.run_folder), arguments.out)
    sys.stdout.write(f"{count} labels: {arguments.out}\n")
    return EXIT_DONE


def run_compare(arguments: Any, flags: Flags) -> int:
    """Print how two runs differ."""
    drift = compare(arguments.run_folder, arguments.against)
    if arguments.json:
        print_json(drift.model_dump(mode="json"))
    else:
        print_drift(Console(), drift)
    return EXIT_DONE


def run_check(arguments: Any, flags: Flags) -> int:
    """Print how two runs differ, and fail when a limit does not hold."""
    drift, broken = check(arguments.run_folder, arguments.against, arguments.limits)
    if arguments.json:
        limits = [limit.model_dump(mode="json") for limit in broken]
        print_json({**drift.model_dump(mode="json"), "broken": limits})
    else:
        print_drift(Console(), drift)
        print_broken(Console(), broken)
    return EXIT_CHECK_FAILED if broken else EXIT_DONE


def run_merge_stats(arguments: Any, flags: Flags) -> int:
    """Write the sum of runs' statistics, and print it."""
    merged = merge_stats(arguments.run_folders, arguments.out)
    print_report(Console(), merged, None)
    for source in merged.sources:
        if source.cuts is None:
            sys.stdout.write(f"{source.name}: its cuts differ between the runs, so it has no tiers here\n")
    sys.stdout.write(f"statistics: {arguments.out}/stats\n")
    return EXIT_DONE


def run_sources(arguments: Any, flags: Flags) -> int:
    """List the formats."""
    formats = list_formats()
    if arguments.json:
        print_json([facts.model_dump(mode="json") for facts in formats])
    else:
        print_formats(Console(), formats)
    return EXIT_DONE


def run_sources_check(arguments: Any, flags: Flags) -> int:
    """Say what a file of metadata holds."""
    found = check_file(arguments.location, arguments.format, options_of(vars(arguments)))
    if arguments.json:
        print_json(found.model_dump(mode="json"))
    else:
        print_check(Console(), found)
    return EXIT_CHECK_FAILED if found.rejects else EXIT_DONE


def run_dashboard(arguments: Any, flags: Flags) -> int:
    """Write the page of a run, or serve it."""
    if arguments.serve:
        serve(served_run(arguments.run_folder, arguments.against), Address(arguments.host, arguments.port))
        return EXIT_DONE
    path = write_page(arguments.run_folder, arguments.html, arguments.against)
    sys.stdout.write(f"page: {path}\n")
    return EXIT_DONE


def show_plan(plan: TrainingPlan, *, as_json: bool) -> int:
    """Print what a training draws; fail when a loader gets no shard, or a process no whole batch."""
    if as_json:
        print_json(plan.model_dump(mode="json"))
    else:
        print_plan(Console(), plan)
    starved = plan.loaders.without_shard or not plan.loaders.steps
    return EXIT_CHECK_FAILED if starved else EXIT_DONE


def run_verify(arguments: Any, flags: Flags) -> int:
    """Verify a run."""
    decode = clip_count(arguments.decode)
    return verify(arguments.run_folder, as_json=arguments.json, clean=arguments.clean, decode=decode)


def clip_count(word: str) -> int:
    """Return how many clips `--decode` asks for.

    Raises:
        ConfigError: it is neither a number nor `all`.
    """
    if word != "all" and not word.isdecimal():
        raise ConfigError(f"--decode is {word!r}; allowed: a number of clips, or all; 0 decodes none")
    return ALL_CLIPS if word == "all" else int(word)


def verify(folder: RunAddress, *, as_json: bool, clean: bool, decode: int = DECODED_CLIPS) -> int:
    """Verify a run and print what was found; return the exit code."""
    report, removed = verify_folder(folder, clean=clean, decode=decode)
    if as_json:
        document = {"checked": report.checked, "problems": report.problems, "leftovers": report.leftovers}
        print_json({**document, "removed": removed, "ok": not report.problems})
    else:
        checked = ", ".join(f"{number} {what}" for what, number in report.checked.items())
        sys.stdout.write(f"verify: checked {checked}\n")
        for problem in report.problems:
            sys.stdout.write(f"verify: {problem}\n")
        if report.leftovers and not clean:
            sys.stdout.write(f"verify: {len(report.leftovers)} leftover files; `verify --clean` removes them\n")
        sys.stdout.write("verify: all is as the manifest says\n" if not report.problems else "verify: FAILED\n")
    return EXIT_CHECK_FAILED if report.problems else EXIT_DONE


def print_json(document: Any) -> None:
    """Print a document as JSON; NaN is refused."""
    sys.stdout.write(json.dumps(document, indent=2, sort_keys=True, allow_nan=False) + "\n")
