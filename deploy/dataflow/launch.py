"""What the launcher of the Flex Template runs: its parameters as flags -> the ingest, submitted as one job.

The launcher gives every parameter as `--name=value`, and Dataflow's own flags beside them.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import fsspec

from beam_runner import main

OWN = ("corpus", "out")


def split_parameters(flags: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """Return our parameters, and the flags for Beam.

    Raises:
        SystemExit: one of ours is missing.
    """
    own, rest = {}, []
    for flag in flags:
        name, _, value = flag.removeprefix("--").partition("=")
        if name in OWN:
            own[name] = value
        else:
            rest.append(flag)
    missing = [name for name in OWN if not own.get(name)]
    if missing:
        raise SystemExit(f"parameter {missing[0]!r} is missing; allowed: an address, as gs://BUCKET/NAME")
    return own, rest


def launch(flags: Sequence[str]) -> int:
    """Submit the ingest of a corpus file that lies in a bucket."""
    own, rest = split_parameters(flags)
    with tempfile.TemporaryDirectory() as folder:
        corpus = Path(folder) / "corpus.yaml"
        with fsspec.open(own["corpus"], "rb") as file:
            corpus.write_bytes(file.read())
        return main(["submit", str(corpus), "--out", own["out"], "--", *rest])


if __name__ == "__main__":
    sys.exit(launch(sys.argv[1:]))
