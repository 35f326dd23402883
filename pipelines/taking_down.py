"""`clipstrata takedown` as a command: parsed arguments -> the takedown -> tables and an exit code of `beam_runner`."""

from __future__ import annotations

from typing import Any

from rich.console import Console

from dashboard.terminal import print_takedown
from pipelines.engine import EngineOptions
from pipelines.inspecting import EXIT_DONE, print_json
from pipelines.takedown import TakedownRequest, preview, takedown
from schemas.run import receipt_path


def run_takedown(arguments: Any, flags: tuple[str, ...]) -> int:
    """Take down what a file names, or say what that would touch."""
    request = TakedownRequest(ids=arguments.ids, copies=arguments.copies, time=arguments.time)
    if arguments.dry_run:
        told, title = _preview(arguments, request), "Takedown, if it were done"
    else:
        told, title = _done(arguments, request, flags), "Takedown"
    if arguments.json:
        print_json(told)
    else:
        print_takedown(Console(), title, told)
    return EXIT_DONE


def _preview(arguments: Any, request: TakedownRequest) -> dict[str, Any]:
    found = preview(arguments.run_folder, request)
    return {
        "found": sorted(f"{one.kind}:{one.value}" for one in found.found),
        "units_touched": len(found.touched),
        "samples_removed": found.removed_samples,
        "samples_touched": len(found.affected.samples),
        "records_removed": len(found.affected.records),
        "copies_removed": found.copies_removed,
        "copies_spared": found.copies_spared,
    }


def _done(arguments: Any, request: TakedownRequest, flags: tuple[str, ...]) -> dict[str, Any]:
    receipt = takedown(arguments.run_folder, request, EngineOptions(flags=flags, root=str(arguments.run_folder)))
    told = receipt.model_dump(mode="json")
    if arguments.json:
        return told
    return {
        "asked, found": f"{receipt.asked}, {receipt.found}",
        **receipt.counts,
        "shards": f"{len(receipt.shards_removed)} removed, {len(receipt.shards_written)} written, "
        f"{receipt.shards_untouched} as they were",
        "manifest versions pruned": [version.version for version in receipt.versions_pruned],
        "files under models/ that saw it": [seen.path for seen in receipt.checkpoints],
        "receipt": receipt_path(receipt.number),
    }
