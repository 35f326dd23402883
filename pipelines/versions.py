"""Commands on the versions of a run's shards: what differs between two, and taking old ones away."""

from __future__ import annotations

import sys
from dataclasses import asdict
from typing import Any

from rich.console import Console

from curation.stores import open_store
from curation.versions import diff_versions, prune
from dashboard.version_tables import print_diff
from pipelines.inspecting import EXIT_DONE, Flags, print_json
from pipelines.run_folder import only_build, read_run
from schemas.config_file import ConfigError


def version_number(word: str) -> int:
    """Return the number of a version that is written `3` or `v3`.

    Raises:
        ConfigError: it is written otherwise.
    """
    number = word.removeprefix("v")
    if not number.isdecimal():
        raise ConfigError(f"version is {word!r}; allowed: a number, such as 3 or v3")
    return int(number)


def run_diff(arguments: Any, flags: Flags) -> int:
    """Print what differs between two versions."""
    read_run(arguments.run_folder)
    before, after = version_number(arguments.before), version_number(arguments.after)
    found = diff_versions(open_store(arguments.run_folder), before, after)
    if arguments.json:
        print_json(asdict(found))
    else:
        print_diff(Console(), found)
    return EXIT_DONE


def run_prune(arguments: Any, flags: Flags) -> int:
    """Remove all versions but the last ones."""
    read_run(arguments.run_folder)
    store = open_store(arguments.run_folder)
    with only_build(store):
        removed = prune(store, arguments.keep)
    for path in removed:
        sys.stdout.write(f"removed: {path}\n")
    sys.stdout.write(f"prune: {len(removed)} files removed\n")
    return EXIT_DONE
